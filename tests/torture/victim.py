# SPDX-License-Identifier: MIT
"""The program that run.py kills: calls, and little else.

    victim.py COUNTERS KIND SLOT LIMIT

COUNTERS is a file of 64-bit counters.  Each thread of each process has a slot
and a function of its own, work_SLOT, which begins by adding one to its slot.
KIND: plain, threads, short (threads that end after a few rounds, one after the
other), fork or spawn.  LIMIT: rounds to go, 0 for no end.

Writes "r" when it begins, and "e" when it has done LIMIT rounds.
"""

import itertools
import mmap
import os
import subprocess
import sys
import threading

PATH, KIND, SLOT, LIMIT = sys.argv[1], sys.argv[2], int(sys.argv[3]), \
    int(sys.argv[4])
BRANCHES = 2

with open(PATH, "r+b") as f:
    counters = memoryview(mmap.mmap(f.fileno(), 0)).cast("Q")

WORK = """
def work_{0}(n):
    counters[{0}] += 1
    return n and work_{0}(n - 1)
"""


def numbers(work, n):
    for i in range(n):
        work(0)
        yield i


def fails(work):
    work(0)
    raise KeyError


def new_path(n):
    names = {}
    exec("def new_%d(): pass\nnew_%d()" % (n, n), names)


def make_work(slot):
    names = {"counters": counters}
    exec(WORK.format(slot), names)
    return names["work_%d" % slot]


def drive(slot):
    rounds(make_work(slot), 0, LIMIT)


def drive_by_short_threads(slot):
    work = make_work(slot)
    for n in itertools.count(0, 5):
        if LIMIT and n >= LIMIT:
            break
        thread = threading.Thread(target=rounds, args=(work, n, n + 5))
        thread.start()
        thread.join()


def rounds(work, n, limit):
    while not limit or n < limit:
        n += 1
        work(n % 20)
        sum(numbers(work, n % 5))
        sorted(range(n % 3), key=work)
        try:
            fails(work)
        except KeyError:
            pass
        if n % 10 == 0:
            new_path(n // 10 % 3000)


def main():
    slots = range(SLOT + 1, SLOT + 1 + BRANCHES)
    os.write(1, b"r")
    if KIND in ("threads", "short"):
        for slot in slots:
            threading.Thread(target=drive if KIND == "threads" else
                             drive_by_short_threads, args=(slot,),
                             daemon=True).start()
    elif KIND == "fork":
        for slot in slots:
            if not os.fork():
                drive(slot)
                os._exit(0)
    elif KIND == "spawn":
        for slot in slots:
            subprocess.Popen([sys.executable, __file__, PATH, "plain",
                              str(slot), str(LIMIT)])
    drive(SLOT)
    os.write(1, b"e")


main()
