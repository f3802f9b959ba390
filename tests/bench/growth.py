# SPDX-License-Identifier: MIT
"""Does a call cost the same in a large profile as in a small one?

What a call adds in CPU time, with 10 to 1,000,000 call paths, nested 1 to
10,000 deep, with 2 to 10,000 callees of one caller, and from 1 to 64 threads:
the median of the rounds, and as a multiple of the smallest size's.  Bare runs
and profiled ones take turns with callbacks that do nothing, for what those add
grows as well.  Then, what a long loop adds to the memory; and what threads that
come and go, and functions without end, add to the memory and the recording."""

import common
import prepare
from common import median, table

SHAPES = {
    "nodes": (10, 100, 1000, 10000, 100000, 1000000),
    "depth": (1, 10, 100, 1000, 10000),
    "fanout": (2, 10, 100, 1000, 10000),
    "threads": (1, 4, 16, 64),
}
ENDLESS = {
    "short": (100, 1000, 2000, 4000, 10000),
    "texts": (1000, 10000, 100000, 200000, 500000, 1000000),
}
GOAL = 1.5


def parse(argv):
    p = common.parser(__doc__)
    p.add_argument("--rounds", type=int, default=5, metavar="N",
                   help="default: %(default)s")
    p.add_argument("--calls", type=int, default=1000000, metavar="N",
                   help="calls of a run (default: %(default)s)")
    p.add_argument("--loop", type=int, default=100000000, metavar="N",
                   help="calls of the long loop (default: %(default)s)")
    p.add_argument("--endless", action="store_true",
                   help="only threads and functions without end")
    return p.parse_args(argv)


def added_ns(setup, python, args, shape, size):
    """What proflite adds, and callbacks that do nothing; one figure a round."""
    values = {"proflite": [], "floor": []}
    for _ in range(args.rounds):
        answers = [setup.measure(python, "growing.py", tool=tool, shape=shape,
                                 size=size, calls=args.calls)
                   for tool in ("bare", *values)]
        for answer in answers:
            if "failed" in answer:
                return answer["failed"].splitlines()[-1]
        bare = answers.pop(0)["seconds"]
        for tool, answer in zip(values, answers):
            values[tool].append((answer["seconds"] - bare) / answer["calls"]
                                * 1e9)
    return values


def report_endless(setup, python, progress):
    """Beside a bare run, which may grow by itself."""
    rows = []
    for shape, sizes in ENDLESS.items():
        for size in sizes:
            progress.step("%s %s %d" % (python.name, shape, size))
            bare, ours = (setup.measure(python, "growing.py", tool=tool,
                                        shape=shape, size=size, calls=0)
                          for tool in ("bare", "proflite"))
            failed = bare.get("failed") or ours.get("failed")
            rows.append([shape, size, failed.splitlines()[-1], "", ""]
                        if failed else
                        [shape, size, bare["grown_kb"], ours["grown_kb"],
                         ours["recording_kb"]])
    progress.end()
    print("\n## Python %s\n\nshort: threads one after the other; texts: "
          "functions made by exec\n" % ".".join(map(str, python.version)))
    table(["shape", "size", "memory, bare, KB", "memory, KB",
           "recording, KB"], rows)


def report(setup, python, args, progress):
    rows = []
    for shape, sizes in SHAPES.items():
        base = None
        for size in sizes:
            progress.step("%s %s %d" % (python.name, shape, size))
            values = added_ns(setup, python, args, shape, size)
            if isinstance(values, str):
                rows.append([shape, size, values, "", "", "", ""])
                continue
            base = base or {t: median(v) for t, v in values.items()}
            times = {t: median(v) / base[t] for t, v in values.items()}
            rows.append([shape, size, common.cell(values["proflite"], 1),
                         "%.2f" % times["proflite"],
                         common.cell(values["floor"], 1),
                         "%.2f" % times["floor"],
                         "" if times["proflite"] <= GOAL else
                         common.verdict(times["proflite"], GOAL)])
    progress.end()
    print("\n## Python %s\n\nCPU time that a call adds; goal: at most %g times "
          "that of the smallest size.\nfloor: under callbacks that do nothing\n"
          % (".".join(map(str, python.version)), GOAL))
    table(["shape", "size", "proflite, ns", "times", "floor, ns", "times", ""],
          rows)
    answer = setup.measure(python, "growing.py", tool="proflite",
                           shape="memory", size=args.loop, calls=0)
    print("\n%d calls of one path: resident memory grew by %s KB" % (
        args.loop, answer.get("grown_kb", answer.get("failed"))))


def main(argv):
    args = parse(argv)
    setup = common.Setup(args)
    interpreters = common.interpreters(args.python)
    prepare.prepare(setup, interpreters)
    common.print_command("growth", argv)
    n_steps = sum(map(len, ENDLESS.values()))
    if not args.endless:
        n_steps += sum(map(len, SHAPES.values()))
    progress = common.Progress(len(interpreters) * n_steps)
    for python in interpreters:
        if not args.endless:
            report(setup, python, args, progress)
        report_endless(setup, python, progress)
    return 0
