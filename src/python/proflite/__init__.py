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

import os as _os

from . import _proflite
from ._main import main
from ._profile import Profile, label, run, runctx

__all__ = ["Profile", "run", "runctx", "start", "stop", "save", "is_on"]
__version__ = _proflite.version


def _escape(value):
    return value.replace(b"\\", b"\\\\").replace(b",", b"\\,")


def _text(value):
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    return _os.fsencode(str(value) if isinstance(value, int) else value)


def start(out=None, *, clock=None, builtins=None, all_calls=None, label=None,
          max_nodes=None):
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

    What is not given is what PROFLITE_OPTIONS says, where the process is
    preloaded.  While recording, this does nothing; after stop() it goes on
    with the recording there is.
    """
    given = {
        b"out": out, b"clock": clock, b"builtins": builtins,
        b"all_calls": all_calls, b"label": label, b"max_nodes": max_nodes,
    }
    _proflite.start(b",".join(
        key + b"=" + _escape(_text(value))
        for key, value in given.items() if value is not None))


def stop():
    """Stop recording.  start() goes on with the same recording."""
    _proflite.stop()


def save(path=None):
    """Write what has been recorded so far into a database.

    path: the database; None is that of start().  Saving again replaces what
    was saved of this process before.
    """
    _proflite.save(path)


def is_on():
    """Whether the process is being recorded."""
    return _proflite.is_on()
