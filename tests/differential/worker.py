# SPDX-License-Identifier: MIT
"""Run programs FIRST ... FIRST + COUNT - 1 in this interpreter, each under
cProfile and under proflite, and print a line of JSON for each that differs:

    worker.py FIRST COUNT           the package must be importable
"""

import cProfile
import collections
import gc
import itertools
import json
import random
import sys
import traceback
import warnings

import proflite

import compare
import interrupted
from generate import generate


class NoProfile:
    def enable(self):
        pass

    disable = getstats = enable


def counting():
    """A clock that says how often it was read."""
    return itertools.count().__next__


def depth():
    frame, n = sys._getframe(), 0
    while frame:
        frame, n = frame.f_back, n + 1
    return n


class Balance:
    """Whether every call that sys.setprofile tells of has its return."""

    def __init__(self):
        self.open = []
        self.ok = True

    def __call__(self, frame, what, arg):
        who = arg if what[:2] == "c_" else frame
        if what in ("call", "c_call"):
            self.open.append(who)
        elif self.open and self.open.pop() is not who:
            self.ok = False


def is_balanced(code):
    balance = Balance()
    sys.setprofile(balance)
    try:
        execute(NoProfile(), code, [])
    finally:
        sys.setprofile(None)
    return balance.ok


def execute(prof, code, snapshots, **flags):
    """One run under @prof; the exception it ended with, if any."""
    namespace = {"__name__": "program", "prof": prof,
                 "snapshot": snapshots.append}
    prof.enable(**flags)
    try:
        exec(code, namespace)
    except BaseException as e:
        return type(e)
    finally:
        prof.disable()


def run_one(seed, totals):
    """Lines that say what differs."""
    if interrupted.is_one(seed):
        return interrupted.check(seed, totals)
    source, options = generate(seed, sys.version_info)
    code = compile(source, "p%d" % seed, "exec")
    rng = random.Random(seed)
    flags = {"subcalls": rng.random() > 0.1, "builtins": rng.random() > 0.1}
    if options.deep:
        # Where the interpreter reports calls of C functions, and for cProfile
        # it always does, a program meets the recursion limit earlier.
        flags = {}
    if options.toggles and sys.version_info >= (3, 14):
        flags = {}      # enable() without arguments sets both in cProfile
    times = not options.deep
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth() + 200 if options.deep else 5000)
    gc.disable()
    try:
        # What is imported, compiled and cached once is so for both.
        execute(NoProfile(), code, [])
        if sys.version_info[:2] == (3, 11) and not is_balanced(code):
            # Where a call is not announced, cProfile takes its return for that
            # of the caller, and is wrong from there on: see doc/cprofile.md.
            totals["skipped"] += 1
            return []
        results = {}
        for kind in rng.sample(["cProfile", "proflite", "plain"], 3):
            if kind == "plain":
                prof = proflite.Profile(**flags)
            else:
                clock = (counting(), 1.0) if times else ()
                prof = sys.modules[kind].Profile(*clock, **flags)
            snapshots = []
            ended = execute(prof, code, snapshots, **flags)
            results[kind] = ended, prof.getstats(), snapshots, prof
    finally:
        gc.enable()
        sys.setrecursionlimit(limit)
    return differences(results, times, totals)


def differences(results, times, totals):
    ended, entries, snapshots, _ = results["cProfile"]
    shared = compare.shared_labels(entries)
    totals["calls"] += sum(entry.callcount for entry in entries)
    totals["functions"] += len(entries)
    totals["shared labels"] += len(shared)
    totals["snapshots"] += len(snapshots)
    found = []
    for kind in "proflite", "plain":
        timed = times and kind == "proflite"
        other_end, others, other_snapshots, prof = results[kind]
        if other_end != ended:
            found.append("%s: ended with %s, not %s" % (kind, other_end, ended))
        found += [kind + ": " + line for line in compare.compare(
            entries, others, shared, timed)]
        if len(snapshots) != len(other_snapshots):
            found.append("%s: %d snapshots, not %d" % (
                kind, len(other_snapshots), len(snapshots)))
        for i, (a, b) in enumerate(zip(snapshots, other_snapshots)):
            found += ["%s, snapshot %d: %s" % (kind, i, line)
                      for line in compare.compare(a, b, shared, timed,
                                                  own=False)]
        prof.snapshot_stats()
        found += compare.check_stats(prof.stats, others)
    return found


def main(first, count):
    warnings.simplefilter("ignore")
    # Exceptions that nobody can catch are part of the programs.  A function
    # of C, so that the hook makes no calls of its own.
    sys.unraisablehook = id
    totals = collections.Counter()
    for seed in range(first, first + count):
        try:
            found = run_one(seed, totals)
        except Exception:
            found = [traceback.format_exc()]
        if found:
            print(json.dumps({"seed": seed, "found": found[:20],
                              "more": max(0, len(found) - 20)}), flush=True)
        gc.collect()
    print(json.dumps({"done": count, **totals}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
