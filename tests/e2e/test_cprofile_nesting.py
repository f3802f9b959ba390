# SPDX-License-Identifier: MIT
"""Several profiles at once: nested, in several threads, beside cProfile, a
debugger or coverage, and within a recording of the whole process."""

import consumers
from harness import LIBRARY, PACKAGE, Case, Recorded, once, since

COMMON = """
    import cProfile, itertools, sys, threading
    import proflite

    def leaf():
        return 1

    def fact(n):
        return n * fact(n - 1) if n else leaf()

    def work():
        fact(3)
        return sorted([3, 1, 2], key=lambda v: -v)

    def counts(p):
        return {getattr(e.code, "co_name", e.code):
                (e.callcount, e.callcount - e.reccallcount)
                for e in p.getstats()}

    def times(p):
        return {getattr(e.code, "co_name", e.code): (
            e.callcount, e.totaltime, e.inlinetime,
            sorted((getattr(s.code, "co_name", s.code), s.callcount,
                    s.totaltime) for s in e.calls or ()))
            for e in p.getstats()}

    def counting(module=proflite, **kwargs):
        return module.Profile(itertools.count().__next__, 1.0, **kwargs)

    WORK = {"work": (1, 1), "fact": (4, 1), "leaf": (1, 1),
            "<built-in method builtins.sorted>": (1, 1), "<lambda>": (3, 3)}

    def of_work(p, times=1):
        found = counts(p)
        expected = {k: (v[0] * times, v[1] * times) for k, v in WORK.items()}
        assert {k: found.get(k) for k in WORK} == expected, found
"""


class Several(Case):
    def prepare(self, text):
        app = self.script(COMMON)
        with open(app, "a") as f:
            f.write(self.script(text, "more.py").read_text())
            f.write("\nprint('done')\n")
        return app

    def check(self, text):
        done = self.python([self.prepare(text)])
        self.assertEqual(done.stdout.splitlines()[-1:], ["done"])
        self.assertEqual(done.stderr, "")


class Nested(Several):
    def test_nested(self):
        self.check("""
            p, q = counting(), counting()
            with p:
                work()
                with q:
                    work()
                work()
            of_work(p, 3)
            of_work(q)
            enable = "<method 'enable' of '_lsprof.Profiler' objects>"
            assert enable in counts(p) and enable not in counts(q)
            alone = counting()
            with alone:
                work()
            assert times(alone) == times(q), (times(alone), times(q))
            """)

    def test_overlapping(self):
        """They begin and end in any order, in any frame."""
        self.check("""
            import random
            def deeper(n):
                if n:
                    step()
                    work()
                    expected(1)
                    deeper(n - 1)
                    step()
                    work()
                    expected(1)

            def step():
                i = rng.randrange(4)
                if on[i]:
                    profiles[i].disable()
                else:
                    profiles[i].enable()
                on[i] = not on[i]

            def expected(n):
                for i in range(4):
                    done[i] += on[i] * n

            for seed in range(30):
                rng = random.Random(seed)
                profiles = [proflite.Profile() for i in range(4)]
                on, done = [False] * 4, [0] * 4
                for i in range(4):
                    step()
                    work()
                    expected(1)
                    deeper(4)
                for p in profiles:
                    p.disable()
                for p, n in zip(profiles, done):
                    of_work(p, n) if n else None
            """)

    def test_many(self):
        self.check("""
            profiles = [proflite.Profile() for i in range(50)]
            for p in profiles:
                p.enable()
            work()
            for p in profiles[::2]:
                p.disable()
            work()
            for p in profiles[1::2]:
                p.disable()
            for p in profiles[::2]:
                of_work(p)
            for p in profiles[1::2]:
                of_work(p, 2)
            del profiles, p
            for i in range(300):
                proflite.Profile().runcall(leaf)
            """)

    def test_asyncio(self):
        self.check("""
            import asyncio

            async def tick(n):
                for i in range(n):
                    await asyncio.sleep(0)
                    leaf()
                return n

            async def main():
                return await asyncio.gather(tick(3), tick(5), tick(7))

            found = []
            for module in cProfile, proflite:
                asyncio.run(main())
                p = module.Profile()
                p.enable()
                asyncio.run(main())
                p.disable()
                found.append({k: v for k, v in counts(p).items()
                              if k in ("leaf", "tick", "main")})
            assert found[0] == found[1], found
            assert found[1]["leaf"] == (15, 15), found
            """)


