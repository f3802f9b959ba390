# SPDX-License-Identifier: MIT
"""Wherever control goes, calls and returns match: the call tree below each
function of a program, under the step clock."""

import trees
from harness import Case


class Flow(Case):
    def check(self, name, unmatched=0):
        program = self.program(name + ".py")
        self.record([program], options="clock=step")
        got = trees.below_module(self, program)
        want = trees.expected(name + ".txt", self.py)
        for key in want:
            with self.subTest(key):
                self.assertEqual(got.get(key), want[key])
        self.assertEqual(
            self.rows("select n_unmatched, n_lost, interpreter from threads"),
            [(unmatched, 0, 0)])
        self.assertEqual(self.rows("select * from nodes where flags != 0"), [])

    def test_generators(self):
        self.check("generators")

    def test_coroutines(self):
        self.check("coroutines")

    def test_exceptions(self):
        self.check("exceptions")

    def test_recursion(self):
        self.check("recursion")

    def test_callbacks_from_c(self):
        self.check("callbacks")

    def test_code_of_many_origins(self):
        self.check("origins")

    def test_code_that_comes_and_goes(self):
        """Its address is soon another's; and it is not kept for our sake:
        32,000 code objects, two a round, would be 30 MB."""
        grown = self.record([self.program("compiles.py")]).stdout
        self.assertLess(int(grown), 12 << 20)
        self.assertEqual(
            self.rows("select function, filename, ncalls from pstats "
                      "where function like 'made%' order by 1"),
            sorted(("made_%d" % i, "made_%d.py" % i, 3000)
                   for i in range(40)))
        self.assertEqual(self.rows("select n_unmatched, n_lost from threads"),
                         [(0, 0)])

    def test_signals_at_entry(self):
        # Where the handler runs before the event that tells of the call, the
        # end of that call comes without its beginning.
        early = self.py.version[:2] == (3, 11) or self.py.version >= (3, 13)
        self.check("signals", unmatched=8 if early else 0)

    def test_signals_at_any_moment(self):
        """A timer's handler raises wherever it is; what comes after is in its
        place all the same."""
        app = self.script("""
            import signal

            class Tick(Exception):
                pass

            armed = False

            def on_tick(number, frame):
                global armed
                if armed:
                    armed = False
                    raise Tick

            def leaf():
                pass

            def numbers(n):
                for i in range(n):
                    leaf()
                    yield i

            def down(n):
                leaf()
                if n:
                    down(n - 1)
                sum(numbers(2))

            def play():
                global armed
                armed = True
                while True:
                    down(5)
                    sorted(numbers(3), key=lambda n: -n)

            def around():
                try:
                    play()
                except Tick:
                    pass
                marker()

            def marker():
                leaf()

            signal.signal(signal.SIGALRM, on_tick)
            signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
            for i in range(700):
                around()
                marker()
            signal.setitimer(signal.ITIMER_REAL, 0)
            """)
        self.record([app], options="clock=step")
        paths = self.rows(
            "select path, ncalls from call_paths "
            "where (path like '%marker%' or path like '%around') "
            "and path not like '%on_tick%' order by path")
        self.assertEqual(paths, [
            ("<module> > around", 700), ("<module> > around > marker", 700),
            ("<module> > around > marker > leaf", 700),
            ("<module> > marker", 700), ("<module> > marker > leaf", 700)])
        self.assertEqual(self.value("select sum(n_lost) from threads"), 0)
