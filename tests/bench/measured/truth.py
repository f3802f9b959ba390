# SPDX-License-Identifier: MIT
"""One measurement whose true answer is known, in a process of its own.

	truth.py SPEC		SPEC: JSON; the answer goes to spec.answer

	bias	two functions that do the same, one of them by calls; SHARE per
		cent of the time are the calls'
	cause	three functions, one of which spins SPIN microseconds a call
	closure	a tree of calls SHARE deep, each of which makes SPIN
	sleep	threads and coroutines that sleep

Answers what the tool says of each function, as {name: [calls, own, total]} in
seconds, and what is true as far as it can be measured from outside.
"""

import asyncio
import json
import os
import sqlite3
import sys
import threading
from time import perf_counter, perf_counter_ns, sleep

spec = json.loads(sys.argv[1])
sys.path[:0] = spec["path"]

import tools


# ------------------------------------------------- what a profile says --

def of_cprofile(tool):
    rows = {}
    for e in tool.profile.getstats():
        name = e.code if isinstance(e.code, str) else e.code.co_name
        old = rows.get(name, (0, 0, 0))
        rows[name] = (old[0] + e.callcount, old[1] + e.inlinetime,
                      old[2] + e.totaltime)
    return rows


def of_proflite(tool, prefix=""):
    db = sqlite3.connect(tool.finish()[0])
    tool.taken_out, = db.execute(
        "select sum((s.calls + s.resumes) * iif(f.kind = 'python', "
        "p.cost_py_in_ns + p.cost_py_out_ns, p.cost_c_in_ns + p.cost_c_out_ns))"
        " / 1e9 from function_stats s join functions f on f.id = s.function_id "
        "join threads t on t.id = s.thread_id "
        "join processes p on p.id = t.process_id").fetchone()
    return {name: row for name, *row in db.execute(
        "select function, sum(ncalls), sum(%stottime), sum(%scumtime) "
        "from pstats group by 1" % (prefix, prefix))}


def compensated(tool):
    return of_proflite(tool, "comp_")


def of_yappi(tool):
    rows = {}
    for s in tool.yappi.get_func_stats():
        name = s.name.split(".")[-1]
        old = rows.get(name, (0, 0, 0))
        rows[name] = (old[0] + s.ncall, old[1] + s.tsub, old[2] + s.ttot)
    return rows


def of_viztracer(tool):
    """It keeps events; own times are not in them."""
    with open(tool.finish()[0]) as f:
        events = json.load(f)["traceEvents"]
    rows = {}
    for e in events:
        if e["ph"] == "X":
            name = e["name"].split(" ")[0].split(".")[-1]
            old = rows.get(name, (0, 0, 0))
            rows[name] = (old[0] + 1, None, old[2] + e["dur"] / 1e6)
    return rows


# A tool that says nothing is answered by what run() says itself.
READERS = {"cProfile": of_cprofile, "proflite": of_proflite,
           "compensated": compensated, "yappi": of_yappi, "viztracer": of_viztracer}


def profiled(run):
    """What the tool says of run(), and how long that took."""
    name = spec["tool"].replace("compensated", "proflite")
    tool = tools.TOOLS[name](spec["folder"], {})
    tool.start()
    t0 = perf_counter()
    rows = run()
    seconds = perf_counter() - t0
    tool.stop()
    if spec["tool"] in READERS:
        rows = READERS[spec["tool"]](tool)
    return {"rows": rows, "seconds": seconds,
            "taken_out": getattr(tool, "taken_out", 0)}


# ---------------------------------------------------------- experiments --

def body(x):
    a = x + 1
    b = a ^ 3
    c = b * 2
    return c - x


def with_call(n):
    for i in range(n):
        body(i)


def inlined(n):
    for x in range(n):
        a = x + 1
        b = a ^ 3
        c = b * 2
        c - x


def timed(f, n):
    t0 = perf_counter()
    f(n)
    return perf_counter() - t0


def bias():
    some = 100000
    timed(with_call, some), timed(inlined, some)
    a = min(timed(with_call, some) for _ in range(3)) / some
    b = min(timed(inlined, some) for _ in range(3)) / some
    total, share = 0.2, spec["share"] / 100
    n, m = int(total * share / a), int(total * (1 - share) / b)

    def truth():
        return timed(with_call, n), timed(inlined, m)

    def run():
        return {"with_call": (n, 0, timed(with_call, n)),
                "inlined": (m, 0, timed(inlined, m))}

    first = truth()
    answer = profiled(run)
    second = truth()
    answer["truth"] = [(x + y) / 2 for x, y in zip(first, second)]
    answer["drift"] = abs(sum(second) / sum(first) - 1)
    return answer


def cause():
    calls, us = 2000, spec["spin"]
    # The spin is a loop and does not ask the clock: that is a call, whose time
    # is another function's.
    turns = ()

    def fast(n):
        return sum([n, 1])

    def slow(n):
        for _ in turns:
            pass
        return n

    def other(n):
        return [n, n]

    def repeat(n):
        for i in range(n):
            slow(i)

    def us_a_call():
        return min(timed(repeat, 200) for _ in range(5)) / 200 * 1e6

    def run():
        for i in range(calls):
            fast(i)
            slow(i)
            other(i)

    def drift():
        return abs((us_a_call() - empty) / us - 1) if us else 0

    us_a_call()
    empty = us_a_call()
    turns = (None,) * 1000
    turns = (None,) * round(us * 1000 / (us_a_call() - empty))
    first = drift()
    answer = dict(profiled(run), calls=calls)
    answer["drift"] = max(first, drift())
    return answer


def closure():
    depth, fanout = spec["share"], spec["spin"]
    sys.setrecursionlimit(depth + 200)

    numbers = tuple(range(50))

    def leaf():
        return sum(numbers)

    def down(n):
        for _ in range(fanout):
            leaf()
        if n > 1:
            down(n - 1)

    def run():
        for _ in range(max(1, 20000 // (depth * fanout))):
            down(depth)

    def truth():
        t0 = perf_counter()
        run()
        return perf_counter() - t0

    truth()
    first = min(truth() for _ in range(3))
    answer = profiled(run)
    second = min(truth() for _ in range(3))
    answer["truth"] = (first + second) / 2
    answer["drift"] = abs(second / first - 1)
    return answer


def sleeps():
    async def waits():
        await asyncio.sleep(0.01)

    async def many():
        await asyncio.gather(*(waits() for _ in range(100)))

    def naps():
        sleep(0.05)

    def run():
        threads = [threading.Thread(target=naps) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        asyncio.run(many())
    return profiled(run)


answer = {"bias": bias, "cause": cause, "closure": closure,
          "sleep": sleeps}[spec["what"]]()
with open(spec["answer"], "w") as f:
    json.dump(answer, f)
os._exit(0)                     # what a tool does at exit is not measured
