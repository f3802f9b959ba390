# SPDX-License-Identifier: MIT
"""`import proflite`: recording that the program starts and stops itself, and
the basics of Profile.  What it has in common with cProfile is tested apart."""

import os

import trees
from harness import LIBRARY, PACKAGE, Case


class StartStop(Case):
    def paths(self, **kwargs):
        """[(path, ncalls)] of Python functions, but for our own package."""
        return self.rows(
            "select path, ncalls from call_paths join nodes n "
            "on n.id = node_id join functions f on f.id = n.function_id "
            "where f.kind = 'python' "
            "and f.filename not like '%/proflite/%' "
            "and f.filename not like '%/threading.py' "
            "and f.filename not like '<frozen%' order by node_id", **kwargs)

    def test_in_the_middle_of_calls(self):
        """Begun inside of calls and stopped inside of others: what was open
        when it began is not in the tree, what was open at the end is."""
        app = self.script("""
            import proflite

            def leaf():
                pass

            def starts():
                leaf()
                proflite.start(clock="step", builtins=False)
                leaf()

            def outer():
                leaf()
                starts()
                leaf()
                inner()

            def inner():
                leaf()
                stops()
                leaf()

            def stops():
                leaf()
                proflite.stop()
                leaf()

            outer()
            leaf()
            """)
        self.python([app])
        self.assertEqual(self.paths(), [
            ("leaf", 2), ("inner", 1), ("inner > leaf", 1),
            ("inner > stops", 1), ("inner > stops > leaf", 1)])
        nodes = trees.load(self)
        below = trees.children(nodes)
        stop, = [n for n in nodes if n.name == "stop"]
        self.assertEqual([trees.text(below, n) for n in nodes
                          if n.name == "inner"],
                         ["inner 1 9\n  leaf 1 1\n  stops 1 5\n    leaf 1 1\n"
                          "    stop 1 1"])
        self.assertEqual(self.value("select end_reason from processes"), "exit")

    def test_again_and_again(self):
        app = self.script("""
            import proflite

            def leaf():
                pass

            def work():
                proflite.start(builtins=False)
                leaf()
                proflite.stop()
                leaf()

            for i in range(5):
                work()
            print(proflite.is_on())
            proflite.start()
            print(proflite.is_on())
            proflite.start()
            leaf()
            proflite.stop()
            proflite.stop()
            print(proflite.is_on())
            leaf()
            """)
        self.assertEqual(self.python([app]).stdout, "False\nTrue\nFalse\n")
        self.assertEqual(self.paths(), [("leaf", 6)])
        self.assertEqual(self.value("select count(*) from processes"), 1)

    def test_nothing_is_made_without_a_start(self):
        app = self.script("""
            import proflite
            proflite.stop()
            print(proflite.is_on(), proflite.__version__)
            try:
                proflite.save("x.db")
            except OSError as e:
                print(e)
            """)
        done = self.python([app])
        self.assertRegex(done.stdout, r"^False \d+\.\d+.*\n.*start\(\).*\n$")
        self.assertEqual(sorted(os.listdir(self.tmp)), ["app.py"])

    def test_save(self):
        """What is saved is a whole profile; the process goes on."""
        app = self.script("""
            import proflite

            def leaf():
                pass

            def work():
                leaf()
                proflite.save("a.db")
                leaf()
                proflite.save("b.db")
                leaf()
                proflite.save()

            proflite.start("c.db", clock="step", builtins=False)
            work()
            leaf()
            proflite.save("a.db")
            leaf()
            """)
        self.python([app])
        for name, leaves in ("a", 4), ("b", 2), ("c", 5):
            with self.subTest(name):
                db = self.tmp / (name + ".db")
                self.assertEqual(self.rows(
                    "select function, sum(ncalls) from pstats where function "
                    "in ('leaf', 'work') group by 1", db=db),
                    [("leaf", leaves), ("work", 1)])
                self.assertEqual(self.value(
                    "select count(*) from processes", db=db), 1)
        ends = [self.value("select end_reason from processes",
                           db=self.tmp / n) for n in ("b.db", "c.db")]
        self.assertEqual(ends[1], "exit")
        self.assertIn(ends[0], ("running", "stopped"))
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_options(self):
        app = self.script("""
            import proflite
            proflite.start("odd, \\\\name.db", clock="cpu", builtins=False,
                           all_calls=True, label="a, b=c\\\\d \\u20ac",
                           max_nodes=123456)
            """)
        self.python([app])
        self.assertEqual(self.rows(
            "select label, clock, builtins, all_calls, max_nodes "
            "from processes join runs on runs.id = run_id",
            db=self.tmp / "odd, \\name.db"),
            [("a, b=c\\d €", "cpu", 0, 1, 123456)])

    def test_wrong_options(self):
        app = self.script("""
            import proflite
            for wrong in dict(clock="sun"), dict(max_nodes=-1), dict(
                    out=""), dict(label="x" * 1000):
                try:
                    proflite.start(**wrong)
                except ValueError as e:
                    print(e)
            """)
        lines = self.python([app]).stdout.splitlines()
        self.assertEqual(len(lines), 4)
        for word, line in zip(("clock=sun", "max_nodes=-1", "out=", "label="),
                              lines):
            self.assertIn(word, line)
        self.assertEqual(os.listdir(self.tmp), ["app.py"])

    def test_folded_paths(self):
        """Past max_nodes calls and self times stay exact."""
        app = self.script("""
            import proflite

            def leaf():
                pass

            def make(n):
                names = {"leaf": leaf}
                exec("def f%d(): leaf()" % n, names)
                return names["f%d" % n]

            functions = [make(n) for n in range(300)]

            def work():
                for i in range(3):
                    for f in functions:
                        f()

            proflite.start(clock="step", builtins=False, max_nodes=100)
            work()
            proflite.stop()
            """)
        self.python([app])
        self.assertEqual(self.value(
            "select count(*) from pstats where function like 'f%' "
            "and ncalls = 3 and abs(tottime * 1e9 - 6) < .5"), 300)
        self.assertEqual(self.rows(
            "select ncalls, cast(round(tottime * 1e9) as integer) from pstats "
            "where function = 'leaf'"), [(900, 900)])
        self.assertEqual(self.rows(
            "select ncalls, cast(round(tottime * 1e9) as integer), "
            "cast(round(cumtime * 1e9) as integer) from pstats "
            "where function = 'work'"), [(1, 901, 3601)])
        self.assertEqual(self.rows("select folded, n_lost from threads"),
                         [(1, 0)])
        self.assertLessEqual(self.value("select count(*) from nodes"), 1000)


