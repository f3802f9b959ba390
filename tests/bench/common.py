# SPDX-License-Identifier: MIT
"""What all benchmarks share: where things are, how a process is measured, and
how figures are summed up and printed."""

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "e2e"))

import pythons

CHILD_SECONDS = 600


def parser(description):
    p = argparse.ArgumentParser(description=description, allow_abbrev=False)
    p.add_argument("--python", action="append", metavar="PATH",
                   help="an interpreter to measure with; several may be named "
                        "(default: all that the end-to-end tests would find)")
    p.add_argument("--stage", type=Path, metavar="DIR",
                   default=Path(os.environ.get("PL_STAGE",
                                               TOP / "build/stage")),
                   help="the installed proflite (default: %(default)s)")
    p.add_argument("--work", type=Path, metavar="DIR",
                   default=Path(os.environ.get("PL_BENCH_WORK",
                                               TOP / "build/bench")),
                   help="folder for what is installed, built and written "
                        "(default: %(default)s)")
    p.add_argument("--cpu", type=int, metavar="N",
                   default=max(os.sched_getaffinity(0)),
                   help="the core that is measured on (default: %(default)s)")
    return p


def add_json(p):
    p.add_argument("--json", type=Path, metavar="FILE",
                   help="write every single figure into FILE")


class Setup:
    """Where everything is, and how a child is run there."""

    def __init__(self, args):
        self.stage = args.stage.resolve()
        self.work = args.work.resolve()
        self.cpu = args.cpu
        self.prefix = []        # what a measured process runs under
        self.programs = (self.work / "programs/pyperformance/data-files"
                         "/benchmarks")

    def site(self, python):
        return self.work / "site" / python.name

    def path(self, python):
        """What a measured process puts in front of its sys.path."""
        return [str(p) for p in (HERE / "measured",
                                 self.stage / "lib/proflite/python",
                                 self.work, self.site(python))]

    def environment(self):
        keep = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
        env = {k: os.environ[k] for k in keep if k in os.environ}
        env.update(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        return env

    def run(self, argv, **kwargs):
        """Run @argv on the core that is measured on."""
        return subprocess.run(
            [str(a) for a in argv], env=self.environment(),
            stdin=subprocess.DEVNULL, timeout=CHILD_SECONDS, cwd=self.work,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}), **kwargs)

    def measure(self, python, script, **spec):
        """Run measured/@script with @spec; what it answers, or None."""
        folder = tempfile.mkdtemp(dir=self.work)
        try:
            answer = os.path.join(folder, "answer")
            spec.update(path=self.path(python), folder=folder, answer=answer)
            done = self.run([*self.prefix, python.path, "-X", "utf8",
                             HERE / "measured" / script, json.dumps(spec)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, errors="replace")
            if done.returncode or not os.path.exists(answer):
                return {"failed": done.stderr.strip()[-400:] or
                        "status %d" % done.returncode}
            with open(answer) as f:
                return dict(json.load(f), stderr=done.stderr)
        except subprocess.TimeoutExpired:
            return {"failed": "no end after %d s" % CHILD_SECONDS}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def interpreters(paths):
    if not paths:
        return pythons.found()
    found = [pythons.ask(p) for p in paths]
    for path, python in zip(paths, found):
        if not python or not pythons.supported(python):
            sys.exit("%s: no CPython of version 3.9 or later with a GIL" % path)
    return found


# ----------------------------------------------------------------- figures --

def median(values):
    return statistics.median(values) if values else math.nan


def spread(values):
    """Half of the distance between the quartiles."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) \
        if values else math.nan


def cell(values, digits=2):
    """Median and spread, as one cell of a table."""
    if not values:
        return "-"
    return "%.*f ±%.*f" % (digits, median(values), digits, spread(values))


def verdict(figure, goal):
    """Of a figure that should be at most @goal."""
    return "reached" if figure <= goal else \
        "missed by %.0f %%" % ((figure / goal - 1) * 100)


def table(head, rows):
    """A table that reads well as text and is one in Markdown too."""
    rows = [[str(c) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows)]

    def line(cells):
        first, *rest = zip(cells, widths)
        return "| %s |" % " | ".join(
            [first[0].ljust(first[1])] + [c.rjust(w) for c, w in rest])

    rule = "|%s|" % "|".join(
        ["-" * (widths[0] + 2)] + ["-" * (w + 1) + ":" for w in widths[1:]])
    print("\n".join([line(head), rule] + [line(r) for r in rows]), flush=True)


def machine():
    model = "unknown processor"
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    model = line.split(":", 1)[1].strip()
                    break
    except OSError:
        pass
    return "%s, %d cores, Linux %s" % (model, os.cpu_count(),
                                       platform.release())


def print_command(mode, argv):
    """What makes the tables that follow, and where and when it did."""
    print("tests/bench/run %s %s\n%s, %s" % (
        mode, " ".join(argv), machine(), time.strftime("%Y-%m-%d")),
        flush=True)


class Progress:
    """A line on a terminal that says how far it is; nothing elsewhere."""

    def __init__(self, total):
        self.total, self.n = total, 0
        self.began = time.monotonic()

    def step(self, text):
        self.n += 1
        if sys.stderr.isatty():
            left = (time.monotonic() - self.began) / self.n * (
                self.total - self.n)
            sys.stderr.write("\r\033[K%d/%d, %d s left: %s" % (
                self.n, self.total, left, text))
            sys.stderr.flush()

    def end(self):
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