class Threads(Several):
    def test_one_in_each_thread(self):
        self.check("""
            def run(i):
                p = profiles[i]
                barrier.wait()
                p.enable()
                for j in range(20 * (i + 1)):
                    work()
                p.disable()

            profiles = [proflite.Profile() for i in range(4)]
            barrier = threading.Barrier(4)
            threads = [threading.Thread(target=run, args=(i,))
                       for i in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            for i, p in enumerate(profiles):
                of_work(p, 20 * (i + 1))
                assert "run" not in counts(p)
            """)

    def test_others_are_left_out(self):
        self.check("""
            def other():
                while not stop:
                    hidden()

            def hidden():
                pass

            stop = []
            t = threading.Thread(target=other)
            t.start()
            p = proflite.Profile()
            p.enable()
            for i in range(200):
                work()
            second = threading.Thread(target=hidden)
            second.start()
            second.join()
            p.disable()
            stop.append(1)
            t.join()
            of_work(p, 200)
            assert "hidden" not in counts(p)
            """)

    def test_one_that_is_enabled_in_two_threads(self):
        """Each thread has a stack of its own; one disable ends both."""
        self.check("""
            def run():
                p.enable()
                for i in range(50):
                    work()
                ready.set()
                go_on.wait()
                work()

            p = proflite.Profile()
            ready, go_on = threading.Event(), threading.Event()
            t = threading.Thread(target=run)
            p.enable()
            t.start()
            for i in range(50):
                work()
            ready.wait()
            p.disable()
            go_on.set()
            t.join()
            of_work(p, 100)
            p.enable()
            work()
            p.disable()
            of_work(p, 101)
            """)

    def test_all_threads(self):
        """Those that run already, those that begin, those that end."""
        self.check("""
            def run():
                started.wait()
                for i in range(10):
                    work()

            def late():
                work()

            started = threading.Event()
            threads = [threading.Thread(target=run) for i in range(3)]
            for t in threads:
                t.start()
            p, q = proflite.Profile(threads=True), proflite.Profile()
            work()
            p.enable()
            q.enable()
            started.set()
            work()
            more = [threading.Thread(target=late) for i in range(3)]
            for t in more:
                t.start()
            for t in threads + more:
                t.join()
            q.disable()
            p.disable()
            work()
            of_work(p, 34)
            of_work(q)
            p.save("threads.db")
            assert counts(p)["late"] == (3, 3)
            p.clear()
            with p:
                t = threading.Thread(target=late)
                t.start()
                t.join()
            of_work(p)
            """)
        self.assertEqual(self.value(
            "select count(*) from threads", db=self.tmp / "threads.db"), 7)

    def test_by_chance(self):
        """Threads that begin and end profiles of their own at any time, within
        one of all threads: each has as many calls as were made."""
        self.check("""
            import random

            def repeat(n):
                for i in range(n):
                    leaf()
                return n

            def leaves(p):
                return counts(p).get("leaf", (0, 0))[0]

            def act(rng, own):
                made = expected = on = 0
                for i in range(rng.randrange(5, 60)):
                    kind = rng.randrange(10)
                    if kind < 2:
                        own.disable() if on else own.enable()
                        on = not on
                    elif kind == 2:
                        own.getstats()
                    elif kind == 3:
                        inner, n = proflite.Profile(), rng.randrange(4)
                        inner.runcall(repeat, n)
                        found.append((leaves(inner), n))
                        made, expected = made + n, expected + n * on
                    else:
                        n = repeat(rng.randrange(6))
                        made, expected = made + n, expected + n * on
                own.disable()
                found.append((leaves(own), expected))
                total.append(made)

            def run(seed):
                begun.wait()
                rng = random.Random(seed)
                act(rng, rng.choice((counting, proflite.Profile))())

            sys.setswitchinterval(1e-5)
            for seed in range(6):
                found, total, begun = [], [], threading.Event()
                threads = [threading.Thread(target=run, args=(seed * 10 + i,))
                           for i in range(6)]
                for t in threads[:3]:
                    t.start()
                with proflite.Profile(threads=True) as p:
                    begun.set()
                    for t in threads[3:]:
                        t.start()
                    run(seed * 10 + 9)
                    for t in threads:
                        t.join()
                assert all(a == b for a, b in found), (seed, found)
                assert leaves(p) == sum(total), (seed, leaves(p), sum(total))
            """)

    def test_a_thread_that_ends_enabled(self):
        self.check("""
            def run():
                p.enable()
                work()

            for i in range(3):
                p = proflite.Profile()
                t = threading.Thread(target=run)
                t.start()
                t.join()
                of_work(p)
                p.disable()
                of_work(p)
                p.enable()
                work()
                p.disable()
                of_work(p, 2)
            """)

    def test_ended_by_another_thread(self):
        self.check("""
            def run():
                work()
                inside.set()
                go_on.wait()
                work()

            p = proflite.Profile()
            inside, go_on = threading.Event(), threading.Event()

            def begin():
                p.enable()
                run()
                work()
            t = threading.Thread(target=begin)
            t.start()
            inside.wait()
            p.disable()
            found = counts(p)
            go_on.set()
            t.join()
            assert counts(p) == found, "it went on"
            of_work(p)
            assert found["run"] == (1, 1)
            """)


