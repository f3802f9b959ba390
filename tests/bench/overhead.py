# SPDX-License-Identifier: MIT
"""How much slower programs get under each profiler.

Every figure is a ratio to the bare run of the same round: the tools take turns
on a program, each in a fresh process on the same core, so that what changes
in the machine changes both.  The median of the rounds is printed, ± half of
the distance between the quartiles."""

import json
import os
import sys
from typing import NamedTuple

import common
import prepare
from common import cell, geomean, median, table


class Program(NamedTuple):
    name: str
    file: str                   # below pyperformance's benchmarks, or ours
    args: tuple = ()


def pyperformance(name, *args, folder=None):
    return Program(name, "bm_%s/run_benchmark.py" % (folder or name), args)


MICRO = [Program(kind, "micro.py", (kind,)) for kind in
         ("call", "builtin", "append", "method", "recursion", "generator",
          "instance")]

PROGRAMS = [
    pyperformance("async_tree", "none"),
    pyperformance("chaos"),
    pyperformance("coroutines"),
    pyperformance("deepcopy"),
    pyperformance("deltablue"),
    pyperformance("docutils"),
    pyperformance("fannkuch"),
    pyperformance("float"),
    pyperformance("generators"),
    pyperformance("go"),
    pyperformance("hexiom"),
    pyperformance("json_dumps"),
    pyperformance("json_loads"),
    pyperformance("logging"),
    pyperformance("nbody"),
    pyperformance("pickle_pure_python", "--pure-python", "pickle",
                  folder="pickle"),
    pyperformance("pyflate"),
    pyperformance("raytrace"),
    pyperformance("regex_compile"),
    pyperformance("richards"),
    pyperformance("scimark"),
    pyperformance("spectral_norm"),
    pyperformance("sqlglot", "transpile", folder="sqlglot_v2"),
    pyperformance("telco"),
    pyperformance("unpack_sequence"),
]

FEW = 1000      # calls among which what one adds is lost in the noise

QUICK = ("deltablue", "go", "hexiom", "json_dumps", "logging", "nbody",
         "raytrace", "richards")

TOOLS = ("bare", "floor", "clock", "proflite", "cProfile", "floor-py",
         "clock-py", "proflite-py", "cProfile-py", "proflite-cpu", "yappi",
         "viztracer", "trace0", "pyinstrument", "line_profiler")
QUICK_TOOLS = ("bare", "floor", "clock", "proflite", "cProfile", "floor-py",
               "proflite-py")


def split(text):
    return tuple(text.replace(",", " ").split())


def parse(argv):
    p = common.parser(__doc__)
    common.add_json(p)
    p.add_argument("--quick", action="store_true",
                   help="few programs, tools and rounds, in about two minutes "
                        "an interpreter")
    p.add_argument("--programs", type=split, metavar="LIST",
                   help="only these; `micro' for the loops, `all' for the "
                        "programs")
    p.add_argument("--tools", type=split, metavar="LIST",
                   help="only these (and bare)")
    p.add_argument("--rounds", type=int, metavar="N",
                   help="default: 7, or 3 with --quick")
    p.add_argument("--seconds", type=float, metavar="S",
                   help="how long a bare run takes (default: 0.2, or 0.04 with "
                        "--quick)")
    p.add_argument("--cpu-time", action="store_true",
                   help="measure the CPU time of the thread and not the time "
                        "that passes: for a machine that is busy")
    args = p.parse_args(argv)
    args.rounds = args.rounds or (3 if args.quick else 7)
    args.seconds = args.seconds or (0.04 if args.quick else 0.2)
    args.tools = args.tools or (QUICK_TOOLS if args.quick else TOOLS)
    args.tools = ("bare",) + tuple(t for t in args.tools if t != "bare")
    args.programs = choose(args.programs, args.quick)
    return args


def choose(names, quick):
    every = {p.name: p for p in MICRO + PROGRAMS}
    if not names:
        return MICRO + [p for p in PROGRAMS if not quick or p.name in QUICK]
    chosen = []
    for name in names:
        if name in ("micro", "all"):
            chosen += MICRO if name == "micro" else PROGRAMS
        elif name in every:
            chosen.append(every[name])
        else:
            sys.exit("%s: no such program; there are: micro all %s" % (
                name, " ".join(every)))
    return chosen


