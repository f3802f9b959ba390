# SPDX-License-Identifier: MIT
"""Random programs whose calls a signal's handler ends by raising.  cProfile gets
those wrong, so that each program counts its calls itself.

    source = generate(seed)
    check(seed, totals)         lines that say what differs

A signal is tripped in code of C (_thread.interrupt_main), which then calls a
function: its handler runs at that function's first instruction, or where a
generator goes on.  That repeats exactly.  Then the program runs with a timer,
whose signals come at any moment, and calls are counted to within the number of
those.

A call that has begun is counted by its first statement.  For one that was ended
before, the handler makes a note.  3.9, 3.10 and 3.12 announce a call before they
look for signals, 3.11 and those from 3.13 on after it: there is no event of such
a call.
"""

import _thread
import random
import signal
import sys

import compare

KIND = 11                       # of each 20 programs this one is of this kind
ANNOUNCED = sys.version_info[:2] in ((3, 9), (3, 10), (3, 12))
TIMED = 20                      # runs of a program with a timer

PRELUDE = '''\
import collections, itertools, signal
from itertools import starmap

begun = collections.defaultdict(int)
early = collections.defaultdict(int)
stops = []
nothing = ((),)


class Stop(Exception):
    pass


class Thrown(Exception):
    pass


def handler(number, frame):
    stops.append(1)
    if frame.f_locals.get("away", frame.f_code.co_name[0] in "fg"):
        early[frame.f_back.f_code.co_name, frame.f_code.co_name] += 1
    raise Stop


def trip(f):
    """Call @f from C, where a signal has just arrived."""
    next(zip(starmap(interrupt, nothing), map(f, ("trip",))))


def after(caller):
    begun[caller, "after"] += 1


def timed(seconds):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            main()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop:
        pass

'''


class Program:
    def __init__(self, seed):
        self.rng = r = random.Random("proflite interrupted %d" % seed)
        self.funcs = ["f%d" % i for i in range(r.randint(2, 5))]
        self.gens = ["g%d" % i for i in range(r.randint(1, 3))]
        self.lines = PRELUDE.splitlines()

    def emit(self, level, *lines):
        self.lines += ["    " * level + line for line in lines]

    def call(self, level, name):
        """A few lines that call something from @name."""
        # A generator that resumes one of its own code: see doc/cprofile.md.
        gens = [g for g in self.gens if name[0] != "g" or g > name]
        form = self.rng.randrange(6 if gens else 3)
        if form < 2:
            return self.emit(level, "%s(%r)" % (self.rng.choice(self.funcs),
                                                name))
        if form == 2:
            return self.emit(level, "trip(%s)" % self.rng.choice(self.funcs))
        g = self.rng.choice(gens)
        if form == 3:
            return self.emit(level, "for x in %s(): pass" % g)
        self.emit(level, "made = %s()" % g, "next(made, 0)", self.rng.choice((
            "next(zip(starmap(interrupt, nothing), made), 0)", "made.close()",
            "thrown(made)")))

    def guarded(self, level, name):
        if self.rng.random() < 0.4:
            return self.call(level, name)
        self.emit(level, "try:")
        self.call(level + 1, name)
        self.emit(level, "except Stop:")
        self.emit(level + 1, "after(%r)" % name)

    def function(self, name):
        self.emit(0, "def %s(caller):" % name)
        self.emit(1, "global fuel", "begun[caller, %r] += 1" % name,
                  "away = 0", "fuel -= 1", "if fuel < 0: return 1")
        for _ in range(self.rng.randint(1, 3)):
            self.guarded(1, name)
        self.emit(1, "return 1", "")

    def generator(self, name):
        """After a handler has raised in its yield it calls nothing: who resumed
        it is taken for the caller then."""
        self.emit(0, "def %s():" % name)
        self.emit(1, "global fuel", "begun[None, %r] += 1" % name)
        for _ in range(self.rng.randint(1, 3)):
            self.emit(1, "away = 0", "fuel -= 1", "if fuel < 0: return")
            self.guarded(1, name)
            self.emit(1, "away = 1", "try:", "    yield 1")
            self.emit(1, "except (Thrown, GeneratorExit):")
            self.emit(2, "begun[None, %r] += 1" % name,
                      self.rng.choice(("return", "raise")))
            if self.rng.random() < 0.5:
                self.emit(1, "except Stop:", "    return")
            self.emit(1, "begun[None, %r] += 1" % name)
        self.emit(0, "")

    def text(self):
        self.emit(0, "def thrown(g):", "    try:", "        g.throw(Thrown)",
                  "    except (Thrown, StopIteration):", "        pass", "")
        for name in self.funcs:
            self.function(name)
        for name in self.gens:
            self.generator(name)
        self.emit(0, "def main():")
        self.emit(1, "global fuel")
        for _ in range(self.rng.randint(2, 4)):
            self.emit(1, "fuel = %d" % self.rng.randint(10, 60), "try:")
            self.call(2, "main")
            self.emit(1, "except Stop:", "    pass")
        self.emit(1, "after('main')", "")
        return "\n".join(self.lines) + "\n"


