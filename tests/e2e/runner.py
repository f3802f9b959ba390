# SPDX-License-Identifier: MIT
"""Run unittest methods, each in a process of its own, several at a time.

A test that crashes or hangs costs itself and nothing else.  A test that fails
runs once more at the end, alone.  If it passes then, it counts as passed and a
line names it:

    flaky: NAME: TEST

A flaky test is a bug to be found, but does not fail the run unless there are
more than MOST_FLAKY of them.  The last line is

    NAME: N passed, N failed, N skipped
"""

import argparse
import ctypes
import fnmatch
import importlib
import io
import os
import pickle
import re
import signal
import sys
import tempfile
import time
import traceback
import unittest
from pathlib import Path

TEST_SECONDS = 3600             # for one test; commands have a tighter limit
ALIVE_SECONDS = 10              # silence is never longer than this
MOST_FLAKY = 3                  # more of them fail the run
MOST_AGAIN = 20                 # with more failures, nothing is flaky


def load(folder, patterns):
    """Every test method of @folder/test_*.py that one of @patterns matches."""
    sys.path.insert(0, str(folder))
    tests = []

    def flatten(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                flatten(item)
            else:
                tests.append(item)

    for path in sorted(folder.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        flatten(unittest.defaultTestLoader.loadTestsFromModule(module))
    broken = [t for t in tests if isinstance(t, unittest.loader._FailedTest)]
    return broken + [t for t in tests if t not in broken and (
        not patterns or any(matches(t.id(), p) for p in patterns))]


def matches(name, pattern):
    return fnmatch.fnmatchcase(name, "*%s*" % pattern)


class Result(unittest.TestResult):
    """Boils a test down to (outcome, text)."""

    def __init__(self):
        super().__init__()
        self.outcome, self.text = "passed", ""

    def fail(self, text):
        self.outcome, self.text = "failed", self.text + text

    def addFailure(self, test, err):
        self.fail(self._exc_info_to_string(err, test))

    addError = addFailure

    def addSkip(self, test, reason):
        self.outcome, self.text = "skipped", reason

    def addSubTest(self, test, subtest, err):
        if err:
            self.fail("%s\n" % subtest + self._exc_info_to_string(err, test))

    def addUnexpectedSuccess(self, test):
        self.fail("passed, and is marked as an expected failure\n")


UNMATCHED = re.compile(
    r"^proflite \w+: note: run \d+: \d+ calls? ended whose beginning was not "
    r"recorded\n", re.M)


def without_unmatched(text):
    """The stderr of a command without the note about unmatched ends: the
    interpreter announces no call whose first instruction a handler that raises
    interrupts, but it does announce the end."""
    return UNMATCHED.sub("", text)


PR_SET_CHILD_SUBREAPER = 36     # see prctl(2)


def children():
    """Process ids of our children, those that their parents left to us too."""
    # Not by glob(): it asks whether each is there, and fails if it ends then.
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path("/proc", name, "stat").read_bytes()
        except OSError:
            continue            # it has just ended
        # After the name, which may hold anything: state, parent.
        if int(stat.rpartition(b")")[2].split()[1]) == os.getpid():
            yield int(name)


def end_children():
    """Kill all that a test has left running, daemons as well.  What one of
    them leaves to us is found in the next round."""
    while True:
        pids = list(children())
        if not pids:
            return
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def run_here(test):
    """In the child: run @test, return what the parent wants to know."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    def out_of_time(*_):
        raise TimeoutError("the test took longer than %d s" % TEST_SECONDS)

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TEST_SECONDS)
    result = Result()
    begin = time.monotonic()
    try:
        # A suite of one, so that setUpClass and setUpModule run as well.
        unittest.TestSuite([test]).run(result)
    finally:
        end_children()
    return result.outcome, result.text, time.monotonic() - begin


def start(test):
    """Fork a child for @test: (pid, file with its answer)."""
    answer = tempfile.TemporaryFile()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid, answer
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        pickle.dump(run_here(test), answer)
        answer.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def collect(status, answer):
    answer.seek(0, io.SEEK_SET)
    try:
        if not status:
            return pickle.load(answer)
    except Exception:
        pass
    return "failed", "the test's own process died: status %#x\n" % status, 0.0


class Run:
    def __init__(self, name, verbose):
        self.name, self.verbose = name, verbose
        self.counts = dict(passed=0, failed=0, skipped=0)
        self.failed, self.flaky, self.skips = [], [], {}
        self.begin = self.spoke = time.monotonic()

    def say(self, text):
        print(text, flush=True)
        self.spoke = time.monotonic()

    def note(self, test, outcome, text, seconds):
        self.counts[outcome] += 1
        if outcome == "failed":
            self.failed.append(test)
            self.say("FAILED %s\n%s" % (test, text))
        elif self.verbose:
            self.say("%-8s %6.2f s  %s" % (outcome, seconds, test))
        if outcome == "skipped":
            self.skips.setdefault(text, []).append(test)

    def skip(self, what, why):
        """Count something that could not even become a test."""
        self.counts["skipped"] += 1
        self.skips.setdefault(why, []).append(what)

    def judge_again(self, test, first, again):
        """Count a test that failed: @first and @again are the (outcome, text)
        of its two runs."""
        if again[0] == "passed":
            self.say("passed the second time, alone: " + test)
            self.flaky.append(test)
            self.note(test, *again, 0.0)
        else:
            self.note(test, "failed", first[1] + (
                "" if again[1] == first[1] else
                "\nThe second time, alone:\n" + again[1]), 0.0)

    def all(self, tests, jobs):
        total = sum(self.counts.values()) + len(tests)
        failed = []

        def settle(test, outcome, text, seconds):
            if outcome == "failed":
                self.say("FAILED %s, to be run once more\n%s" % (
                    test.id(), text))
                failed.append((test, (outcome, text)))
            else:
                self.note(test.id(), outcome, text, seconds)

        self.run_tests(tests, jobs, total, settle)
        if len(failed) > MOST_AGAIN:
            for test, first in failed:
                self.note(test.id(), *first, 0.0)
            return
        for test, first in failed:
            self.run_tests([test], 1, total, lambda test, outcome, text, _: (
                self.judge_again(test.id(), first, (outcome, text))))

    def run_tests(self, tests, jobs, total, settle):
        """Run @tests, @jobs at a time, and call @settle(test, outcome, text,
        seconds) for each."""
        waiting, running = list(reversed(tests)), {}
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    test = waiting.pop()
                    pid, answer = start(test)
                    running[pid] = test, answer
                self.wait(running, total, settle)
        except KeyboardInterrupt:
            for pid in running:
                os.kill(pid, signal.SIGALRM)    # lets it clean up
            raise

    def wait(self, running, total, settle):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                break
            time.sleep(0.01)
            if time.monotonic() - self.spoke > ALIVE_SECONDS:
                self.say("  ... %s: %d of %d done, %d failed, %.0f s" % (
                    self.name, sum(self.counts.values()), total,
                    self.counts["failed"], time.monotonic() - self.begin))
        test, answer = running.pop(pid)
        with answer:
            settle(test, *collect(status, answer))

    def close(self):
        """Print the summary, return the exit status."""
        for why, what in self.skips.items():
            self.say("skipped: %s (%s)" % (what[0] if len(what) == 1
                                           else "%d tests" % len(what), why))
        for test in self.failed:
            self.say("failed: " + test)
        for test in self.flaky:
            self.say("flaky: %s: %s" % (self.name, test))
        self.say("%s: %d passed, %d failed, %d skipped" % (
            self.name, *self.counts.values()))
        if not self.counts["passed"] and not self.failed:
            print("%s: no test was run" % self.name, file=sys.stderr)
            return 1
        return 1 if self.failed or len(self.flaky) > MOST_FLAKY else 0


def stage_folder(given):
    """The installed tree under test, from --stage, PL_STAGE, or where the
    scripts build."""
    top = Path(__file__).resolve().parents[2]
    for path in (given, os.environ.get("PL_STAGE"), top / "build/stage",
                 Path("stage")):
        if path and Path(path, "bin/proflite").exists():
            return Path(path).resolve()
        if path and path in (given, os.environ.get("PL_STAGE")):
            sys.exit("%s: no installed proflite in it; make one with "
                     "`make stage'" % path)
    sys.exit("no installed proflite to test: run `make stage' and name the "
             "folder with --stage or PL_STAGE")


def parse(name):
    parser = argparse.ArgumentParser(description="Run the %s tests." % name)
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("-k", metavar="PATTERN", action="append", dest="patterns",
                        help="only tests with this in their name; * and ? work")
    parser.add_argument("-j", metavar="N", type=int, dest="jobs",
                        default=len(os.sched_getaffinity(0)),
                        help="at a time (default: as many as processors)")
    parser.add_argument("-v", action="store_true", dest="verbose",
                        help="a line for every test")
    parser.add_argument("-l", action="store_true", dest="list",
                        help="list the tests and run none")
    return parser.parse_args()


def main(name, folder, prepare=None):
    """Run the tests of @folder; @prepare(run) may say something first."""
    args = parse(name)
    # Inherited by the tests; and no test leaves a trace in the source tree.
    os.environ["PL_STAGE"] = str(stage_folder(args.stage))
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    run = Run(name, args.verbose)
    if prepare and not args.list:
        prepare(run)
    tests = load(Path(folder), args.patterns)
    if args.list:
        print(*(t.id() for t in tests), sep="\n")
        return 0
    run.all(tests, max(1, args.jobs))
    return run.close()
