# SPDX-License-Identifier: MIT
"""Calls that end by an exception, or that end without having begun: each leave
event closes the call that it belongs to, and no other one."""

from harness import Case


class Ends(Case):
    def counts(self, *names):
        """{function: (calls, primitive calls)}"""
        return {name: tuple(row) for name, *row in self.rows(
            "select function, ncalls, primcalls from pstats "
            "where function in (%s)" % ", ".join("?" * len(names)), *names)}

    def callers(self, *names):
        """[(caller, function, calls)]"""
        return self.rows(
            "select caller_function, function, sum(ncalls) from callers "
            "where function in (%s) group by 1, 2 order by 2, 1"
            % ", ".join("?" * len(names)), *names)

    def test_a_handler_that_raises_at_any_moment(self):
        times = 50
        done = self.record([self.program("interrupted.py"), times],
                           options="builtins=no")
        counted = {name: int(n) for name, n in
                   (pair.split("=") for pair in done.stdout.split())}
        found = self.counts(*counted)
        # A call may have begun, and have been ended before it could count.
        for name, n in counted.items():
            self.assertLessEqual(n, found[name][0], name)
            self.assertLessEqual(found[name][0], n + times, name)
        self.assertEqual(found["a"][0], found["a"][1])
        self.assertEqual(found["after"], (3, 3))
        self.assertEqual(
            [row[:2] for row in self.callers(*counted)],
            [("drive_a", "a"), ("drive_a", "after"), ("drive_outer", "after"),
             ("drive_self_calling", "after"), ("outer", "inner"),
             ("drive_outer", "outer"), ("inner", "outer"),
             ("drive_self_calling", "self_calling"),
             ("self_calling", "self_calling")])
        # No recursion is deeper than the program's.
        self.assertEqual(self.rows(
            "select max(length(path) - length(replace(path, '> self_calling', "
            "'> self_callin'))) from call_paths"), [(9,)])

    def test_generators_of_one_line(self):
        """What is known of a code object is not that of another one with its
        label: here one begins behind the making of its cell."""
        app = self.script("""
            def make(n):
                return (lambda: (yield 1)), (lambda: (yield n))

            for n in range(5):
                for f in make(n):
                    for x in f():
                        pass
            """)
        self.record([app], options="builtins=no")
        self.assertEqual(self.rows(
            "select sum(calls), sum(resumes) from nodes join functions f "
            "on f.id = function_id where f.name = '<lambda>'"), [(10, 10)])
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)
