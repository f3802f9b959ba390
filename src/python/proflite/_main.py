# SPDX-License-Identifier: MIT
"""The command line, as python -m cProfile has it in its newest version."""

import importlib.machinery
import importlib.util
import io
import os
import sys

from ._profile import Profile

USAGE = ("python -m proflite [-o output_file_path] [-s sort] "
         "[-m module | -c code | scriptfile] [arg] ...")


def _parse(words):
    # optparse and pstats only here: what the profiled program finds imported
    # already is what it finds under cProfile.
    import pstats
    from optparse import OptionParser

    parser = OptionParser(usage=USAGE, prog="proflite")
    parser.allow_interspersed_args = False
    parser.add_option(
        "-o", "--outfile", default=None,
        help="save the profile: an SQLite database when the name ends in .db, "
             "else a file for pstats")
    parser.add_option(
        "-s", "--sort", default=2,
        choices=sorted(pstats.Stats.sort_arg_dict_default),
        help="sort order of the printed profile, a key of pstats.Stats "
             "(default: cumulative)")
    parser.add_option("-m", dest="module", action="store_true", default=False,
                      help="profile a module, as python -m runs it")
    parser.add_option("-c", dest="code", action="store_true", default=False,
                      help="profile code, as python -c runs it")
    options, args = parser.parse_args(words)
    if options.module and options.code:
        parser.error("-m and -c exclude each other")
    if not args:
        parser.print_usage(sys.stderr)
        sys.exit(2)
    return options, args


def _new_main(filename):
    """A module for the program, in the place of ours: what imports __main__, or
    pickles something of it, finds what it would find without a profiler."""
    spec = importlib.machinery.ModuleSpec("__main__", None, origin=filename)
    module = importlib.util.module_from_spec(spec)
    sys.modules["__main__"] = module
    module.__dict__.update(__spec__=None, __package__=None)
    if filename is not None:
        module.__file__ = filename
        if sys.version_info < (3, 15):
            module.__cached__ = None
    return module.__dict__


def _compile(source, filename):
    # The name by which filters of warnings know the module.
    more = {"module": "__main__"} if sys.version_info >= (3, 15) else {}
    return compile(source, filename, "exec", **more)


def _prepare(options, word):
    """(what to exec, in which namespace)"""
    if options.module:
        import runpy
        return ("run_module(modname, run_name='__main__', alter_sys=True)",
                {"run_module": runpy.run_module, "modname": word})
    if options.code:
        sys.argv[0] = "-c"
        return _compile(word, "<string>"), _new_main(None)
    sys.path.insert(0, os.path.dirname(word))
    with io.open_code(word) as f:
        code = _compile(f.read(), word)
    return code, _new_main(word)


def _show(profile, options):
    if options.outfile is None:
        profile.print_stats(options.sort)
    elif options.outfile.endswith(".db"):
        profile.save(options.outfile)
    else:
        profile.dump_stats(options.outfile)


def main():
    """Run the command line in sys.argv."""
    options, args = _parse(sys.argv[1:])
    sys.argv[:] = args
    # The program may change its folder.
    if options.outfile is not None:
        options.outfile = os.path.abspath(options.outfile)
    ours = sys.modules["__main__"]      # must outlive its place in there
    code, namespace = _prepare(options, args[0])
    profile = Profile()
    try:
        try:
            profile.runctx(code, namespace, None)
        except SystemExit:
            pass
        finally:
            _show(profile, options)
    except BrokenPipeError as e:
        # No "Exception ignored" when stdout is flushed at the end.
        sys.stdout = None
        sys.exit(e.errno)
    finally:
        del ours
