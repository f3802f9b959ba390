#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run CPython's own regression suite under the preload.

    run_regression.py [--stage DIR] [--oldest | --newest] [--all] [-j N] [-v]
                      [MODULE...]

Under the Pythons found (see ../e2e/pythons.py) that have a test package; Debian
has it in libpython3.x-testsuite.  Without MODULEs those of modules.py that
stress what we touch; with --all every one there is.

Each module is run under LD_PRELOAD, in a process and a folder of its own.  What
fails there is run without the preload, and once more with it: a test counts as
failed when it fails with the preload every time and never without.  One that
is named in regressions.py has to.  The database that the module leaves must be
sound and have every process in it.

--table FILE writes the results as a table in Markdown.
"""

import argparse
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import pythons
import runner
from modules import MODULES, NEVER
from regressions import reason_for

TIMES = 2                       # a failure must repeat itself


class Outcome(NamedTuple):
    """What one run of a module gave."""
    tests: dict                 # name: "passed", "failed", "skipped"
    text: str                   # what it printed, if anything failed
    seconds: float

    @property
    def failed(self):
        return {t for t, how in self.tests.items() if how == "failed"}


def tests_of(path):
    """{test: outcome} of a file of regrtest's --junit-xml."""
    tests = {}
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        tests[case.get("name")] = (
            "failed" if kinds & {"error", "failure"} else
            "skipped" if "skipped" in kinds or case.get("result") == "skipped"
            else "passed")
    return tests


def environment(folder, stage):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
           "HOME": str(folder), "TMPDIR": str(folder)}
    if stage:
        env["LD_PRELOAD"] = str(stage / "lib/libproflite.so")
        env["PROFLITE_OPTIONS"] = "out=%s" % (folder / "proflite.db")
    return env


def no_signal_ignored():
    for name in "SIGINT", "SIGQUIT", "SIGHUP":
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def end_group(pid):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


UNDER = []                      # --under
SECONDS = [300]                 # --seconds


def run_module(python, module, stage, only=()):
    """One run of @module, or of the tests @only of it; under the preload of
    @stage, or without any."""
    with tempfile.TemporaryDirectory(prefix="proflite-") as name:
        folder = Path(name).resolve()
        report = folder / "report.xml"
        argv = [python.path, "-m", "test", "-v", "--junit-xml", str(report),
                "--tempdir", name]
        for test in only:
            argv += ["-m", test]
        begin = time.monotonic()
        process = subprocess.Popen(
            [*UNDER, *argv, module], env=environment(folder, stage), cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            # As what is started in the background does.
            preexec_fn=no_signal_ignored)
        try:
            text, _ = process.communicate(timeout=SECONDS[0])
        except subprocess.TimeoutExpired:
            end_group(process.pid)
            text, _ = process.communicate()
        # Before its folder goes: some tests leave processes behind.
        end_group(process.pid)
        text = text.decode(errors="replace")
        seconds = time.monotonic() - begin
        tests = tests_of(report) if report.exists() else {}
        # 4: no tests were run, as when all of them are for another system.
        if process.returncode not in (0, 4) and \
                "failed" not in tests.values():
            tests[module] = "failed"
            text += "\nexit status %d" % process.returncode
        problem = stage and check_database(stage, folder)
        if problem:
            tests[module + " (database)"] = "failed"
            text += "\n" + problem
        return Outcome(tests, text, seconds)


def check_database(stage, folder):
    """What is wrong with the database that a module has left, or None."""
    db = folder / "proflite.db"
    done = subprocess.run([stage / "bin/proflite", "runs", db],
                          env=environment(folder, None),
                          stdin=subprocess.DEVNULL, capture_output=True)
    stderr = runner.without_unmatched(done.stderr.decode(errors="replace"))
    if done.returncode or stderr:
        return "proflite runs: status %d: %s" % (done.returncode, stderr)
    with sqlite3.connect("file:%s?mode=ro" % db, uri=True) as c:
        sound, = c.execute("pragma integrity_check").fetchone()
        damaged = c.execute("select pid, damage from processes "
                            "where damage is not null").fetchall()
    c.close()
    if sound != "ok" or damaged:
        return "the database: %s, %s" % (sound, damaged)
    return None


class Verdict(NamedTuple):
    module: str
    outcome: Outcome            # the first, with the preload
    only_with: set              # tests that fail with it and not without
    both: set                   # tests that fail either way


def judge(python, module, stage):
    """Run @module as often as it takes."""
    first = run_module(python, module, stage)
    only_with, both = set(first.failed), set()
    for turn in range(TIMES):
        if not only_with:
            break
        # All of it, should the failure be of the module as a whole.
        names = () if any(t.startswith(module) for t in only_with) \
            else sorted(only_with)
        without = run_module(python, module, None, names)
        both |= only_with & without.failed
        only_with -= without.failed
        if only_with:
            only_with &= run_module(python, module, stage, names).failed
    return Verdict(module, first, only_with, both)


