# SPDX-License-Identifier: MIT
"""What do the plugin of pytest and the middlewares cost?

Sessions of pytest run the tests that two libraries have with them: without
us; with the plugin, which is asked for nothing; with --proflite; under
pytest-profiling, which is cProfile around each test; and as a whole under
cProfile.  Their CPU seconds are compared, from the beginning of collection to
the end, with databases that are written and reports that are printed.

An application of WSGI and one of ASGI answer requests, in process: bare; with
the middleware, but none chosen; with one in 100 profiled; with every one
profiled; and under cProfile, with a file for each.  Their CPU seconds are
compared; what a disk takes for a database comes on top.

Each is a process of its own; they take turns.  Ratios are of one round; medians
of the rounds are printed, and half of the distance between their quartiles."""

import json

import common
import prepare
from common import cell, median, table

SUITES = {
    "toolz": ["toolz"],
    "mpmath": ["mpmath.tests.test_" + name for name in (
        "basic_ops", "bitwise", "convert", "division", "linalg", "matrices",
        "power", "special", "summation", "trig")],
}
TOOLS = ("bare", "plugin", "proflite", "pytest-profiling", "cProfile")

ROWS = (10, 1000)
MODES = ("bare", "not chosen", "1 in 100", "every", "cProfile")


def parse(argv):
    p = common.parser(__doc__)
    common.add_json(p)
    p.add_argument("--rounds", type=int, default=5, metavar="N",
                   help="default: %(default)s")
    p.add_argument("--requests", type=int, default=500, metavar="N",
                   help="requests of a run (default: %(default)s)")
    return p.parse_args(argv)


class Rounds:
    """Runs that take turns, and what came out: {tool: [answer]}."""

    def __init__(self, name, tools, rounds, measure):
        self.name = name
        self.answers = {tool: [] for tool in tools}
        for i in range(rounds):
            at = i % len(tools)
            for tool in tools[at:] + tools[:at]:
                self.answers[tool].append(measure(tool))

    def trouble(self):
        return {tool: answer["failed"].splitlines()[-1]
                for tool, answers in self.answers.items()
                for answer in answers if "failed" in answer}

    def pairs(self, tool):
        """Answers under @tool and bare, of each round that has both."""
        return [(a, b) for a, b in zip(self.answers.get(tool, ()),
                                       self.answers["bare"])
                if "failed" not in a and "failed" not in b]

    def ratios(self, tool):
        return [a["seconds"] / b["seconds"] for a, b in self.pairs(tool)]

    def added(self, tool, scale):
        return [(a["seconds"] - b["seconds"]) / b["units"] * scale
                for a, b in self.pairs(tool)]

    def bare(self, scale):
        """How many units there are, and what one takes."""
        bare = [b for _, b in self.pairs("bare")]
        return [max([b["units"] for b in bare], default=0),
                "%.1f" % median([b["seconds"] / b["units"] * scale
                                 for b in bare])]


def report(all, tools, what, unit, scale):
    """@what: the units that are counted; each is told in @unit, of which a
    second has @scale."""
    for rounds in all:
        for tool, why in rounds.trouble().items():
            print("%s: %s: not measured: %s" % (rounds.name, tool, why))
    print("\nCPU time, as a multiple of the bare run's\n")
    table(["", what, "bare, %s each" % unit, *tools[1:]],
          [[r.name, *r.bare(scale), *(cell(r.ratios(t)) for t in tools[1:])]
           for r in all])
    print("\nCPU time that is added, %s each\n" % unit)
    table(["", *tools[1:]],
          [[r.name, *(cell(r.added(t, scale), 1) for t in tools[1:])]
           for r in all])


def run(name, tools, args, progress, measure):
    def one(tool):
        progress.step("%s %s" % (name, tool))
        return measure(tool)
    return Rounds(name, tools, args.rounds, one)


def sessions(setup, python, args, progress):
    site = str(prepare.install_pytest(setup, python))
    all = [run(name, TOOLS, args, progress, lambda tool: setup.measure(
        python, "session.py", site=site, tool=tool, tests=tests))
        for name, tests in SUITES.items()]
    progress.end()
    report(all, TOOLS, "tests", "ms", 1e3)
    return all


def requests(setup, python, args, progress):
    # cProfile and tasks that take turns do not go together.
    kinds = {"WSGI": MODES, "ASGI": MODES[:-1]}
    all = [run("%s, %d rows" % (kind, rows), modes, args, progress,
               lambda tool: setup.measure(
                   python, "serving.py", tool=tool, kind=kind, rows=rows,
                   requests=args.requests))
           for kind, modes in kinds.items() for rows in ROWS]
    progress.end()
    report(all, MODES, "requests", "µs", 1e6)
    return all


def main(argv):
    args = parse(argv)
    setup = common.Setup(args)
    interpreters = common.interpreters(args.python)
    setup.work.mkdir(parents=True, exist_ok=True)
    common.print_command("frameworks", argv)
    progress = common.Progress(len(interpreters) * args.rounds * (
        len(SUITES) * len(TOOLS) + len(ROWS) * (2 * len(MODES) - 1)))
    raw = {}
    for python in interpreters:
        print("\n## Python %s" % ".".join(map(str, python.version)))
        raw[python.name] = {
            rounds.name: rounds.answers for measured in (sessions, requests)
            for rounds in measured(setup, python, args, progress)}
        if args.json:
            args.json.write_text(json.dumps(raw, indent=1))
    return 0
