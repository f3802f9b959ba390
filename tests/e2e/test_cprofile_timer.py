# SPDX-License-Identifier: MIT
"""Profile(timer=...): every kind of clock, and evil ones."""

from harness import Case, Recorded

COMMON = """
    import cProfile, gc, sys, threading, weakref
    import proflite

    unraisable = []
    def hook(what):
        unraisable.append(what.exc_type.__name__)
    sys.unraisablehook = hook

    def leaf():
        return 1

    def work():
        leaf()
        len([])
        return [leaf() for i in range(2)]

    def totals(p):
        return {getattr(e.code, "co_name", e.code): (
            e.callcount, e.totaltime, e.inlinetime) for e in p.getstats()}

    def run(p):
        p.enable()
        work()
        p.disable()
        return totals(p)
"""


class Evil(Case):
    def check(self, text):
        app = self.script(COMMON)
        with open(app, "a") as f:
            f.write(self.script(text, "more.py").read_text())
            f.write("\nprint('done')\n")
        done = self.python([app])
        self.assertEqual(done.stdout.splitlines()[-1:], ["done"])
        self.assertEqual(done.stderr, "")


class Timer(Evil):
    def test_kinds(self):
        """Integers of a unit, integers and floats of seconds."""
        self.check("""
            def steps(by):
                now = [0]
                def timer():
                    now[0] += by
                    return now[0]
                return timer

            for by, unit in ((1, 1.0), (3, 0.25), (7, 1e-9), (1, 1e-3),
                             (2**40, 1e-12), (1, 0.0), (0.5, 0.0),
                             (0.001, 0.0), (1e-9, 0.0), (0, 1.0), (True, 0.0)):
                a, b = (run(m.Profile(steps(by), unit))
                        for m in (cProfile, proflite))
                assert a == b, (by, unit, a, b)
            a, b = (run(m.Profile(steps(1))) for m in (cProfile, proflite))
            assert a == b and a["leaf"] == (3, 3.0, 3.0)
            assert not unraisable
            # What is no int and no float, but can be made one: cProfile of
            # 3.15, in all.
            import decimal, fractions
            class Number:
                def __init__(self, n):
                    self.n = n

                def __index__(self):
                    return self.n
            for kind, unit in ((Number, 1.0), (decimal.Decimal, 0.0),
                               (fractions.Fraction, 0.0)):
                timer = steps(1)
                found = run(proflite.Profile(lambda: kind(timer()), unit))
                assert found == a, (kind, a, found)
            assert not unraisable, unraisable
            # The database has nanoseconds.
            import sqlite3
            p = proflite.Profile(steps(2), 0.001)
            run(p)
            p.save("unit.db")
            db = sqlite3.connect("unit.db")
            (calls, time), = db.execute("select ncalls, tottime from pstats "
                                        "where function = 'leaf'")
            assert (calls, round(time, 6)) == (3, 0.006), (calls, time)
            """)

    def test_what_is_no_time_counts_as_zero(self):
        self.check("""
            class Raises:
                def __call__(self):
                    raise KeyError

            for timer, unit in ((lambda: None, 0.0), (lambda: "x", 0.0),
                                (lambda: int, 0.0), (lambda: 1.5, 1.0),
                                (Raises(), 0.0), (Raises(), 1.0),
                                (lambda: 2**70, 1.0), (lambda: 2**62, 0.0),
                                (lambda: 1e300, 0.0), (3, 0.0),
                                (lambda: float("nan"), 0.0),
                                (lambda a: 1, 0.0)):
                said = []
                for module in cProfile, proflite:
                    del unraisable[:]
                    found = run(module.Profile(timer, unit))
                    said.append((found, list(unraisable)))
                assert said[0][0] == said[1][0], (timer, said)
                assert said[1][1], timer
                assert len(said[0][1]) == len(said[1][1]), (timer, said)
            """)

    def test_goes_backwards(self):
        self.check("""
            now = [1000]
            def back():
                now[0] -= 1
                return now[0]
            found = run(proflite.Profile(back, 1.0))
            assert found["leaf"] == (3, 0.0, 0.0), found
            """)

    def test_uses_its_profile(self):
        """enable, disable, clear and __init__ are refused inside of the timer,
        as cProfile's newest versions do; what only reads is not."""
        self.check("""
            for name in "enable", "disable", "clear", "__init__":
                for when in range(1, 12):
                    calls = [0]
                    said = []
                    def timer():
                        calls[0] += 1
                        if calls[0] == when:
                            try:
                                getattr(p, name)()
                            except RuntimeError as e:
                                said.append(str(e))
                        return calls[0]
                    p = proflite.Profile(timer, 1.0)
                    found = run(p)
                    assert len(said) == (calls[0] >= when), (name, when, said)
                    assert found["leaf"] == (3, 3.0, 3.0), found
            for when in range(1, 12):
                calls = [0]
                def timer():
                    calls[0] += 1
                    if calls[0] == when:
                        p.getstats()
                        p.snapshot_stats()
                        p.save("x.db")
                    return calls[0]
                p = proflite.Profile(timer, 1.0)
                assert run(p)["leaf"] == (3, 3.0, 3.0)
            assert not unraisable, unraisable
            """)

    def test_deletes_its_profile(self):
        self.check("""
            for when in range(1, 12):
                calls = [0]
                def timer():
                    calls[0] += 1
                    if calls[0] == when:
                        held.clear()
                        gc.collect()
                    return calls[0]
                held = [proflite.Profile(timer, 1.0)]
                gone = weakref.ref(held[0])
                held[0].enable()
                work()
                try:
                    held.pop().disable()
                except IndexError:      # gone just now
                    pass
                gc.collect()
                assert gone() is None or sys.version_info < (3, 12)
                # Up to 3.11 the interpreter's hook holds it, as it does
                # cProfile's; the next disable() finds it.
                proflite.Profile().disable()
                gc.collect()
                assert gone() is None
                work()
            assert not unraisable, unraisable
            """)

    def test_makes_and_ends_other_profiles(self):
        self.check("""
            other = proflite.Profile()
            def timer():
                calls[0] += 1
                if calls[0] % 3 == 1:
                    other.enable()
                elif calls[0] % 3 == 0:
                    other.disable()
                if calls[0] % 5 == 0:
                    other.clear()
                if calls[0] % 4 == 0:
                    q = proflite.Profile()
                    q.enable()
                    del q
                return calls[0]
            for i in range(20):
                calls = [i]
                p = proflite.Profile(timer, 1.0)
                found = run(p)
                assert found["leaf"] == (3, 3.0, 3.0), found
                other.disable()
                proflite.Profile().disable()
            assert not unraisable, unraisable
            """)

    def test_timers_of_two_profiles(self):
        """Each is read once a call and once a return, whatever the other."""
        self.check("""
            import itertools
            a = proflite.Profile(itertools.count().__next__, 1.0)
            b = proflite.Profile(itertools.count(0, 10).__next__, 1.0)
            a.enable()
            b.enable()
            work()
            b.disable()
            a.disable()
            a, b = totals(a), totals(b)
            assert a["leaf"] == (3, 3.0, 3.0) and b["leaf"] == (3, 30.0, 30.0)
            assert b["work"][1] == 10 * a["work"][1]
            """)

    def test_from_several_threads(self):
        """A timer that lets other threads run, and a profile of all of them
        that is ended and read meanwhile."""
        self.check("""
            import time
            def timer():
                time.sleep(0)
                return time.perf_counter()

            def many():
                while not stop:
                    work()
                    done.append(1)

            def let_others_work():
                # A call that is open at enable() is not counted: each
                # thread may have one.
                enough = len(done) + 10 + len(threads)
                while len(done) < enough:
                    time.sleep(0.001)
            for i in range(3):
                stop, done = [], []
                p = proflite.Profile(timer, threads=True)
                p.enable()
                threads = [threading.Thread(target=many) for i in range(3)]
                for t in threads:
                    t.start()
                for i in range(20):
                    work()
                    p.getstats()
                    if i == 10:
                        p.clear()
                p.disable()
                work()
                p.clear()
                p.enable()
                let_others_work()
                stop.append(1)
                for t in threads:
                    t.join()
                p.disable()
                assert totals(p)["work"][0] >= 10
            assert not unraisable, unraisable
            """)


class Names(Evil):
    def test_repr_that_uses_the_profile(self):
        """A C function's first call asks for a repr, which may be Python."""
        self.check("""
            class Function:
                def __init__(self, f):
                    self.f = f

                def __repr__(self):
                    act()
                    return "<shown>"

            class List(list):
                pass

            class Other(list):
                pass
            # What cProfile asks: the type's attribute of that name.
            List.append = Function(list.append)
            Other.sort = Function(list.sort)

            for act in (lambda: p.disable(), lambda: p.clear(),
                        lambda: p.getstats(), lambda: q.clear(),
                        lambda: held.clear(), lambda: 1 // 0):
                p, q = proflite.Profile(), proflite.Profile()
                held = [proflite.Profile()]
                held[0].enable()
                p.enable()
                q.enable()
                list.append(List(), 1)
                list.sort(Other())
                work()
                q.disable()
                p.disable()
                p.getstats()
                q.getstats()
                for one in held:
                    one.disable()
                assert "work" in totals(q)
                proflite.Profile().disable()
            assert not unraisable, unraisable
            """)


class TimerRecorded(Recorded, Timer):
    pass


class NamesRecorded(Recorded, Names):
    pass
