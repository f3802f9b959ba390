# SPDX-License-Identifier: MIT
"""The plugin for pytest, with pytest and pytest-xdist as they are."""

import re
from pathlib import Path

import consumers
from harness import PACKAGE, SOURCE, Case, once

SUITE = """
    import threading
    import unittest
    import pytest

    def leaf():
        pass

    def work(n):
        for _ in range(n):
            leaf()

    def test_three():
        work(3)

    @pytest.mark.parametrize("n", [1, 2])
    def test_many(n):
        work(n)

    def test_thread():
        t = threading.Thread(target=work, args=(6,))
        t.start()
        t.join()

    def test_fails():
        work(2)
        assert leaf()

    def test_skips():
        work(1)
        pytest.skip("not today")

    @pytest.fixture
    def broken():
        work(9)
        raise ValueError("broken")

    def test_error(broken):
        pass

    @pytest.fixture
    def around():
        work(9)
        yield 4
        work(9)

    def test_fixture(around):
        work(around)

    @pytest.mark.xfail
    def test_expected():
        work(1)
        assert 0

    class Old(unittest.TestCase):
        def test_old(self):
            work(5)
    """

# How often each test calls leaf, those of its fixtures left out.
LEAVES = {"three": 3, "many[1]": 1, "many[2]": 2, "thread": 6, "fails": 3,
          "skips": 1, "fixture": 4, "expected": 1}
LEAVES = {"test_app.py::test_" + name: n for name, n in LEAVES.items()}
LEAVES["test_app.py::Old::test_old"] = 5

BUDGETS = """
    import array
    import threading
    import pytest

    def leaf():
        pass

    def never():
        pass

    def work(n):
        for _ in range(n):
            leaf()

    @pytest.mark.proflite(max_ncalls={"leaf": 3, "never": 0})
    def test_within():
        work(3)

    @pytest.mark.proflite(max_ncalls={"leaf": 3})
    def test_over():
        work(4)

    @pytest.mark.proflite(max_ncalls={"test_app.py:leaf": 3})
    def test_over_by_file():
        t = threading.Thread(target=work, args=(5,))
        t.start()
        t.join()

    @pytest.mark.proflite(max_ncalls={"app.py:leaf": 0, "other/app.py:leaf": 0})
    def test_of_another_file():
        work(5)

    @pytest.mark.proflite(max_ncalls={"laef": 1})
    def test_misspelt():
        work(5)

    @pytest.mark.proflite(max_ncalls={"test_app.py:laef": 1, "app.py:lief": 0})
    def test_misspelt_with_file():
        work(5)

    @pytest.mark.proflite(max_ncalls={
        "{built-in method builtins.sorted}": 1,
        "<built-in method builtins.srted>": 1,
        "<method 'apend' of 'list' objects>": 1})
    def test_misspelt_c_functions():
        sorted([]), [].append(1)

    @pytest.mark.proflite(max_ncalls={
        "<built-in method builtins.sorted>": 0,
        "<method 'tolist' of 'array.array' objects>": 0,
        "other/app.py:<lambda>": 0, "inner": 0})
    def test_not_called():
        def outer():
            def inner():
                pass

    @pytest.mark.proflite(max_ncalls={"<built-in method builtins.sorted>": 1})
    def test_c_function():
        sorted([]), sorted([])

    @pytest.mark.xfail(strict=True)
    @pytest.mark.proflite(max_ncalls={"leaf": 0})
    def test_expected():
        work(1)

    @pytest.mark.proflite(max_ncalls={"leaf": 0})
    def test_own_failure_wins():
        work(1)
        assert 0, "its own"

    @pytest.mark.proflite(max_ncalls={"leaf": 1})
    class TestNearest:
        @pytest.mark.proflite(max_ncalls={"leaf": 2})
        def test_nearest_wins(self):
            work(2)

    @pytest.mark.proflite(ncalls=3)
    def test_wrong_mark():
        pass
    """