# -------------------------------------------------------------- measuring --

class Bench:
    def __init__(self, args, setup, python):
        self.args, self.setup, self.python = args, setup, python
        self.loops, self.calls = {}, {}
        # (program, tool) -> one answer a round, None where there was none
        self.answers = {}
        self.trouble = {}       # (program, tool) -> why

    def run(self, program, tool, **spec):
        file = program.file
        folder = common.HERE / "measured" if file == "micro.py" \
            else self.setup.programs
        settings = {"loops": self.loops.get(program.name, 1), "warmups": 1,
                    "repeats": 3, "finish": False,
                    "cpu_time": self.args.cpu_time, "instrument": False}
        settings.update(spec)
        answer = self.setup.measure(
            self.python, "child.py", tool=tool, file=str(folder / file),
            args=program.args, **settings)
        why = answer.get("failed") or answer.get("missing")
        if why:
            self.trouble[program.name, tool] = why.splitlines()[-1]
            return None
        return answer

    def calibrate(self, program):
        """How many loops last long enough, and how many calls one makes."""
        loops = 1
        while True:
            answer = self.run(program, "bare", loops=loops, repeats=1)
            if not answer:
                return False
            seconds = max(answer["seconds"], 1e-6)
            if seconds > self.args.seconds * 0.6 or loops > 1 << 20:
                break
            loops = max(loops * 2, int(loops * min(
                self.args.seconds / seconds, 64)))
        self.loops[program.name] = loops
        one = self.run(program, "count", loops=1, warmups=0, repeats=1)
        two = self.run(program, "count", loops=2, warmups=0, repeats=1)
        if one and two:
            self.calls[program.name] = {
                kind: (two["calls"][kind] - one["calls"][kind]) * loops
                for kind in one["calls"]}
        return True

    def measure(self, progress):
        usable = [p for p in self.args.programs if self.calibrate(p)]
        absent = set()          # what is not installed is asked for once
        for i in range(self.args.rounds):
            for program in usable:
                tools = [t for t in self.args.tools if t not in absent]
                at = i % len(tools)
                for tool in tools[at:] + tools[:at]:
                    progress.step("%s %s %s" % (self.python.name, program.name,
                                                tool))
                    answer = self.run(program, tool, finish=i == 0)
                    self.answers.setdefault((program.name, tool),
                                            []).append(answer)
                    why = self.trouble.get((program.name, tool), "")
                    if why.startswith("No module"):
                        absent.add(tool)
        self.usable = usable
        self.tools = [t for t in self.args.tools if t not in absent]

    # ------------------------------------------------------------ figures --

    def ratios(self, program, tool, base="bare"):
        """Time under @tool by time under @base, of each round that has both."""
        pairs = zip(self.answers[program, tool], self.answers[program, base])
        return [a["seconds"] / b["seconds"] for a, b in pairs if a and b]

    def added_ns(self, program, tool):
        calls = self.calls.get(program)
        n = calls and calls["python"] + (
            0 if tool.endswith("-py") or tool == "trace0" else calls["c"])
        if not n or n < FEW:
            return []
        pairs = zip(self.answers[program, tool], self.answers[program, "bare"])
        return [(a["seconds"] - b["seconds"]) / n * 1e9
                for a, b in pairs if a and b]

    def means(self, tool, base="bare"):
        """The geometric mean over the programs, of each round."""
        names = [p.name for p in self.usable if p.file != "micro.py"]
        means = []
        for i in range(self.args.rounds):
            pairs = [(self.answers[n, tool][i], self.answers[n, base][i])
                     for n in names]
            if pairs and all(a and b for a, b in pairs):
                means.append(geomean([a["seconds"] / b["seconds"]
                                      for a, b in pairs]))
        return means

    def shares(self, tool, base):
        """Added time as a share of @base's, from the means of each round."""
        return [(a - 1) / (b - 1) for a, b in zip(self.means(tool),
                                                  self.means(base))]


# --------------------------------------------------------------- printing --

def print_slowdowns(bench):
    rows = []
    for p in bench.usable:
        bare = [a["seconds"] * 1e3 for a in bench.answers[p.name, "bare"] if a]
        rows.append([p.name, "%.1f" % median(bare)] +
                    [cell(bench.ratios(p.name, t)) for t in bench.tools[1:]])
    if any(p.file != "micro.py" for p in bench.usable):
        rows.append(["**geometric mean**, programs", ""] +
                    [cell(bench.means(t)) for t in bench.tools[1:]])
    print("\nTime, as a multiple of the bare run's\n")
    table(["program", "bare ms"] + bench.tools[1:], rows)


