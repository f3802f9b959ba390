# SPDX-License-Identifier: MIT
"""A database of a million call paths answers at once.

What is bounded is processor time, for the machine may be busy; the bound is
twice the second that is promised.
"""

import resource

import consumers
from harness import Case, once

SECONDS = 2


class Big(Case):
    def make(self, depth):
        self.record([self.program("wide.py"), depth])

    def check(self, *commands):
        for args in commands:
            with self.subTest(" ".join(map(str, args))):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                self.tool(*args)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                self.assertLess(after.ru_utime + after.ru_stime -
                                before.ru_utime - before.ru_stime, SECONDS)

    @once
    def test_one_run(self):
        self.make("19")
        self.assertGreater(self.value("select count(*) from nodes"), 10**6)
        self.check(("report",), ("report", "--callers", "f1"), ("callers", "f1"),
                   ("report", "--columns", "all"), ("report", "-o", "json"),
                   ("callees", "-o", "csv"), ("runs",), ("runs", "-o", "csv"),
                   ("merge", "-o", "all.db", self.db),
                   ("tree",), ("tree", "--unfold"), ("tree", "--depth", "5"),
                   ("tree", "--focus", "f77[(]", "--ignore", "f9"),
                   ("tree", "--together", "--min-percent", "3"),
                   ("export", "-f", "csv", "-o", "x"),
                   ("export", "-f", "callgrind", "-o", "x"),
                   ("export", "-f", "dot", "-o", "x"))
        if consumers.find("sqlite3"):
            self.check(("sql", "select * from pstats order by tottime desc "
                        "limit 10"),
                       ("sql", "select path from call_paths where node_id in "
                        "(select id from nodes order by self_ns desc "
                        "limit 10)"))

    @once
    def test_two_runs(self):
        self.make("18")
        self.make("18")
        self.assertGreater(self.value("select count(*) from nodes"), 10**6)
        self.check(("diff",), ("diff", "--paths"),
                   ("diff", "--fail-if", "ncalls > +0%"),
                   ("diff", "--paths", "--fail-if", "ncalls > +0%"))

    @once
    def test_exports_take_time_in_proportion(self):
        """To what they write: no format is quadratic."""
        self.make("16")
        small = self.seconds()
        self.make("19")         # eight times as much
        big = self.seconds()
        for format in small:
            self.assertLess(big[format], 20 * small[format] + 1, format)

    def seconds(self):
        found = {}
        for format in ("chrome", "collapsed", "html", "json", "pprof",
                       "speedscope"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.tool("export", "-f", format, "-o", "/dev/null", self.db)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[format] = after.ru_utime - before.ru_utime
        return found
