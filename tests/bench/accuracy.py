# SPDX-License-Identifier: MIT
"""How wrong is a profile?  Four experiments whose answer is known.

A, function bias (after the Scalene paper, section 6.2): two functions do the
same, one of them by calling another in its loop.  Of what share of the time does
the profile say that it was that one's, where it is 5 to 90 per cent?  Summed up
as the odds ratio (said / not said) / (true / not true), which does not depend on
the share: 1 is no bias, 1.5 that calls seem half as dear again.

B, causality (after Mytkowicz and others, PLDI 2010): one function is made slower
by a known spin.  By how much does the profile say that it has become slower, and
by how much the other two, which have not?

C, closure: own times add up to the time that passed; compensated, they do with the
cost that was taken out, and without it to the time that passes when nobody profiles.

D, known sleeps, of four threads and a hundred coroutines.

The tools take turns; a run in which the truth has drifted is left out."""

import common
import prepare
from common import cell, median, table

SHARES = (5, 10, 25, 50, 75, 90)
# compensated: proflite's figures without its own cost; floor: what the two
# functions take under callbacks that do nothing
TOOLS = ("floor", "proflite", "compensated", "cProfile", "yappi", "viztracer")
SPIN = 20
RAW_GOAL, COMPENSATED_GOAL = 1.3, 0.05     # of the odds ratio
RAW_CLOSURE, COMPENSATED_CLOSURE = 1, 3    # per cent


def parse(argv):
    p = common.parser(__doc__)
    p.add_argument("--rounds", type=int, default=20, metavar="N",
                   help="default: %(default)s")
    p.add_argument("--drift", type=float, default=0.03, metavar="X",
                   help="by how much the truth may change within a run "
                        "(default: %(default)s)")
    p.add_argument("--only", default="ABCD", metavar="LETTERS",
                   help="of the experiments (default: %(default)s)")
    return p.parse_args(argv)


def verdict(tool, ratio):
    """Of the odds ratio, for those that have a goal."""
    if tool == "proflite":
        return common.verdict(ratio, RAW_GOAL)
    if tool == "compensated":
        return "reached" if abs(ratio - 1) <= COMPENSATED_GOAL else \
            "missed: off by %.2f" % (ratio - 1)
    return ""


