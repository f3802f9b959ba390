# SPDX-License-Identifier: MIT
"""One kind of call in a loop: what a profiler adds to it can be read off.

As a benchmark file of pyperformance; its argument is the kind of call.
"""

import sys

import pyperf

STEPS = 10000


def empty():
    pass


def call(n):
    for _ in range(n):
        empty()


def builtin(n):
    for _ in range(n):
        abs(1)


def append(n):
    add = [].append
    for _ in range(n):
        add(1)


def method(n):
    items = []
    for _ in range(n):
        items.append(1)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def recursion(n):
    fib(19)                     # 13529 calls


def generator(n):
    for _ in (i for i in range(n)):
        pass


class Thing:
    def __init__(self):
        pass


def instance(n):
    for _ in range(n):
        Thing()


KINDS = {f.__name__: f for f in (call, builtin, append, method, recursion,
                                 generator, instance)}


def seconds_of(loops, kind):
    t0 = pyperf.perf_counter()
    for _ in range(loops):
        kind(STEPS)
    return pyperf.perf_counter() - t0


if __name__ == "__main__":
    pyperf.Runner().bench_time_func(sys.argv[1], seconds_of,
                                    KINDS[sys.argv[1]])