class NestedRecorded(Recorded, Nested):
    pass


class ThreadsRecorded(Recorded, Threads):
    pass


class Beside(Several):
    def test_cprofile(self):
        """Both at the same time; up to 3.11 there is one hook for both, and
        ours passes events on."""
        self.check("""
            for first in range(2):
                p, q = counting(), counting(cProfile)
                a, b = (p, q) if first else (q, p)
                a.enable()
                b.enable()
                work()
                list(map(fact, [1, 2]))
                b.disable()
                a.disable()
                left, right = (
                    {k: v for k, v in times(x).items() if "Profiler" not in k}
                    for x in (p, q))
                assert left == right, (left, right)
                assert left["fact"][0] == 9

            q = counting(cProfile)
            with counting() as p:
                q.runcall(work)
            of_work(p)
            of_work(q)
            with counting(cProfile) as q:
                p = counting()
                p.runcall(work)
            of_work(p)
            of_work(q)
            """)

    def test_cprofile_one_after_the_other(self):
        self.check("""
            for module in cProfile, proflite, cProfile, proflite:
                p = module.Profile()
                p.runcall(work)
                of_work(p)
            """)

    def test_trace_functions(self):
        """coverage's classic way, and a debugger's."""
        self.check("""
            import bdb

            def trace(frame, event, arg):
                lines.append((frame.f_code.co_name, event))
                return trace

            lines = []
            alone = counting()
            alone.runcall(work)
            p = counting()
            sys.settrace(trace)
            p.enable()
            work()
            p.disable()
            sys.settrace(None)
            of_work(p)
            assert ("fact", "line") in lines and ("<lambda>", "call") in lines
            without = {k: v for k, v in times(p).items() if "settrace" not in k}
            assert without["fact"] == times(alone)["fact"]

            class Debugger(bdb.Bdb):
                def user_line(self, frame):
                    stops.append(frame.f_lineno)
                    self.set_step()

            stops = []
            p = counting()
            debugger = Debugger()
            p.enable()
            debugger.runcall(work)
            p.disable()
            of_work(p)
            assert len(stops) > 5, stops
            """)

    @since(3, 12)
    def test_monitoring_tools(self):
        """coverage's new way: events that it switches off as they come."""
        self.check("""
            mon = sys.monitoring
            mon.use_tool_id(mon.COVERAGE_ID, "coverage")
            def line(code, number):
                seen.append((code.co_name, number))
                return mon.DISABLE
            seen = []
            mon.register_callback(mon.COVERAGE_ID, mon.events.LINE, line)
            mon.register_callback(mon.COVERAGE_ID, mon.events.PY_START,
                                  lambda code, offset: mon.DISABLE)
            mon.set_events(mon.COVERAGE_ID,
                           mon.events.LINE | mon.events.PY_START)
            p = counting()
            for i in range(3):
                p.enable()
                work()
                p.disable()
                mon.restart_events()
            of_work(p, 3)
            assert ("fact", fact.__code__.co_firstlineno + 1) in seen
            assert mon.get_tool(mon.COVERAGE_ID) == "coverage"
            assert mon.get_events(mon.COVERAGE_ID)
            """)

    def test_setprofile(self):
        """A profile function of the program's own, before and after ours."""
        self.check("""
            def own(frame, event, arg):
                events.append(event)

            def failing(frame, event, arg):
                seen.append(event)
                if len(seen) > 5:
                    raise KeyError

            events = []
            p = counting()
            p.enable()
            work()
            sys.setprofile(own)
            assert sys.getprofile() is own
            work()
            sys.setprofile(None)
            work()
            p.disable()
            of_work(p, 3)
            assert events.count("call") == 9, events
            p = counting()
            sys.setprofile(own)
            p.enable()
            work()
            p.disable()
            assert sys.getprofile() is own
            work()
            sys.setprofile(None)
            of_work(p)
            assert events.count("call") == 27, events.count("call")

            # One that fails is taken off by the interpreter, and only that one.
            p = counting()
            p.enable()
            seen = []
            try:
                sys.setprofile(failing)
                work()
            except KeyError:
                pass
            assert len(seen) == 6, seen
            assert sys.getprofile() is not failing
            work()
            p.disable()
            assert counts(p)["leaf"][0] == 1, counts(p)
            """)