class Pytest(Case):
    def setUp(self):
        self.packages = consumers.need(self, "pytest")

    def pytest(self, *args, check=0, env=None, plugin=True):
        path = "%s:%s" % (PACKAGE, self.packages)
        if not plugin:
            path = "%s:%s" % (self.tmp / "site", path)
        words = ["-p", "proflite.pytest_plugin"] if plugin else []
        return self.command(
            [self.py.path, "-m", "pytest", *words, "-p", "no:cacheprovider",
             "-q", "--tb=short", *args],
            {"PYTHONPATH": path, **(env or {})}, check=check)

    def outcomes(self, done):
        return sorted(re.findall(r"^(?:PASSED|FAILED|ERROR|SKIPPED|XFAIL) .*",
                                 done.stdout, re.M))

    def leaves(self):
        return dict(self.rows(
            "select t.scope, sum(s.calls) from threads t "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id "
            "where f.name = 'leaf' group by 1"))

    def test_same_results_and_a_scope_for_each_test(self):
        self.script(SUITE, "test_app.py")
        plain = self.pytest("-rA", check=1)
        done = self.pytest("-rA", "--proflite", check=1)
        self.assertEqual(len(self.outcomes(plain)), 10)
        self.assertEqual(self.outcomes(done), self.outcomes(plain))
        self.assertEqual(done.stderr, plain.stderr)
        self.assertEqual(self.leaves(), LEAVES)
        self.assertIn("proflite: slowest functions", done.stdout)
        self.assertRegex(done.stdout, r" 26 .* test_app.py:5\(leaf\)\n|"
                         r"List reduced from \d+ to 10")
        self.assertIn("proflite report --run 1 proflite.db\n", done.stdout)
        self.assertEqual(self.rows(
            "select count(*), count(distinct run_id), min(end_reason) "
            "from processes"), [(1, 1, "stopped")])
        self.assertEqual(self.rows(
            "select distinct is_scope, counted from threads"), [(1, 1)])

    def test_budgets(self):
        self.script(BUDGETS, "test_app.py")
        # Nobody imports these.
        for name in "app.py", "other/app.py":
            self.script("def leaf(): pass\n", name)
        done = self.pytest("-rA", check=1)
        failed = [o.split(" - ")[0] for o in self.outcomes(done)
                  if o.startswith("FAILED")]
        self.assertEqual(failed, ["FAILED test_app.py::test_" + name for name in (
            "c_function", "misspelt", "misspelt_c_functions",
            "misspelt_with_file", "over", "over_by_file", "own_failure_wins",
            "wrong_mark")], done.stdout)
        for line in (
                "leaf was called 4 times, max_ncalls allows 3",
                "  4  %s:6(leaf)" % (self.tmp / "test_app.py"),
                "test_app.py:leaf was called 5 times, max_ncalls allows 3",
                "<built-in method builtins.sorted> was called 2 times, "
                "max_ncalls allows 1",
                "max_ncalls: there is no function laef (did you mean leaf?)",
                "max_ncalls: there is no function test_app.py:laef (did you "
                "mean test_app.py:leaf?)",
                "max_ncalls: there is no function app.py:lief",
                "max_ncalls: there is no function {built-in method "
                "builtins.sorted} (did you mean <built-in method "
                "builtins.sorted>?)",
                "max_ncalls: there is no function <built-in method "
                "builtins.srted> (did you mean <built-in method "
                "builtins.sorted>?)",
                "max_ncalls: there is no function <method 'apend' of 'list' "
                "objects> (did you mean <method 'append' of 'list' objects>?)",
                "E   AssertionError: its own",
                "mark proflite: want max_ncalls={'name' or 'file:name': number "
                "of calls}"):
            self.assertIn(line + "\n", done.stdout)
        self.assertFalse(self.db.exists())
        # Within a recording they are the same.
        again = self.pytest("-rA", "--proflite", check=1)
        self.assertEqual(self.outcomes(again), self.outcomes(done))

    def test_costs_nothing_when_not_asked(self):
        self.script("""
            import sys
            def test_engine():
                assert "proflite.pytest_plugin" in sys.modules
                assert "proflite._proflite" not in sys.modules
                assert sys.getprofile() is None
            def test_hooks(request):
                hook = request.config.hook.pytest_runtest_call
                assert not any("proflite" in i.plugin_name
                               for i in hook.get_hookimpls())
            """, "test_app.py")
        self.pytest()
        self.assertFalse(self.db.exists())

    @once
    def test_stops_at_the_first_failure(self):
        self.script(SUITE, "test_app.py")
        done = self.pytest("--proflite", "-x", check=1)
        self.assertIn("stopping after 1 failures", done.stdout)
        self.assertEqual(len(self.leaves()), 5)

    @once
    def test_by_entry_point(self):
        info = self.tmp / "site/proflite-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Name: proflite\nVersion: 0\n")
        (info / "entry_points.txt").write_text(
            "[pytest11]\nproflite = proflite.pytest_plugin\n")
        self.script("def test_a():\n    pass\n", "test_app.py")
        self.pytest("--proflite", plugin=False)
        self.assertEqual(self.value("select distinct scope from threads"),
                         "test_app.py::test_a")

    @once
    def test_workers_of_xdist(self):
        self.script(SUITE, "test_app.py")
        plain = self.pytest("-rA", "-n", "2", check=1)
        done = self.pytest("-rA", "-n", "2", "--proflite=out.db",
                           "--proflite-label=two", check=1)
        self.assertEqual(self.outcomes(done), self.outcomes(plain))
        self.db = self.tmp / "out.db"
        self.assertEqual(self.leaves(), LEAVES)
        self.assertEqual(self.rows("select label from runs"), [("two",)])
        self.assertEqual(self.rows(
            "select count(*), count(distinct pid) from processes"), [(2, 2)])
        self.assertIn("proflite report --run 1 out.db\n", done.stdout)

    @once
    def test_gate(self):
        self.script("""
            import os
            N = int(os.environ.get("N", 3))
            def leaf():
                pass
            def test_a():
                for _ in range(N):
                    leaf()
            """, "test_app.py")
        compare = ["--proflite-compare=base"]
        done = self.pytest(*compare, check=1)
        self.assertIn("no run that is labelled \"base\"", done.stdout)
        self.pytest("--proflite", "--proflite-label=base")
        done = self.pytest(*compare)
        self.assertIn("no function is worse", done.stdout)
        worse = "leaf  test_app.py:4  ncalls 3 -> 5 (+2, +66.7%)"
        done = self.pytest(*compare, check=1, env={"N": "5"})
        self.assertIn(worse, done.stdout)
        self.assertIn("1 passed", done.stdout)
        done = self.pytest("--proflite=new.db", check=1, env={"N": "5"}, *[
            "--proflite-compare=proflite.db:base", "-n1",
            "--proflite-only=leaf"])
        self.assertIn(worse, done.stdout)
        self.pytest(*compare, "--proflite-only=[(]test_a", env={"N": "5"})
        self.pytest(*compare, "--proflite-fail-if=ncalls > +70%",
                    "--proflite-only=leaf", env={"N": "5"})
        self.assertEqual(self.value("select count(*) from runs"), 6)

    @once
    def test_gate_of_a_session_that_failed(self):
        self.script("def test_a():\n    assert 0\n", "test_app.py")
        done = self.pytest("--proflite-compare=base", check=1)
        self.assertIn("not compared: the tests did not pass", done.stdout)
        self.script("", "test_app.py")
        self.pytest("--proflite-compare=base", check=5)

    @once
    def test_gate_of_a_profile_that_is_not_whole(self):
        """A worker that crashes takes its profile along: less calls than those
        of the baseline are no reason to pass."""
        self.script("""
            import os
            import pytest

            @pytest.fixture(params=[0, 1])
            def crashed():
                pass

            def leaf():
                pass

            def test_a(crashed):
                leaf()

            def test_crash():
                if os.environ.get("CRASH"):
                    os._exit(3)
            """, "test_app.py")
        self.script("""
            import pytest

            @pytest.hookimpl(optionalhook=True)
            def pytest_handlecrashitem(crashitem, report, sched):
                report.outcome = "skipped"
                report.longrepr = ("test_app.py", 1, "crashed")
            """, "conftest.py")
        self.pytest("--proflite", "--proflite-label=base", "-n1")
        done = self.pytest("--proflite-compare=base", "-n1",
                           env={"CRASH": "1"}, check=1)
        self.assertIn("proflite: worker gw0 crashed: the profile lacks what it "
                      "had not written\n", done.stdout)
        self.assertRegex(done.stdout, "not compared: (there is no profile of "
                         "this run|the profile of this run is not whole)\n")

    @once
    def test_a_pytest_that_is_too_old(self):
        """One with a pluggy before 1.2, which knows no wrappers."""
        self.script("""
            import pytest

            new = pytest.hookimpl

            def hookimpl(function=None, hookwrapper=False, optionalhook=False,
                         tryfirst=False, trylast=False):
                return new(function, hookwrapper=hookwrapper, tryfirst=tryfirst,
                           optionalhook=optionalhook, trylast=trylast)

            pytest.hookimpl = hookimpl
            """, "old.py")
        self.script("def test_a():\n    pass\n", "test_app.py")
        path = {"PYTHONPATH": "%s:%s:%s" % (self.tmp, PACKAGE, self.packages)}

        def run(*words, check):
            return self.command(
                [self.py.path, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                 "-p", "old", "-p", "proflite.pytest_plugin", *words],
                path, check=check)

        self.assertIn("1 passed", run(check=0).stdout)
        wants = "wants pytest 8, or one with pluggy 1.2: this is pytest "
        self.assertIn("--proflite " + wants, run("--proflite", check=4).stderr)
        self.script("import pytest\n@pytest.mark.proflite(max_ncalls={'x': 1})\n"
                    "def test_a():\n    pass\n", "test_app.py")
        done = run(check=4)
        self.assertIn("the mark proflite " + wants, done.stderr)

    @once
    def test_bad_options(self):
        self.script("def test_a():\n    pass\n", "test_app.py")
        for words, text in (
                (["--proflite", "test_app.py"],
                 "--proflite=test_app.py: that is no database but a test"),
                (["--proflite", "."], "write --proflite=proflite.db ."),
                (["--proflite-label=x"], "--proflite-label needs --proflite"),
                (["--proflite", "--proflite-only=x"],
                 "--proflite-only need --proflite-compare"),
                (["--proflite-compare=x", "--proflite-label=x"],
                 "the run would be compared with itself"),
                (["--proflite="], "--proflite=: want a database"),
                (["--proflite-compare="], "--proflite-compare=: want a label"),
                (["--proflite-compare=x", "--proflite-only="],
                 "--proflite-only=: want a regular expression"),
                (["--proflite", "--proflite-lines=-1"],
                 "--proflite-lines=-1: want a whole number, 0 for all")):
            with self.subTest(words):
                done = self.pytest(*words, check=4)
                self.assertIn(text, done.stderr)

    @once
    def test_a_database_that_cannot_be_written(self):
        self.script("def test_a():\n    pass\ndef test_b():\n    pass\n",
                    "test_app.py")
        done = self.pytest("--proflite=nowhere/x.db")
        self.assertIn("2 passed", done.stdout)
        self.assertEqual(done.stdout.count("proflite: "), 1, done.stdout)
        self.assertIn("nowhere/x.db", done.stdout)
        done = self.pytest("--proflite=nowhere/x.db", "-n1",
                           "--proflite-compare=x", check=1)
        self.assertIn("not compared: there is no profile", done.stdout)
        (self.tmp / "text").write_text("no database\n" * 100)
        done = self.pytest("--proflite=text")
        self.assertEqual(re.findall("^proflite: .*", done.stdout, re.M), [
            "proflite: %s is not a database: want one that proflite has made"
            % (self.tmp / "text")])

    @once
    def test_much_to_tell_is_written_as_it_comes(self):
        self.script(SUITE, "test_app.py")
        self.script("import proflite.pytest_plugin\n"
                    "proflite.pytest_plugin.FLUSH_BYTES = 1\n", "conftest.py")
        self.pytest("--proflite", check=1)
        self.assertEqual(self.leaves(), LEAVES)
        self.assertEqual(self.rows(
            "select count(*), count(distinct pid), count(distinct run_id) "
            "from processes"), [(len(LEAVES), 1, 1)])

    @once
    def test_within_a_recording(self):
        self.script(SUITE, "test_app.py")
        outer = self.tmp / "outer.db"
        self.record(["-m", "pytest", "-q", "-p", "proflite.pytest_plugin",
                     "--proflite"], db=outer, check=1,
                    env={"PYTHONPATH": "%s:%s" % (PACKAGE, self.packages)})
        self.assertEqual(self.leaves(), LEAVES)
        # 27 of the fixtures, and all of those.
        self.assertEqual(self.value(
            "select ncalls from pstats where function = 'leaf'", db=outer),
            sum(LEAVES.values()) + 27)

    @once
    def test_the_document(self):
        text = Path(SOURCE, "doc/pytest.md").read_text()
        query = re.search(r"^select .*?(?=```)", text, re.M | re.S).group()
        self.script("def leaf():\n    pass\ndef test_parse():\n    leaf()\n",
                    "test_app.py")
        self.pytest("--proflite")
        rows = self.rows(query.replace("limit 5", ""))
        self.assertIn(("leaf", 1), [row[:2] for row in rows])