class Accuracy:
    def __init__(self, setup, python, args):
        self.setup, self.python, self.args = setup, python, args
        self.trouble = {}
        self.dropped = 0

    def ask(self, tool, what, share=0, spin=0):
        answer = self.setup.measure(self.python, "truth.py", tool=tool,
                                    what=what, share=share, spin=spin)
        if "failed" in answer:
            self.trouble[tool, what] = answer["failed"].splitlines()[-1]
            return None
        return answer

    def left_out(self):
        """What an experiment has to say of itself."""
        n, self.dropped = self.dropped, 0
        return "%d runs left out" % n

    # ------------------------------------------------------------- A: bias --

    def bias(self, tool, share):
        answer = self.ask(tool, "bias", share)
        if not answer:
            return None
        if answer["drift"] > self.args.drift:
            self.dropped += 1
            return None
        true = answer["truth"]
        said = [answer["rows"][f][2] for f in ("with_call", "inlined")]
        return said[0] / sum(said) * 100, said[0] / said[1] / (
            true[0] / true[1])

    def print_bias(self):
        found = {(tool, share): [] for tool in TOOLS for share in SHARES}
        for _ in range(self.args.rounds):
            for share in SHARES:
                for tool in TOOLS:
                    one = self.bias(tool, share)
                    if one:
                        found[tool, share].append(one)
        rows = []
        for tool in TOOLS:
            ratios = [r for share in SHARES for _, r in found[tool, share]]
            if not ratios:
                continue
            rows.append([tool] + ["%.1f" % median([s for s, _ in
                                                   found[tool, share]])
                                  for share in SHARES] +
                        [cell(ratios), verdict(tool, median(ratios))])
        print("\nA: share of the time that is said to be the calling "
              "function's, in per cent, and the\nodds ratio (goals: proflite "
              "at most %g, compensated 1 +- %g); %s\n" % (
                  RAW_GOAL, COMPENSATED_GOAL, self.left_out()))
        table(["true share"] + list(map(str, SHARES)) + ["odds ratio", ""],
              rows)

    # -------------------------------------------------------- B: causality --

    def print_cause(self):
        rows = []
        for tool in TOOLS[1:]:
            pairs = []
            for _ in range(self.args.rounds):
                pair = [self.ask(tool, "cause", spin=s) for s in (0, SPIN)]
                if not all(pair):
                    continue
                if max(a["drift"] for a in pair) > self.args.drift:
                    self.dropped += 1
                else:
                    pairs.append(pair)
            # A tool that keeps no own times is asked for the total.
            deltas = {name: [] for name in ("slow", "fast", "other")}
            for before, after in pairs:
                for name, values in deltas.items():
                    column = 1 if before["rows"][name][1] is not None else 2
                    values.append((after["rows"][name][column] -
                                   before["rows"][name][column])
                                  / after["calls"] * 1e6)
            if pairs:
                rows.append([tool] + [cell(v) for v in deltas.values()])
        print("\nB: by how much a call has become slower, in us; true are %d, 0 "
              "and 0; %s\n" % (SPIN, self.left_out()))
        table(["", "slow", "fast", "other"], rows)

    # ---------------------------------------------------------- C: closure --

    def print_closure(self):
        shapes = [(d, f) for d in (1, 10, 100, 1000) for f in (1, 10)]
        goals = {"proflite": RAW_CLOSURE, "compensated": COMPENSATED_CLOSURE}
        bare = "compensated, of the bare run's"
        tools = [t for t in TOOLS if t not in ("floor", "viztracer")]
        found = {(line, shape): [] for line in tools + [bare]
                 for shape in shapes}
        for _ in range(self.args.rounds):
            for shape in shapes:
                for tool in tools:
                    a = self.ask(tool, "closure", *shape)
                    if not a:
                        continue
                    own = sum(r[1] for r in a["rows"].values())
                    extra = a["taken_out"] if tool == "compensated" else 0
                    found[tool, shape].append((own + extra) / a["seconds"]
                                              * 100)
                    if tool != "compensated":
                        continue
                    if a["drift"] > self.args.drift:
                        self.dropped += 1
                    else:
                        found[bare, shape].append(own / a["truth"] * 100)
        rows = []
        for line in tools[:2] + [bare] + tools[2:]:
            each = [found[line, shape] for shape in shapes]
            far = max((abs(median(v) - 100) for v in each if v), default=0)
            rows.append([line] + [cell(v, 1) for v in each] + [
                "" if line not in goals else "reached"
                if far <= goals[line] else "missed: off by %.1f" % far])
        print("\nC: sum of own times (compensated: and of the cost taken out), in "
              "per cent of the time\nthat passed, of trees by depth x calls a "
              "level (goals: within %g, compensated %g);\nwithout the cost taken "
              "out, of the time of a bare run; %s\n" % (
                  RAW_CLOSURE, COMPENSATED_CLOSURE, self.left_out()))
        table([""] + ["%dx%d" % s for s in shapes] + [""], rows)

    # ----------------------------------------------------------- D: sleeps --

    def print_sleeps(self):
        rows = []
        for tool in TOOLS[1:]:
            answer = self.ask(tool, "sleep")
            if answer:
                naps = answer["rows"].get("naps", (0, 0, 0))
                waits = answer["rows"].get("waits", (0, 0, 0))
                rows.append([tool, naps[0], "%.0f" % (naps[2] * 1000),
                             waits[0]])
        print("\nD: four threads that sleep 50 ms each, 100 coroutines that are "
              "awaited once each\n(proflite's ncalls are calls and resumes, as "
              "cProfile's)\n")
        table(["", "threads' calls", "ms", "coroutines' ncalls"], rows)


def main(argv):
    args = parse(argv)
    setup = common.Setup(args)
    interpreters = common.interpreters(args.python)
    prepare.prepare(setup, interpreters)
    common.print_command("accuracy", argv)
    for python in interpreters:
        print("\n## Python %s" % ".".join(map(str, python.version)))
        accuracy = Accuracy(setup, python, args)
        for letter, experiment in (
                ("A", accuracy.print_bias), ("B", accuracy.print_cause),
                ("C", accuracy.print_closure), ("D", accuracy.print_sleeps)):
            if letter in args.only.upper():
                experiment()
        for (tool, what), why in accuracy.trouble.items():
            print("%s, %s: not measured: %s" % (tool, what, why))
    return 0
