# SPDX-License-Identifier: MIT
"""The runner of the end-to-end tests: a test that fails runs once more, alone;
and what .ci/run makes of the lines that name such a test."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tree import SOURCE, STAGE

RUN = """
import sys
sys.path.insert(0, %r)
import runner
sys.exit(runner.main("name", %r))
"""

# A failure is left to chance by a file: it fails until the file is there.
TESTS = """
import os
import unittest
from pathlib import Path

HERE = Path(__file__).parent

class T(unittest.TestCase):
    def fails_once(self, name):
        mark = HERE / name
        if not mark.exists():
            mark.touch()
            self.fail("the first time")

    def test_passes(self):
        self.assertEqual(1 + 1, 2)
%s
"""


class Runner(unittest.TestCase):
    def run_tests(self, *methods):
        with tempfile.TemporaryDirectory() as name:
            Path(name, "test_it.py").write_text(TESTS % "".join(
                "    def test_%d(self):\n        %s\n" % pair
                for pair in enumerate(methods)))
            done = subprocess.run(
                [sys.executable, "-c", RUN % (str(SOURCE / "tests/e2e"), name),
                 "--stage", str(STAGE)],
                capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.splitlines()

    def test_a_test_that_passes_the_second_time_is_flaky(self):
        status, lines = self.run_tests("self.fails_once('a')")
        self.assertEqual(lines[-2:], ["flaky: name: test_it.T.test_0",
                                      "name: 2 passed, 0 failed, 0 skipped"])
        self.assertIn("AssertionError: the first time", lines)
        self.assertEqual(status, 0)

    def test_a_test_that_fails_twice_has_failed(self):
        status, lines = self.run_tests("self.fail('always')",
                                       "self.fails_once('a')")
        self.assertEqual(lines[-3:], ["failed: test_it.T.test_0",
                                      "flaky: name: test_it.T.test_1",
                                      "name: 2 passed, 1 failed, 0 skipped"])
        self.assertEqual(status, 1)

    def test_a_test_that_is_skipped_the_second_time_has_failed(self):
        status, lines = self.run_tests(
            "os.path.exists(HERE / 'a') and self.skipTest('why'); "
            "self.fails_once('a')")
        self.assertEqual(lines[-1], "name: 1 passed, 1 failed, 0 skipped")
        self.assertEqual(status, 1)

    def test_a_process_that_dies_once_is_flaky(self):
        status, lines = self.run_tests(
            "(HERE / 'a').exists() or ((HERE / 'a').touch(), os.abort())")
        self.assertEqual(lines[-2:], ["flaky: name: test_it.T.test_0",
                                      "name: 2 passed, 0 failed, 0 skipped"])
        self.assertEqual(status, 0)

    def test_more_than_three_flaky_tests_fail(self):
        status, lines = self.run_tests(
            *("self.fails_once('%d')" % i for i in range(3)))
        self.assertEqual((status, lines[-1]),
                         (0, "name: 4 passed, 0 failed, 0 skipped"))
        status, lines = self.run_tests(
            *("self.fails_once('%d')" % i for i in range(4)))
        self.assertEqual((status, lines[-1]),
                         (1, "name: 5 passed, 0 failed, 0 skipped"))
        self.assertEqual(sum(l.startswith("flaky: ") for l in lines), 4)
