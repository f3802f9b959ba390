# SPDX-License-Identifier: MIT
"""proflite: a deterministic profiler.

Use it as cProfile (``import proflite as cProfile``): Profile, run, runctx and
the command line ``python -m proflite`` do what cProfile's do.  What is more:

    proflite.start(out="app.db")    record every call of every thread of this
                                    process from here on, into a database
    proflite.stop()
    proflite.save("now.db")         write what has been recorded so far

    Profile(threads=True)           a profile that covers all threads
    Profile(all_calls=True)         classes, slot wrappers, partials as well
    Profile.save("x.db")            into SQLite instead of a pstats file

Profiles nest and run in several threads at once.
"""

__all__ = ["Profile", "run", "runctx", "start", "stop", "save", "is_on"]

# Where the rest is.  The engine is imported with the first of them: that pytest
# has found our plugin, say, is no reason to.
_PLACES = {
    "Profile": "_profile", "label": "_profile", "run": "_profile",
    "runctx": "_profile", "main": "_main",
}


def __getattr__(name):
    from importlib import import_module

    if name == "__version__":
        value = import_module("._proflite", __name__).version
    elif name in _PLACES:
        value = getattr(import_module("." + _PLACES[name], __name__), name)
    else:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_PLACES, "__version__"})


# Below, an import of what is there already makes no call that would be recorded.

def _escape(value):
    return value.replace(b"\\", b"\\\\").replace(b",", b"\\,")


def _text(value):
    import os

    if isinstance(value, bool):
        return b"yes" if value else b"no"
    return os.fsencode(str(value) if isinstance(value, int) else value)


def start(out=None, *, clock=None, builtins=None, all_calls=None, label=None,
          max_nodes=None, max_functions=None, max_threads=None,
          calibrate=None):
    """Record every call of this process, in every thread, from here on.

    out: the database, "proflite.db" unless told; written when the process
        ends, whatever way it ends (a killed process leaves its recording
        beside it, which the next ``proflite`` command takes in), and by
        save().
    clock: "wall" (the default), "cpu" (of each thread), or "step" (+1 a
        reading).
    builtins: record C functions too (True unless told).
    all_calls: record classes, slot wrappers and other callables too.
    label: the name of the run.
    max_nodes: cap on distinct call paths; 0 for none.
    max_functions: cap on distinct functions, 100000 by default; 0 for none.
        Functions seen after that are counted as "(more functions)" of their
        file.
    max_threads: threads that are kept apart, 1000 by default; 0 for all.
        After that the calls of a new thread are added to the tree of a thread
        that has ended.
    calibrate: measure first, in some milliseconds, what a recorded call costs
        (True unless told).

    What is not given is what PROFLITE_OPTIONS says, where the process is
    preloaded.  While recording, this does nothing; after stop() it goes on
    with the recording there is.
    """
    given = {
        b"out": out, b"clock": clock, b"builtins": builtins,
        b"all_calls": all_calls, b"label": label, b"max_nodes": max_nodes,
        b"max_functions": max_functions, b"max_threads": max_threads,
        b"calibrate": calibrate,
    }
    import proflite._proflite as engine

    engine.start(b",".join(
        key + b"=" + _escape(_text(value))
        for key, value in given.items() if value is not None))


def stop():
    """Stop recording.  start() goes on with the same recording."""
    import proflite._proflite as engine
    engine.stop()


def save(path=None):
    """Write what has been recorded so far into a database.

    path: the database; None is that of start().  Saving again replaces what
    was saved of this process before.
    """
    import proflite._proflite as engine
    engine.save(path)


def is_on():
    """Whether the process is being recorded."""
    import proflite._proflite as engine
    return engine.is_on()


def load_ipython_extension(shell):
    """%load_ext proflite"""
    from ._ipython import ProfliteMagics
    shell.register_magics(ProfliteMagics)