class RealTools(Several):
    """coverage.py and pdb say the same with us as without, and our figures are
    what they are without them."""

    TEXT = """
        import threading

        def odd(n):
            if n % 2:
                return leaf()
            return 0

        def some(n):
            return sum(odd(i) for i in range(n))

        def never():
            return 1

        p, q = counting(threads=True), counting()
        some(2)
        with p:
            some(5)
            t = threading.Thread(target=some, args=(4,))
            t.start()
            t.join()
        q.runcall(some, 3)
        of_some = {k: v[0] for k, v in counts(p).items()
                   if k in ("some", "odd", "leaf")}
        assert of_some == {"some": 2, "odd": 9, "leaf": 4}, of_some
        assert counts(q)["odd"] == (3, 3)
        """
    CALLS = [("leaf", 6), ("odd", 14), ("some", 4)]

    def coverage(self, python, path, *environments):
        """The report of coverage.py, which is the same under each of @environments
        on top of @path."""
        app = self.prepare(self.TEXT)
        reports = []
        for env in environments:
            for words in (["run", app], ["report", "-m", "--include=app.py"]):
                done = self.command([python, "-m", "coverage", *words],
                                    {"PYTHONPATH": path, **env})
                self.assertEqual(done.stderr, "")
                env = {}
            reports.append(done.stdout)
        self.assertRegex(reports[0], r"\napp\.py +\d+ +\d+ +8\d% +[\d, -]+\n")
        for report in reports:
            self.assertEqual(report, reports[0])

    def recorded(self, name):
        return {"LD_PRELOAD": LIBRARY,
                "PROFLITE_OPTIONS": "out=%s" % (self.tmp / name)}

    def check_recorded(self, name):
        self.assertEqual(self.rows(
            "select function, ncalls from pstats where filename = ? and "
            "function in ('leaf', 'odd', 'some') order by function",
            str(self.tmp / "app.py"), db=self.tmp / name), self.CALLS)

    def test_coverage(self):
        folder = consumers.need(self, "coverage")
        self.coverage(self.py.path, "%s:%s" % (PACKAGE, folder),
                      {"COVERAGE_CORE": "pytrace"},
                      {"COVERAGE_CORE": "pytrace", **self.recorded("a.db")})
        self.check_recorded("a.db")

    @since(3, 12)
    def test_coverage_by_monitoring(self):
        folder = consumers.need(self, "coverage")
        self.coverage(self.py.path, "%s:%s" % (PACKAGE, folder),
                      {"COVERAGE_CORE": "sysmon"},
                      {"COVERAGE_CORE": "sysmon", **self.recorded("a.db")})
        self.check_recorded("a.db")

    @once
    def test_coverage_in_c(self):
        """Under the Python that has the consumers."""
        python = consumers.need(self, "python with coverage")
        self.coverage(python, PACKAGE, {"COVERAGE_CORE": "ctrace"},
                      {"COVERAGE_CORE": "ctrace", **self.recorded("a.db")})
        self.check_recorded("a.db")

    def test_pdb(self):
        """Breakpoints, steps and returns, inside of what is profiled."""
        app = self.prepare(self.TEXT)
        said = []
        for env in {}, self.recorded("a.db"):
            said.append(self.python(
                ["-m", "pdb", app], env=env, input="break odd\ncontinue\n"
                "where\nstep\nnext\nreturn\nclear 1\ncontinue\nquit\n"))
        self.assertEqual(said[0].stdout, said[1].stdout)
        self.assertIn("done\n", said[0].stdout)
        self.assertIn("-> if n % 2:", said[0].stdout)
        self.assertEqual(said[1].stderr, said[0].stderr)
        self.check_recorded("a.db")

    def test_breakpoint(self):
        app = self.prepare("""
            def stops():
                breakpoint()
                work()

            p = counting()
            p.runcall(stops)
            found = counts(p)               # with those of pdb's own
            assert [found[k] for k in ("stops", "work", "fact", "leaf")] == [
                (1, 1), (1, 1), (4, 1), (1, 1)], found
            """)
        for env in {}, self.recorded("a.db"):
            done = self.python([app], env=env, input="next\nstep\nstep\n"
                               "return\nup\nlocals()\ncontinue\n")
            self.assertIn("done\n", done.stdout)
            self.assertIn("-> work()", done.stdout)
            self.assertEqual(done.stderr, "")
        self.assertEqual(self.value("select ncalls from pstats where "
                                    "function = 'fact'",
                                    db=self.tmp / "a.db"), 4)


