# SPDX-License-Identifier: MIT
"""One measurement: a program, under a tool, in a process of its own.

	child.py SPEC		SPEC: JSON, see below; the answer goes to spec.answer

The tool is on while the program's benchmark functions run, and not while the
program is loaded.  Each function is run once for warming up (interpreters
specialise their code, profilers see their functions for the first time), then
`repeats` times; the fastest counts.  With `instrument` callgrind counts one run
and nothing else.
"""

import json
import os
import resource
import sys
import time
import types

spec = json.loads(sys.argv[1])
sys.path[:0] = spec["path"]

from tools import TOOLS


def load(file, args):
    """Run a benchmark file, which leaves its functions with the Runner."""
    import pyperf

    if spec["cpu_time"]:
        pyperf.perf_counter = time.thread_time
    sys.argv = [file, *args]
    sys.path.insert(0, os.path.dirname(file))
    main = types.ModuleType("__main__")
    main.__file__ = file
    sys.modules["__main__"] = main
    with open(file, encoding="utf-8") as f:
        exec(compile(f.read(), file, "exec"), main.__dict__)
    return main.__dict__, pyperf.benchmarks


def instrument(on):
    if spec["instrument"]:
        import floor
        floor.instrument(on)


def run(tool, benchmarks):
    seconds = 0
    for _, seconds_of in benchmarks:
        times = []
        for repeat in range(spec["warmups"] + spec["repeats"]):
            tool.start()
            if repeat == spec["warmups"]:
                instrument(True)
            times.append(seconds_of(spec["loops"]))
            instrument(False)
            tool.stop()
        seconds += min(times[spec["warmups"]:])
    return seconds


def peak_kb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    answer = {}
    program, benchmarks = load(spec["file"], spec["args"])
    try:
        tool = TOOLS[spec["tool"]](spec["folder"], program)
    except ImportError as e:
        answer["missing"] = str(e)
    else:
        answer["seconds"] = run(tool, benchmarks)
        answer["kb"] = peak_kb()
        if spec["tool"] == "count":
            answer["calls"] = tool.calls()
        if spec["finish"]:
            t0 = time.perf_counter()
            written = tool.finish()
            answer["finish"] = time.perf_counter() - t0
            answer["bytes"] = sum(os.path.getsize(p) for p in written)
    with open(spec["answer"], "w") as f:
        json.dump(answer, f)


main()
os._exit(0)                     # what a tool does at exit is not measured
