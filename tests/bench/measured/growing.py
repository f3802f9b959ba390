# SPDX-License-Identifier: MIT
"""One measurement of growth: calls of a given shape, in a process of its own.

	growing.py SPEC		SPEC: JSON; the answer goes to spec.answer

	nodes	SIZE distinct call paths, each visited in turn
	depth	a call that nests SIZE deep
	fanout	SIZE functions that are called from one place, in no order
	threads	SIZE threads that call at the same time
	memory	SIZE calls of one path
	short	SIZE threads, one after the other
	texts	SIZE functions made of texts, each called once

Answers CPU seconds and calls, after one round that is not measured: first
sights are in that one.  Of the last two nothing is left out; the answer has the
size of the recording as well, and how far it may grow.
"""

import json
import os
import random
import sys
import threading
import time

spec = json.loads(sys.argv[1])
sys.path[:0] = spec["path"]

from tools import TOOLS


def empty():
    pass


def functions(n, source="def f%d(): pass"):
    scope = {}
    exec("\n".join(source % i for i in range(n)), scope)
    return [scope["f%d" % i] for i in range(n)]


def nodes(size, calls):
    """A tree in which each of ten functions calls all ten."""
    scope = {}
    body = "\n".join("    f%d(depth)" % i for i in range(10))
    for i in range(10):
        exec("def f%d(depth):\n    if not depth: return\n    depth -= 1\n%s"
             % (i, body), scope)
    depth = len(str(size)) - 2          # 10 to the power of depth + 1 leaves
    a_round = sum(10 ** (d + 1) for d in range(depth + 1))
    rounds = max(1, calls // a_round)

    def run():
        for _ in range(rounds):
            for i in range(10):
                scope["f%d" % i](depth)
    return run, rounds * a_round


def depth(size, calls):
    sys.setrecursionlimit(size + 100)

    def down(n):
        if n:
            down(n - 1)

    rounds = max(1, calls // size)

    def run():
        for _ in range(rounds):
            down(size - 1)
    return run, rounds * size


def fanout(size, calls):
    order = functions(size) * max(1, calls // size)
    random.Random(1).shuffle(order)

    def run():
        for f in order:
            f()
    return run, len(order)


def threads(size, calls):
    def work(n):
        for _ in range(n):
            empty()

    def run():
        ts = [threading.Thread(target=work, args=(calls // size,))
              for _ in range(size)]
        for t in ts:
            t.start()
        for t in ts:
            t.join()
    return run, calls


def memory(size, calls):
    def run():
        for _ in range(size):
            empty()
    return run, size


def short(size, calls):
    def run():
        for _ in range(size):
            thread = threading.Thread(target=empty)
            thread.start()
            thread.join()
    return run, size


def texts(size, calls):
    def run():
        for i in range(size):
            exec("def f%d(): pass\nf%d()" % (i, i), {})
    return run, size


def recording_kb():
    """What of the recording is in use, in its header."""
    for name in os.listdir(spec["folder"]):
        if name.endswith(".plrec"):
            with open(os.path.join(spec["folder"], name), "rb") as f:
                f.seek(104)
                return int.from_bytes(f.read(4), sys.byteorder) * 64 // 1024
    return 0


def resident_kb():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def measure():
    run, calls = globals()[spec["shape"]](spec["size"], spec["calls"])
    tool = TOOLS[spec["tool"]](spec["folder"], {})
    tool.start()
    if spec["shape"] in ("memory", "short", "texts"):
        empty()
    else:
        run()
    before = resident_kb()
    t0 = time.process_time()
    run()
    seconds = time.process_time() - t0
    grown = resident_kb() - before
    tool.stop()
    with open(spec["answer"], "w") as f:
        json.dump({"seconds": seconds, "calls": calls, "grown_kb": grown,
                   "recording_kb": recording_kb()}, f)


threading.stack_size(256 << 20)         # 3.9 and 3.10 recur in C
thread = threading.Thread(target=measure)
if spec["shape"] == "threads":
    threading.stack_size(0)
thread.start()
thread.join()
os._exit(0)                     # what a tool does at exit is not measured