class Within(Several):
    TEXT = """
        p = counting()
        work()
        p.enable()
        work()
        with counting() as q:
            work()
        p.disable()
        work()
        of_work(p, 2)
        of_work(q)
        t = threading.Thread(target=p.runcall, args=(work,))
        t.start()
        t.join()
        of_work(p, 3)
        with counting(threads=True) as q:
            t = threading.Thread(target=work)
            t.start()
            t.join()
        of_work(q)
        """

    def check_recording(self, n):
        found = {row[0]: row[1:] for row in self.rows(
            "select function, ncalls, primcalls from pstats")}
        self.assertEqual(found["work"], (n, n))
        self.assertEqual(found["fact"], (4 * n, n))
        self.assertEqual(found["<lambda>"], (3 * n, 3 * n))

    def test_preload(self):
        """A recording of the process is not disturbed by profiles within it,
        nor they by it."""
        app = self.prepare(self.TEXT)
        done = self.preload([app], env={"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "done\n")
        self.check_recording(6)

    def test_cprofile_in_a_recorded_program(self):
        app = self.prepare("""
            q = counting(cProfile)
            work()
            q.runcall(work)
            work()
            of_work(q)
            with q:
                work()
                p = counting()
                p.runcall(work)
            of_work(q, 3)
            of_work(p)
            work()
            def own(*args):
                pass
            sys.setprofile(own)
            work()
            sys.setprofile(None)
            work()
            """)
        done = self.preload([app], env={"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "done\n")
        self.check_recording(8)

    def test_start(self):
        app = self.prepare(self.TEXT + """
        proflite.start()
        p = counting()
        p.runcall(work)
        of_work(p)
        p = counting()
        p.enable()
        proflite.stop()
        work()
        proflite.start()
        work()
        p.disable()
        of_work(p, 2)
        """)
        self.assertEqual(self.python([app]).stdout, "done\n")
        self.check_recording(2)

    def test_command_line_within_preload(self):
        app = self.script("""
            def f(n):
                return n and f(n - 1)
            f(4)
            """)
        done = self.preload(["-m", "proflite", app],
                            env={"PYTHONPATH": PACKAGE})
        self.assertRegex(done.stdout, r" 5/1 .*app.py:2\(f\)")
        self.assertEqual(self.rows("select ncalls, primcalls from pstats "
                                   "where function = 'f'"), [(5, 1)])

    def test_fork(self):
        """A profile goes on in a forked child as a copy."""
        app = self.prepare("""
            import os
            p = counting()
            p.enable()
            work()
            pid = os.fork()
            if pid == 0:
                work()
                p.disable()
                of_work(p, 2)
                q = counting()
                q.runcall(work)
                of_work(q)
                sys.stdout.flush()
                os._exit(7)
            assert os.waitpid(pid, 0)[1] == 7 << 8
            p.disable()
            of_work(p)
            """)
        self.assertEqual(self.python([app]).stdout, "done\n")
        done = self.preload([app], env={"PYTHONPATH": PACKAGE})
        self.assertEqual(done.stdout, "done\n")