def all_modules(python):
    """Every module of the suite that @python has."""
    done = subprocess.run([python.path, "-m", "test", "--list-tests"],
                          env=environment(Path("/nowhere"), None),
                          capture_output=True, text=True, check=True)
    return done.stdout.split()


def has_tests(python):
    return not subprocess.run(
        [python.path, "-I", "-c", "import test.regrtest, test.test_sys"],
        capture_output=True).returncode


def wanted(python, args):
    have = all_modules(python)
    if args.all:
        return [m for m in have if m not in NEVER]
    names = args.modules or MODULES
    # test_asyncio is one module in some versions, a package of many in others.
    return [m for m in have
            if any(m == n or m.startswith(n + ".") for n in names)]


class Table:
    """The results of one Python after the other, for doc/robustness.md."""

    def __init__(self):
        self.rows, self.notes = [], []

    def add(self, python, verdicts, excused):
        tests = [how for v in verdicts for how in v.outcome.tests.values()]
        self.rows.append((
            "%d.%d.%d" % python.version, len(verdicts), len(tests),
            tests.count("passed"), tests.count("skipped"),
            sum(len(v.both) for v in verdicts),
            sum(len(v.only_with) for v in verdicts)))
        for name, reason in dict.fromkeys(excused):
            self.notes.append("- %s, `%s`: %s" % (python.name, name, reason))

    def text(self):
        lines = ["| Python | modules | tests | passed | skipped | fail also "
                 "without | fail only with |", "|---|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in self.rows]
        return "\n".join(lines + [""] + self.notes) + "\n"


def run_python(run, python, args, stage, table):
    modules = wanted(python, args)
    run.say("regression: Python %d.%d.%d, %d modules" % (*python.version,
                                                         len(modules)))
    verdicts, excused = [], []
    with ThreadPoolExecutor(args.jobs) as pool:
        tasks = [pool.submit(judge, python, m, stage) for m in modules]
        for task in tasks:
            v = task.result()
            verdicts.append(v)
            run.say("%6.1f s  %s %s: %d tests%s%s" % (
                v.outcome.seconds, python.tag, v.module, len(v.outcome.tests),
                ", %d fail also without" % len(v.both) if v.both else "",
                ", FAILS ONLY WITH: " + " ".join(sorted(v.only_with))
                if v.only_with else ""))
            note(run, python, v, excused)
    table.add(python, verdicts, excused)


def note(run, python, verdict, excused):
    """Count the tests of a module; append to @excused what regressions.py has
    for those that fail."""
    for test, how in sorted(verdict.outcome.tests.items()):
        name = "%s %s" % (python.tag, test)
        reason = reason_for(test, python.version)
        if test in verdict.only_with and reason:
            excused.append(reason)
            run.note(name, "skipped", reason[1], 0.0)
        elif test in verdict.only_with:
            run.note(name, "failed", excerpt(verdict.outcome.text, test), 0.0)
        elif reason and how == "passed" and "*" not in reason[0]:
            run.note(name, "failed", "passed, and regressions.py says: %s\n"
                     % reason[1], 0.0)
        elif test in verdict.both:
            run.note(name, "skipped", "fails without the preload as well", 0.0)
        elif how == "failed":
            run.say("once: %s\n%s" % (name, excerpt(verdict.outcome.text, test)))
            run.note(name, "skipped", "failed once and passed then", 0.0)
        else:
            run.note(name, "passed" if how == "passed" else "skipped",
                     "skipped by itself", 0.0)


def excerpt(text, test):
    """The part of a module's output that is about @test."""
    method = test.rpartition(".")[2]
    at = re.search(r"^(FAIL|ERROR): %s\b.*?(?=^={20}|\Z)" % re.escape(method),
                   text, re.M | re.S)
    return at.group()[:6000] if at else text[-4000:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("--all", action="store_true",
                        help="every module there is")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--oldest", action="store_true",
                       help="only the oldest Python that has the tests")
    which.add_argument("--newest", action="store_true",
                       help="only the newest one")
    parser.add_argument("--table", metavar="FILE",
                        help="write the results as a table")
    parser.add_argument("--under", metavar="COMMAND", default="",
                        help="start each module by this, such as nice")
    parser.add_argument("--seconds", metavar="N", type=int, default=300,
                        help="for a module (default: 300)")
    parser.add_argument("-j", metavar="N", type=int, dest="jobs",
                        default=len(os.sched_getaffinity(0)),
                        help="at a time (default: as many as processors)")
    parser.add_argument("-v", action="store_true", dest="verbose",
                        help="a line for every test")
    args = parser.parse_args()
    UNDER[:], SECONDS[:] = args.under.split(), [args.seconds]
    stage = runner.stage_folder(args.stage)
    run, table = runner.Run("regression", args.verbose), Table()
    able = [p for p in pythons.found() if has_tests(p)]
    for python in pythons.found():
        if python not in able:
            run.skip("Python " + python.name, "it has no test package")
    for python in (able[:1] if args.oldest else
                   able[-1:] if args.newest else able):
        run_python(run, python, args, stage, table)
    if args.table:
        Path(args.table).write_text(table.text())
    return run.close()


if __name__ == "__main__":
    sys.exit(main())
