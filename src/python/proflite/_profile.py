# SPDX-License-Identifier: MIT
"""cProfile's interface: Profile, run and runctx."""

import marshal

from . import _proflite


def label(code):
    """(file, line, name) of what getstats() has as code: a code object, or the
    text of a C function."""
    if isinstance(code, str):
        return ("~", 0, code)
    return (code.co_filename, code.co_firstlineno, code.co_name)


class Profile(_proflite.Profiler):
    """Builds a profile of the calls made while it is enabled, by the thread that
    enables it, or by all with threads=True.

    timer: a function that returns the time, in seconds, or in integers of
        timeunit seconds each.
    subcalls: keep figures per caller as well.
    builtins: record C functions too.
    all_calls: record what cProfile cannot see: classes, slot wrappers,
        functools.partial, numpy's ufuncs, methods of extension types.  Needs
        Python 3.12.
    within: (var, value), a contextvars.ContextVar and an object: record only
        what begins where var is that object, in whatever thread or task.  The
        first call recorded is one of a Python function.
    """

    __module__ = "proflite"     # where it is imported from

    def print_stats(self, sort=-1):
        """Print the profile as pstats does; sort by one key, or a tuple."""
        import pstats
        if not isinstance(sort, tuple):
            sort = (sort,)
        pstats.Stats(self).strip_dirs().sort_stats(*sort).print_stats()

    def dump_stats(self, file):
        """Write a file for pstats and its viewers."""
        with open(file, "wb") as f:
            self.create_stats()
            marshal.dump(self.stats, f)

    def save(self, path, label=None):
        """Add the profile, with its call tree, to an SQLite database, as a run
        of that label.  What was saved of it there before is replaced, but for
        what clear() ended."""
        self._save(path, label)

    def create_stats(self):
        """Stop, and make self.stats, what pstats.Stats reads."""
        self.disable()
        self.snapshot_stats()

    def snapshot_stats(self):
        """Make self.stats without stopping."""
        if type(self).getstats is Profile.getstats:
            self.stats = self._pstats()
        else:
            self.stats = _stats_of(self.getstats())

    def run(self, cmd):
        """Profile an exec of cmd in the namespace of __main__."""
        import __main__
        namespace = __main__.__dict__
        return self.runctx(cmd, namespace, namespace)

    def runctx(self, cmd, globals, locals):
        """Profile an exec of cmd in the given namespaces."""
        self.enable()
        try:
            exec(cmd, globals, locals)
        finally:
            self.disable()
        return self

    def runcall(self, func, /, *args, **kw):
        """Profile one call, and return what it returns."""
        self.enable()
        try:
            return func(*args, **kw)
        finally:
            self.disable()

    def __enter__(self):
        self.enable()
        return self

    def __exit__(self, *exc_info):
        self.disable()


def _figures(entry):
    return (entry.callcount, entry.callcount - entry.reccallcount,
            entry.inlinetime, entry.totaltime)


def _sum(*figures):
    return tuple(map(sum, zip(*figures)))


def _stats_of(entries):
    """What pstats reads, out of what a subclass's getstats() returns."""
    stats = {}
    for entry in entries:
        key = label(entry.code)
        nc, cc, tt, ct = _figures(entry)
        if key in stats:
            *old, callers = stats[key]
            stats[key] = (*_sum(old, (cc, nc, tt, ct)), callers)
        else:
            stats[key] = (cc, nc, tt, ct, {})
    for entry in entries:
        caller = label(entry.code)
        for sub in entry.calls or ():
            if label(sub.code) in stats:
                callers = stats[label(sub.code)][4]
                callers[caller] = _sum(callers.get(caller, (0, 0, 0, 0)),
                                       _figures(sub))
    return stats


def _show(profile, filename, sort):
    if filename is not None:
        profile.dump_stats(filename)
    else:
        profile.print_stats(sort)


def run(statement, filename=None, sort=-1):
    """Profile an exec of statement in the namespace of __main__; print the
    profile sorted by sort, or write it to filename."""
    profile = Profile()
    try:
        profile.run(statement)
    except SystemExit:
        pass
    finally:
        _show(profile, filename, sort)


def runctx(statement, globals, locals, filename=None, sort=-1):
    """run() in the given namespaces."""
    profile = Profile()
    try:
        profile.runctx(statement, globals, locals)
    except SystemExit:
        pass
    finally:
        _show(profile, filename, sort)
