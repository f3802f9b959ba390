# SPDX-License-Identifier: MIT
"""Stands in for pyperf, so that pyperformance's files run as they are.

A benchmark file ends by handing its functions to a Runner.  pyperf's starts a
process for each figure; this one only keeps the functions, and the process
that has loaded the file (child.py) calls them.  It may also put another clock
in the place of perf_counter.
"""

import argparse
import asyncio
from time import perf_counter

__all__ = ["Runner", "perf_counter", "python_implementation"]

benchmarks = []                 # (name, seconds_of(loops))


def python_implementation():
    return "cpython"


class Runner:
    def __init__(self, add_cmdline_args=None, **unused):
        self.metadata = {}
        self.argparser = argparse.ArgumentParser()
        self.args = None

    def parse_args(self, args=None):
        if self.args is None:
            self.args = self.argparser.parse_args(args)
        return self.args

    def bench_func(self, name, func, *args, inner_loops=None, metadata=None):
        def seconds_of(loops):
            t0 = perf_counter()
            for _ in range(loops):
                func(*args)
            return perf_counter() - t0
        benchmarks.append((name, seconds_of))

    def bench_time_func(self, name, func, *args, inner_loops=None,
                        metadata=None):
        benchmarks.append((name, lambda loops: func(loops, *args)))

    def bench_async_func(self, name, func, *args, inner_loops=None,
                         metadata=None, loop_factory=None):
        async def seconds_of(loops):
            t0 = perf_counter()
            for _ in range(loops):
                await func(*args)
            return perf_counter() - t0
        benchmarks.append((name, lambda loops: asyncio.run(seconds_of(loops))))