def is_one(seed):
    return seed % 20 == KIND


def generate(seed):
    return Program(seed).text()


def record(seed, code, calls, builtins):
    """Run @calls(namespace) and return that and the rows of its functions."""
    import proflite             # whoever prints a program needs none
    namespace = {"__name__": "program", "interrupt": _thread.interrupt_main}
    exec(code, namespace)
    prof = proflite.Profile(builtins=builtins)
    before = {number: signal.signal(number, namespace["handler"])
              for number in (signal.SIGINT, signal.SIGALRM)}
    prof.enable()
    try:
        calls(namespace)
    finally:
        prof.disable()
        for number, handler in before.items():
            signal.signal(number, handler)
    return namespace, *compare.rows_of(prof.getstats())


def summed(counts, by_caller):
    """Calls of functions, or, of those that are no generators, by caller."""
    found = {}
    for (caller, name), n in counts.items():
        if name[0] != "g" or not by_caller:
            key = (caller, name) if by_caller else name
            found[key] = found.get(key, 0) + n
    return {key: n for key, n in found.items() if n}


def found_calls(rows, edges, by_caller):
    counts = {(None, key[2]): row.calls for key, row in rows.items()
              if key[0] != "~"}
    if by_caller:
        counts = {(caller[2], callee[2]): row.calls
                  for (caller, callee), row in edges.items()}
    return {key: n for key, n in summed(counts, by_caller).items()
            if (key[1] if by_caller else key)[0] in "fg" or "after" in key}


def compare_calls(what, namespace, found, by_caller, slack):
    begun = summed(namespace["begun"], by_caller)
    early = summed(namespace["early"], by_caller) if ANNOUNCED else {}
    lines = []
    for key in sorted(set(begun) | set(early) | set(found), key=str):
        least = begun.get(key, 0) + (0 if slack else early.get(key, 0))
        n = found.get(key, 0)
        if not least <= n <= least + slack:
            lines.append("%s: %s: %d calls of %d, or up to %d more" % (
                what, key, n, least, slack))
    return lines


def check(seed, totals):
    code = compile(generate(seed), "i%d" % seed, "exec")
    rng = random.Random(seed)
    delays = [rng.uniform(1e-5, 5e-4) for _ in range(TIMED)]
    found = []
    for what, calls in (
            ("tripped", lambda namespace: namespace["main"]()),
            ("timed", lambda namespace: [namespace["timed"](delay)
                                         for delay in delays])):
        for builtins in False, True:
            namespace, *rows = record(seed, code, calls, builtins)
            stops = len(namespace["stops"])
            totals["stops"] += stops
            totals["calls"] += sum(row.calls for row in rows[0].values())
            # With functions of C between them, those are the callers.
            for by_caller in (False,) if builtins else (False, True):
                found += compare_calls(
                    what, namespace, found_calls(*rows, by_caller), by_caller,
                    stops if what == "timed" else 0)
    return found
