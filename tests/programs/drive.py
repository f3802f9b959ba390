# SPDX-License-Identifier: MIT
#
# drive.py [-c OUT] PROGRAM [ARG]...
#
# Run a program as `python -m cProfile` does. With -c under cProfile, whose
# counts go to OUT as JSON; else as it is, for another profiler to watch. Either
# way the same modules are there when it begins, and the same code runs below
# the exec.
import cProfile
import io
import json
import sys


def key(code):
    if isinstance(code, str):
        return "~", 0, code
    return code.co_filename, code.co_firstlineno, code.co_name


def counts(profile):
    """[[file, line, name, calls]], added up where cProfile's own dictionary
    keeps the last of those that are alike."""
    found = {}
    for entry in profile.getstats():
        name = key(entry.code)
        found[name] = found.get(name, 0) + entry.callcount
    return [[*name, n] for name, n in found.items()]


def main():
    out = None
    arguments = sys.argv[1:]
    if arguments[0] == "-c":
        out = arguments[1]
        del arguments[:2]
    program = arguments[0]
    sys.argv[:] = arguments
    with io.open_code(program) as f:
        code = compile(f.read(), program, "exec")
    names = {"__name__": "__main__", "__file__": program}
    if not out:
        exec(code, names)
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        exec(code, names)
    finally:
        profile.disable()
        with open(out, "w") as f:
            json.dump(counts(profile), f)


main()