class Preloaded(Case):
    def test_it_is_the_same_recording(self):
        """Under the preload the module finds the recording that runs."""
        app = self.script("""
            import proflite

            def leaf():
                pass

            print(proflite.is_on())
            leaf()
            proflite.stop()
            leaf()
            proflite.start("other.db", clock="cpu")
            leaf()
            proflite.save("saved.db")
            leaf()
            """)
        done = self.preload([app], options="clock=step",
                            env={"PYTHONPATH": PACKAGE})
        self.assertEqual((done.stdout, done.stderr), ("True\n", ""))
        self.assertEqual(sorted(os.listdir(self.tmp)),
                         ["app.py", "proflite.db", "saved.db"])
        self.assertEqual(self.rows("select ncalls from pstats "
                                   "where function = 'leaf'"), [(3,)])
        self.assertEqual(self.rows("select ncalls from pstats where function = "
                                   "'leaf'", db=self.tmp / "saved.db"), [(2,)])
        self.assertEqual(self.rows("select clock from processes"), [("step",)])

    def test_it_waits_to_be_started(self):
        app = self.script("""
            import sys
            import proflite

            def leaf():
                pass

            leaf()
            print(proflite.is_on())
            if len(sys.argv) > 1:
                proflite.start(clock="step")
                leaf()
            """)
        done = self.preload([app], options="start=no",
                            env={"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "False\n")
        self.assertEqual(os.listdir(self.tmp), ["app.py"])
        self.preload([app, "x"], options="start=no",
                     env={"PYTHONPATH": PACKAGE})
        self.assertEqual(self.rows("select ncalls from pstats "
                                   "where function = 'leaf'"), [(1,)])

    def test_profiles_beside_it(self):
        """A Profile neither disturbs the recording nor is disturbed."""
        app = self.script("""
            import proflite

            def leaf():
                pass

            def work():
                leaf()
                a = proflite.Profile()
                b = proflite.Profile()
                a.enable()
                leaf()
                b.enable()
                leaf()
                a.disable()
                leaf()
                b.disable()
                leaf()
                for p in a, b:
                    p.snapshot_stats()
                    print([v[:2] for k, v in p.stats.items()
                           if k[2] == "leaf"])

            work()
            """)
        done = self.preload([app], options="clock=step",
                            env={"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "[(2, 2)]\n[(2, 2)]\n")
        self.assertEqual(self.rows("select ncalls from pstats "
                                   "where function = 'leaf'"), [(5,)])
        self.assertEqual(self.rows(
            "select path, ncalls from call_paths where path like '%> leaf'"),
            [("<module> > work > leaf", 5)])

    def test_other_tools_beside_it(self):
        """cProfile, trace and a user's own hooks work as they do without us."""
        app = self.script("""
            import cProfile, sys

            def leaf():
                pass

            def work():
                for i in range(4):
                    leaf()

            p = cProfile.Profile()
            p.enable()
            work()
            p.disable()
            p.snapshot_stats()
            print(sorted((k[2], v[:2]) for k, v in p.stats.items()))

            calls = []
            sys.setprofile(lambda frame, event, arg: calls.append(event))
            work()
            sys.setprofile(None)
            print(calls.count("call"), calls.count("return"))

            lines = []
            def trace(frame, event, arg):
                lines.append(event)
                return trace
            sys.settrace(trace)
            work()
            sys.settrace(None)
            print(len(lines))
            print(sys.getprofile(), sys.gettrace())
            """)
        plain = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        # Before 3.12 there is one hook for all: who sets another takes ours.
        leaves = self.value("select sum(ncalls) from pstats "
                            "where function = 'leaf'")
        if self.py.version >= (3, 12):
            self.assertEqual(leaves, 12)


class Profile(Case):
    def test_enable_disable_print(self):
        app = self.script("""
            import proflite

            def leaf():
                pass

            p = proflite.Profile()
            leaf()
            p.enable()
            leaf()
            leaf()
            p.disable()
            leaf()
            p.print_stats("tottime")
            """)
        done = self.python([app])
        self.assertRegex(done.stdout, r"^ +3 function calls in \d+\.\d{3} "
                         r"seconds\n\n   Ordered by: internal time\n\n")
        self.assertRegex(done.stdout, r"\n +2 .* app\.py:4\(leaf\)\n")
        self.assertEqual(os.listdir(self.tmp), ["app.py"])

    def test_timer_of_steps(self):
        """A timer that counts its calls makes times exact."""
        app = self.script("""
            import itertools
            import proflite

            def leaf():
                pass

            def work():
                leaf()
                leaf()

            p = proflite.Profile(itertools.count().__next__, 1)
            p.runcall(work)
            p.snapshot_stats()
            for key, value in sorted(p.stats.items()):
                print(key[2], *value[:4])
            """)
        self.assertEqual(self.python([app]).stdout.splitlines()[:2],
                         ["leaf 2 2 2.0 2.0", "work 1 1 3.0 5.0"])

    def test_all_threads(self):
        app = self.script("""
            import threading
            import proflite

            def leaf():
                pass

            def work():
                for i in range(10):
                    leaf()

            def run():
                threads = [threading.Thread(target=work) for _ in range(3)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
                work()

            for threads in False, True:
                p = proflite.Profile(threads=threads)
                p.runcall(run)
                p.snapshot_stats()
                print([v[1] for k, v in p.stats.items() if k[2] == "leaf"])
            """)
        self.assertEqual(self.python([app]).stdout, "[10]\n[40]\n")

    def test_save(self):
        app = self.script("""
            import proflite

            def leaf():
                pass

            def work():
                leaf()

            with proflite.Profile() as p:
                work()
            p.save("proflite.db")
            """)
        self.python([app])
        self.assertEqual(self.rows(
            "select path, ncalls from call_paths where path like '%leaf'"),
            [("work > leaf", 1)])
        self.assertEqual(self.rows("select is_scope, counted from threads"),
                         [(1, 1)])