def print_added(bench):
    print("\nAdded time a call, in ns (tools named -py and trace0: a call of a "
          "Python function)\n")
    rows = []
    for p in bench.usable:
        calls = bench.calls.get(p.name)
        if calls and calls["python"] + calls["c"] > FEW:
            rows.append([p.name] + [
                cell(bench.added_ns(p.name, t), 0) for t in bench.tools[1:]])
    table(["program"] + bench.tools[1:], rows)


GOALS = (  # tool, measured by, what of, goal
    ("proflite", "cProfile", "added time, as a share of cProfile's",
     lambda old: 0.5 if old else 0.25),
    ("proflite", "floor", "time, as a multiple of the floor's",
     lambda old: None if old else 1.15),
    ("proflite", "clock", "time, as a multiple of reading the clock alone",
     lambda old: None),
    ("proflite-py", "bare", "Python functions only: time, as a multiple of "
     "the bare run's", lambda old: None if old else 1.15),
    ("proflite-py", "floor-py", "the same, as a multiple of the floor's",
     lambda old: None),
    ("proflite-py", "clock-py", "the same, of reading the clock alone",
     lambda old: None),
    ("proflite-py", "trace0", "the same, as a multiple of trace0's",
     lambda old: None if old else 1.0),
)


def print_goals(bench):
    rows = []
    for tool, base, what, goal_of in GOALS:
        if tool not in bench.tools or base not in bench.tools:
            continue
        values = bench.shares(tool, base) if "share" in what else \
            bench.means(tool, base)
        goal = goal_of(bench.python.version < (3, 12))
        verdict = "" if goal is None or not values else \
            common.verdict(median(values), goal)
        rows.append([what, cell(values, 3), "%g" % goal if goal else "",
                     verdict])
    if rows:
        print("\nOver the programs, geometric means\n")
        table(["", "measured", "goal", ""], rows)


def print_costs(bench):
    print("\nMemory, disk and finish (median and largest over the programs)\n")
    rows = []
    for tool in bench.tools[1:]:
        kb, written, finish = [], [], []
        for p in bench.usable:
            bare = [a["kb"] for a in bench.answers[p.name, "bare"] if a]
            mine = [a for a in bench.answers[p.name, tool] if a]
            if bare and mine:
                kb.append((median([a["kb"] for a in mine]) - median(bare))
                          / 1024)
            written += [a["bytes"] / 1024 for a in mine if a.get("bytes")]
            finish += [a["finish"] * 1e3 for a in mine if a.get("bytes")]
        rows.append([tool] + ["%.1f / %.1f" % (median(v), max(v)) if v else "-"
                              for v in (kb, written, finish)])
    table(["tool", "peak memory added, MB", "written, KB", "finish, ms"], rows)


def print_trouble(bench):
    whole = {}
    for (program, tool), why in bench.trouble.items():
        whole.setdefault((tool, why), []).append(program)
    for (tool, why), programs in whole.items():
        some = ", ".join(programs) if len(programs) < 4 else "%d programs" % \
            len(programs)
        print("%s: %s: not measured: %s" % (tool, some, why))


def report(bench):
    print_slowdowns(bench)
    print_added(bench)
    print_goals(bench)
    print_costs(bench)
    print()
    print_trouble(bench)


def main(argv):
    args = parse(argv)
    setup = common.Setup(args)
    interpreters = common.interpreters(args.python)
    prepare.prepare(setup, interpreters)
    common.print_command("overhead", argv)
    progress = common.Progress(args.rounds * len(args.programs) *
                               len(args.tools) * len(interpreters))
    raw = {}
    for python in interpreters:
        bench = Bench(args, setup, python)
        bench.measure(progress)
        progress.end()
        print("\n## Python %s" % ".".join(map(str, python.version)))
        report(bench)
        raw[python.name] = {
            "loops": bench.loops, "calls": bench.calls,
            "answers": {"%s %s" % key: value
                        for key, value in bench.answers.items()}}
        if args.json:
            args.json.write_text(json.dumps(raw, indent=1))
    return 0
