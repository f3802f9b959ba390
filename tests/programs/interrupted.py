# SPDX-License-Identifier: MIT
"""Calls that a signal's handler ends by raising, at any moment.  Each function
counts its calls; of a call that was ended before that its caller knows.

    interrupted.py COUNT        so many exceptions in each loop
"""

import signal
import sys

counts = {}


class Stop(Exception):
    pass


def stop(number, frame):
    raise Stop


def a():
    counts["a"] += 1


def self_calling(n):
    counts["self_calling"] += 1
    if n:
        self_calling(n - 1)


def outer(n):
    counts["outer"] += 1
    inner(n)


def inner(n):
    counts["inner"] += 1
    if n:
        outer(n - 1)


def after():
    counts["after"] += 1


def drive_a(times):
    for _ in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)     # once
            while True:
                a()
        except Stop:
            pass
    after()


def drive_self_calling(times):
    for _ in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while True:
                self_calling(8)
        except Stop:
            pass
    after()


def drive_outer(times):
    for _ in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while True:
                outer(4)
        except Stop:
            pass
    after()


def main(times):
    for name in "a", "self_calling", "outer", "inner", "after":
        counts[name] = 0
    signal.signal(signal.SIGALRM, stop)
    drive_a(times)
    drive_self_calling(times)
    drive_outer(times)
    print(*("%s=%d" % pair for pair in sorted(counts.items())))


if __name__ == "__main__":
    main(int(sys.argv[1]))
