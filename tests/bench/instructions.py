# SPDX-License-Identifier: MIT
"""Count the instructions that a profiler adds to a call, under callgrind.

Only one run of the program's functions is counted, after one that is not.
That repeats to a fraction of an instruction a call, so a change of one
instruction on the hot path is seen on the noisiest machine.  What an
instruction costs is not: for that there is the time (mode overhead)."""

import os
import re
import shutil
import sys

import common
import overhead
import prepare
from common import table

PROGRAMS = ("call", "builtin", "append", "method", "recursion", "generator",
            "instance", "deltablue", "hexiom", "json_dumps", "logging",
            "richards")
TOOLS = ("bare", "floor", "proflite", "cProfile", "floor-py", "proflite-py")


def parse(argv):
    p = common.parser(__doc__)
    p.add_argument("--programs", type=overhead.split, metavar="LIST",
                   default=PROGRAMS, help="default: %s" % " ".join(PROGRAMS))
    p.add_argument("--tools", type=overhead.split, metavar="LIST",
                   default=TOOLS, help="default: %s" % " ".join(TOOLS))
    p.add_argument("--keep", metavar="DIR",
                   help="leave callgrind's files there, for "
                        "callgrind_annotate")
    args = p.parse_args(argv)
    args.programs = overhead.choose(args.programs, False)
    args.cpu_time = False
    args.tools = ("bare",) + tuple(t for t in args.tools if t != "bare")
    return args


class Counter(overhead.Bench):
    """The same children, with callgrind in front."""

    def count(self, program, tool):
        out = "/dev/null"
        if self.args.keep:
            out = "%s/%s-%s-%s" % (os.path.abspath(self.args.keep),
                                   self.python.name, program.name, tool)
        self.setup.prefix = [
            "setarch", "--addr-no-randomize", "valgrind", "--tool=callgrind",
            "--instr-atstart=no", "--callgrind-out-file=" + out]
        answer = self.run(program, tool, loops=1, warmups=1, repeats=1,
                          instrument=True)
        self.setup.prefix = []
        if not answer:
            return None
        return int(re.search(r"Collected *: *(\d+)", answer["stderr"])[1])

    def measure(self, progress):
        self.counted = {}       # (program, tool) -> instructions
        for program in self.args.programs:
            one = self.run(program, "count", loops=1, warmups=0, repeats=1)
            two = self.run(program, "count", loops=2, warmups=0, repeats=1)
            if one and two:
                self.calls[program.name] = {
                    kind: two["calls"][kind] - one["calls"][kind]
                    for kind in one["calls"]}
            for tool in self.args.tools:
                progress.step("%s %s %s" % (self.python.name, program.name,
                                            tool))
                n = self.count(program, tool)
                if n:
                    self.counted[program.name, tool] = n

    def report(self):
        print("\n## Python %s\n\nInstructions added a call (tools named -py: a "
              "call of a Python function)\n" %
              ".".join(map(str, self.python.version)))
        rows = []
        for p in self.args.programs:
            calls = self.calls.get(p.name)
            bare = self.counted.get((p.name, "bare"))
            if not calls or not bare:
                continue
            row = [p.name, "%d" % (calls["python"] + calls["c"]),
                   "%d" % bare]
            for tool in self.args.tools[1:]:
                n = calls["python"] + (0 if tool.endswith("-py")
                                       else calls["c"])
                more = self.counted.get((p.name, tool))
                row.append("%.1f" % ((more - bare) / n) if more and n > 1
                           else "-")
            rows.append(row)
        table(["program", "calls", "instructions, bare"] +
              list(self.args.tools[1:]), rows)
        overhead.print_trouble(self)


def main(argv):
    args = parse(argv)
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing: install valgrind")
    setup = common.Setup(args)
    interpreters = common.interpreters(args.python)
    prepare.prepare(setup, interpreters)
    common.print_command("instructions", argv)
    progress = common.Progress(len(args.programs) * len(args.tools) *
                               len(interpreters))
    for python in interpreters:
        counter = Counter(args, setup, python)
        counter.measure(progress)
        progress.end()
        counter.report()
    return 0
