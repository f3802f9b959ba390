# SPDX-License-Identifier: MIT
"""The test suites of others, recorded: they pass as they do without us, and
every worker is in the database."""

import re
import tarfile

import consumers
from harness import PACKAGE, TOOL, Case, once


class Suites(Case):
    @once
    def test_flask(self):
        python = consumers.need(self, "python with pytest")
        with tarfile.open(consumers.need(self, "flask's source")) as archive:
            archive.extractall(self.tmp)
        folder, = self.tmp.glob("flask-*")
        # After ten seconds xdist kills a worker that has not ended.
        self.script("from xdist.workermanage import NodeManager\n"
                    "NodeManager.EXIT_TIMEOUT = 600\n", "patience.py")
        argv = [python, "-m", "pytest", "-q", "-n", "2", "-p",
                "no:cacheprovider", "-p", "patience"]
        env = {"PYTHONPATH": self.tmp}
        plain = self.command(argv, env, cwd=folder)
        done = self.command([TOOL, "record", "-o", self.db, "--", *argv], env,
                            cwd=folder)
        self.assertEqual(done.stderr, plain.stderr)
        summaries = [re.search(r"^(\d+) passed, \d+ skipped", c.stdout, re.M)
                     for c in (plain, done)]
        self.assertTrue(all(summaries), done.stdout)
        self.assertEqual(*(s.group() for s in summaries))
        # Two workers, each with its share of the tests, and the first process.
        passed = int(summaries[0].group(1))
        self.assertGreater(passed, 400)
        ran = [n for n, in self.rows(
            "select sum(s.calls) from threads t "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id "
            "where f.name = 'pytest_pyfunc_call' group by t.process_id")]
        self.assertEqual((len(ran), sum(ran)), (2, passed))
        self.assertEqual(self.rows(
            "select end_reason, count(*) from processes where id in "
            "(select process_id from threads) group by 1"), [("exit", 3)])
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.value("pragma integrity_check"), "ok")
        self.assertEqual(list(self.tmp.glob("*.plrec")), [])

        # And by the plugin: every test has a scope.
        done = self.command([*argv, "-p", "proflite.pytest_plugin",
                             "--proflite=%s" % (self.tmp / "tests.db")],
                            {"PYTHONPATH": "%s:%s" % (PACKAGE, self.tmp)},
                            cwd=folder)
        self.assertEqual(done.stderr, plain.stderr)
        self.assertIn(summaries[0].group(), done.stdout)
        self.db = self.tmp / "tests.db"
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.value("select count(distinct pid) "
                                    "from processes"), 2)
        self.assertGreaterEqual(
            self.value("select count(distinct scope) from threads"), passed)
