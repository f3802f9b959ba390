# SPDX-License-Identifier: MIT
"""What the profiler costs is measured in the process, stored with the run, and
taken out of the times of whoever asks for that."""

import csv
import io
import json

from harness import Case, once, since, until

COSTS = ("cost_py_in_ns", "cost_py_out_ns", "cost_c_in_ns", "cost_c_out_ns")

COLUMNS = ["raw_tottime", "comp_tottime", "raw_cumtime", "comp_cumtime"]
RECORDS = ["raw_self_ns", "comp_self_ns", "raw_total_ns", "comp_total_ns"]
VIEW = ["tottime", "comp_tottime", "cumtime", "comp_cumtime"]

APP = """
    def leaf():
        pass

    def python(n):
        for i in range(n):
            leaf()

    def c(n):
        for i in range(n):
            abs(i)

    python(20000)
    c(20000)
    """


class Compensated(Case):
    def costs(self, where="true"):
        return self.rows("select %s from processes where %s"
                         % (", ".join(COSTS), where))

    def is_measured(self):
        """Of every process, and of none in part."""
        found = {all(c is not None for c in row) for row in self.costs()}
        self.assertEqual(len(found), 1, found)
        return found.pop()

    def table(self, *args):
        """The report's rows by function: ncalls, tottime and cumtime."""
        done = self.tool("report", "-o", "json", "-n", "0", *args, self.db)
        return {r["function"]: (r["ncalls"], r["self_ns"] * 1e-9,
                                r["total_ns"] * 1e-9)
                for r in json.loads(done.stdout)}, done.stderr

    def test_measured_and_taken_out(self):
        self.record([self.script(APP)])
        (py_in, py_out, c_in, c_out), = self.costs()
        self.assertGreater(py_in + py_out, 1)
        self.assertGreater(c_in + c_out, 1)
        self.assertLess(py_in + py_out, 100000)
        raw, complaint = self.table()
        self.assertEqual((raw, complaint), self.table("--raw"))
        less, complaint = self.table("--compensated")
        self.assertEqual(complaint, "")
        for name, (ncalls, tottime, cumtime) in raw.items():
            self.assertEqual(less[name][0], ncalls)
            self.assertLessEqual(less[name][1], tottime)
            self.assertLessEqual(less[name][2], cumtime)
        # Of what is in a caller, its callees' share is out; and of both.
        entries = raw["leaf"][0]
        self.assertEqual(entries, 20000)
        self.assertAlmostEqual(
            less["leaf"][1],
            max(0, raw["leaf"][1] - entries * py_in * 1e-9), 6)
        self.assertAlmostEqual(
            less["python"][1],
            max(0, raw["python"][1] - (entries * py_out + py_in) * 1e-9), 4)
        self.assertAlmostEqual(
            less["python"][2], less["python"][1] + less["leaf"][1], 5)

    def test_views_and_trees_say_the_same(self):
        self.record([self.script(APP)])
        less, _ = self.table("--compensated")
        for name, tottime, cumtime in self.rows(
                "select function, comp_tottime, comp_cumtime from pstats "
                "where function in ('leaf', 'python', 'c')"):
            self.assertAlmostEqual(less[name][1], tottime, 6)
            self.assertAlmostEqual(less[name][2], cumtime, 6)
        callees = dict(self.rows("select callee_function, comp_tottime "
                                 "from callees where function = 'python'"))
        self.assertAlmostEqual(callees["leaf"], less["leaf"][1], 6)
        for flag, times in ("--raw", self.table()[0]), ("--compensated", less):
            done = self.tool("tree", "-o", "json", "--min-percent", "0", "-n",
                             "0", flag, self.db)
            of = {r["function"]: r for r in json.loads(done.stdout)}
            self.assertAlmostEqual(of["python"]["self_ns"] * 1e-9,
                                   times["python"][1], 6)
            self.assertAlmostEqual(of["python"]["total_ns"] * 1e-9,
                                   times["python"][2], 6)

    @once
    def test_columns_side_by_side(self):
        """As the views have them, whichever of the two the report is of."""
        self.record([self.script(APP + """
    import threading
    thread = threading.Thread(target=python, args=(100,))
    thread.start()
    thread.join()
    """)])
        where = "where function in ('leaf', 'python', 'c')"
        for command, sql in (
                ("report", "select function, '', %s from pstats " + where),
                ("callees", "select function, callee_function, %s "
                            "from callees " + where)):
            want = sorted((*row[:2], *(round(t * 1e9) for t in row[2:]))
                          for row in self.rows(sql % ", ".join(VIEW)))
            self.assertTrue(all(r[2] >= r[3] and r[4] >= r[5] for r in want))
            self.assertTrue(any(r[2] > r[3] for r in want), want)
            for args in [], ["--raw"], ["--compensated"]:
                rows = self.side_by_side(command, *args)
                self.assertEqual(list(rows[0])[:4], RECORDS)
                self.assertEqual(want, sorted(
                    (r["function"],
                     r.get("callee", "").translate(str.maketrans("{}", "<>")),
                     *(int(r[name]) for name in RECORDS))
                    for r in rows if r["function"] in ("leaf", "python", "c")))

    def side_by_side(self, command, *args):
        done = self.tool(command, "-o", "csv", "-n", "0", "--columns",
                         ",".join(COLUMNS), *args, self.db)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    @once
    def test_columns_of_functions_that_become_one(self):
        for folder in "one", "two":
            self.script(APP, folder + "/same.py")
        self.record([self.script("import one.same, two.same")])
        rows = self.side_by_side("report")
        fewer = self.side_by_side("report", "--strip-dirs")
        self.assertLess(len(fewer), len(rows))
        for name in RECORDS:
            self.assertEqual(sum(int(r[name]) for r in fewer),
                             sum(int(r[name]) for r in rows))

    @once
    def test_columns_on_a_screen(self):
        """In one unit, and titles above what they are of."""
        self.record([self.script(APP)])
        text = self.tool("report", "--columns", ",".join(COLUMNS), self.db,
                         r"\(leaf\)").stdout
        title, row = text.splitlines()[2:]
        self.assertRegex(title, r"^ *raw self (\w+) +comp self \1 +raw total "
                                r"(\w+) +comp total \2  function$")
        self.assertEqual(title.index("  function"), row.index("  leaf "))
        # Too wide together with all the others.
        self.assertNotRegex(self.report("--columns", "all"),
                            "raw self|comp self")
        rows = json.loads(self.report("-o", "json", "--columns", "all"))
        self.assertLess(set(RECORDS), set(rows[0]))

    @once
    def test_columns_that_are_not_known(self):
        self.record([self.script(APP)], options="clock=step")
        done = self.tool("report", "-o", "json", "--columns",
                         ",".join(COLUMNS), self.db)
        for row in json.loads(done.stdout):
            self.assertEqual(row["raw_self_ns"], row["comp_self_ns"])
            self.assertEqual(row["raw_total_ns"], row["comp_total_ns"])
        self.assertIn("note: the times of all threads of run 1 are raw",
                      done.stderr)
        self.assertEqual(self.tool("report", "-o", "json", self.db).stderr, "")

    def test_without_c_functions_they_cost_less(self):
        self.record([self.script(APP)], flags=["--no-builtins"])
        (py_in, py_out, c_in, c_out), = self.costs()
        self.assertGreater(py_in + py_out, 0)
        self.assertNotIn("{built-in method builtins.abs}", self.table()[0])

    def test_cpu_clock(self):
        self.record([self.script(APP)], flags=["--clock", "cpu"])
        self.assertTrue(self.is_measured())

    def test_not_measured(self):
        """On request, and where a clock does not tell."""
        for options in "calibrate=no", "clock=step":
            self.preload([self.script(APP)], options=options)
        self.assertFalse(self.is_measured())
        raw, _ = self.table()
        less, complaint = self.table("--compensated")
        self.assertEqual(raw, less)
        self.assertRegex(complaint, "note: the times of all threads of run 2 "
                                    "are raw: what a call costs was not "
                                    "measured there")

    def test_whoever_watches_sees_nothing_of_it(self):
        """A trace function of the program's, a profile of cProfile's: neither
        is called by what is measured, and so nothing is."""
        self.python(["-c", """if True:
            import cProfile, sys, proflite
            seen = []
            sys.settrace(lambda frame, *a: seen.append(frame.f_code))
            proflite.start(%r, label="settrace")
            sys.settrace(None)
            proflite.stop()
            assert not any("<proflite>" in c.co_filename for c in seen), seen
            """ % str(self.db)])
        self.assertFalse(self.is_measured())

    @since(3, 12)
    def test_tools_see_nothing_of_it(self):
        self.python(["-c", """if True:
            import sys, proflite
            seen = []
            m = sys.monitoring
            m.use_tool_id(1, "coverage")
            m.register_callback(1, m.events.PY_START,
                                lambda code, at: seen.append(code))
            m.set_events(1, m.events.PY_START)
            proflite.start(%r)
            proflite.stop()
            m.set_events(1, 0)
            assert not any("<proflite>" in c.co_filename for c in seen), seen
            """ % str(self.db)])
        self.assertFalse(self.is_measured())

    def test_audit_hooks_see_that_it_is_compiled(self):
        """And no more: it is not imported from anywhere, and not exec'ed."""
        self.python(["-c", """if True:
            import sys, proflite
            seen = []
            sys.addaudithook(lambda event, args: "<proflite>" in args and
                             seen.append(event))
            proflite.start(%r)
            proflite.stop()
            assert seen == ["compile"], seen
            """ % str(self.db)])
        self.assertTrue(self.is_measured())

    def test_a_forked_child_has_its_parents(self):
        self.record([self.script("""
            import os

            def leaf():
                pass

            pid = os.fork()
            leaf()
            if not pid:
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            """)])
        parent, child = self.costs()
        for a, b in zip(parent, child):
            self.assertAlmostEqual(a, b, delta=b / 100)     # the same ticks

    def test_nothing_of_it_is_in_the_profile(self):
        self.record([self.script(APP)])
        self.assertEqual(self.rows("select * from functions where "
                                   "filename = '<proflite>'"), [])

    def test_a_profile_that_is_saved(self):
        self.python(["-c", """if True:
            import proflite
            def leaf(): pass
            with proflite.Profile() as p:
                for i in range(1000): leaf()
            p.save(%r)
            """ % str(self.db)])
        self.assertTrue(self.is_measured())

    def test_a_child_forked_while_another_thread_measures(self):
        """That thread is not in the child, which measures for itself."""
        self.python(["-W", "ignore", "-c", """if True:
            import os, proflite, sys, threading
            proflite.is_on()

            def save(label):
                with proflite.Profile() as p:
                    len("")
                p.save(%r, label)

            def gettrace():         # called while nobody else may measure
                sys.gettrace = real
                measures.set()
                has_forked.wait()

            measures, has_forked = threading.Event(), threading.Event()
            real, sys.gettrace = sys.gettrace, gettrace
            thread = threading.Thread(target=save, args=("parent",))
            thread.start()
            measures.wait()
            pid = os.fork()
            if not pid:
                save("child")
                os._exit(0)
            status = os.waitpid(pid, 0)[1]
            has_forked.set()
            thread.join()
            assert status == 0, status
            """ % str(self.db)])
        self.assertTrue(self.is_measured())
        self.assertEqual(len(self.costs()), 2)

    @since(3, 12)
    def test_a_child_forked_in_the_middle_of_it(self):
        """There nobody is left to take our tool away but the next one who
        measures."""
        self.python(["-W", "ignore", "-c", """if True:
            import os, proflite, signal, sys, threading
            proflite.is_on()

            def tools():
                return [sys.monitoring.get_tool(i) for i in range(6)]

            def save(label):
                with proflite.Profile() as p:
                    pass
                p.save(%r, label)

            def on_signal(number, frame):
                if (frame.f_code.co_filename == "<proflite>" and
                        "proflite" in tools()):
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    measures.set()
                    has_forked.wait()

            def fork():
                measures.wait()
                pid = os.fork()
                if not pid:
                    before = tools()
                    save("child")
                    os._exit(1 if tools() != [None] * 6 else
                             0 if "proflite" in before else 2)
                status.append(os.waitpid(pid, 0)[1])
                has_forked.set()

            def process():
                thread = threading.Thread(target=fork)
                thread.start()
                signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
                save("parent")
                signal.setitimer(signal.ITIMER_REAL, 0)
                measures.set()
                thread.join()
                os._exit(os.waitstatus_to_exitcode(status[0]))

            signal.signal(signal.SIGALRM, on_signal)
            for i in range(100):
                status = []
                measures, has_forked = threading.Event(), threading.Event()
                pid = os.fork()
                if not pid:
                    process()
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                if status != 2:     # the fork was in the middle of it
                    break
            assert status == 0, status
            """ % str(self.db)])
        self.assertEqual(self.rows(
            "select cost_py_in_ns + cost_py_out_ns + cost_c_in_ns + "
            "cost_c_out_ns is null from processes p join runs r on "
            "run_id = r.id where label = 'child' order by p.id desc limit 1"),
            [(0,)])

    # Later ones lose more of them: doc/robustness.md.
    @until(3, 12)
    def test_signal_meanwhile(self):
        """What a signal's handler raises in those milliseconds is raised, but
        for one now and then, as at the beginning of cProfile's profiles."""
        self.python(["-c", """if True:
            import os, proflite, signal
            class Stop(Exception): pass
            def stop(*args):
                came.append(1)
                raise Stop
            came = []
            signal.signal(signal.SIGALRM, stop)
            # Loads the engine: of what is raised while Python imports a
            # module it ignores some.
            proflite.is_on()

            def is_stopped(after):
                try:
                    signal.setitimer(signal.ITIMER_REAL, after)
                    proflite.start(%r)
                    while not came:
                        pass
                except Stop:
                    return True

            lost = 0
            for i in range(40):
                pid = os.fork()
                if not pid:
                    os._exit(not is_stopped(1e-4 + i * 1e-4))
                lost += os.waitpid(pid, 0)[1] != 0
            assert lost < 6, lost
            """ % str(self.db)])
