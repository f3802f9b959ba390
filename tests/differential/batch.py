# SPDX-License-Identifier: MIT
"""Run programs, once each, all in this process:

    batch.py FIRST COUNT OUT.json   under cProfile, whose rows go to a file
    batch.py OUT.json               the same ones, for LD_PRELOAD to record

Left out are programs near the recursion limit, for how much of it is left
differs, and those that cProfile of 3.11 gets wrong (see worker.py).
"""

import cProfile
import gc
import itertools
import json
import re
import signal
import sys
import types    # functools imports these three at first use, and only one
import typing   # of the two processes would see it
import warnings
import weakref

try:
    import fires    # the same, where it is there
except ImportError:
    fires = None

from compare import rows_of
from generate import generate
from worker import NoProfile, execute, is_balanced


def seeds(first, count):
    for seed in range(first, first + count):
        if not generate(seed, sys.version_info)[1].deep and (
                sys.version_info[:2] != (3, 11) or is_balanced(load(seed))):
            yield seed


def load(seed):
    source, _ = generate(seed, sys.version_info)
    return compile(source, "p%d" % seed, "exec")


def run(codes):
    re.purge()          # what is cached is so in both
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)       # what is set, too
    for code in codes:
        execute(NoProfile(), code, [])
        gc.collect()


def reference(chosen, out):
    codes = [load(seed) for seed in chosen]
    gc.collect()        # what choosing them left, __del__ and all
    prof = cProfile.Profile(itertools.count().__next__, 1.0)
    prof.enable()
    run(codes)
    prof.disable()
    functions, edges = rows_of(prof.getstats())
    with open(out, "w") as f:
        json.dump({"seeds": chosen,
                   "functions": [(key, vars(row))
                                 for key, row in functions.items()],
                   "edges": [(key, vars(row)) for key, row in edges.items()]},
                  f)


def main(*args):
    warnings.simplefilter("ignore")
    sys.unraisablehook = id
    sys.setrecursionlimit(5000)
    gc.disable()
    if len(args) == 3:
        reference(list(seeds(int(args[0]), int(args[1]))), args[2])
    else:
        with open(args[0]) as f:
            chosen = json.load(f)["seeds"]
        run([load(seed) for seed in chosen])


if __name__ == "__main__":
    main(*sys.argv[1:])
