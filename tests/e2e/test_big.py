# SPDX-License-Identifier: MIT
"""A database of a million call paths answers at once.

What is bounded is processor time, for the machine may be busy, and by what
Python takes to count, for it may be a slow one.
"""

import resource

import consumers
from harness import TOOL, Case, once

# About a second where "at once" was measured; the longest, merge, takes one and
# a half of it, and what is not in proportion takes minutes.
COUNT = "for i in range(20_000_000): pass"
COUNTS = 4


class Big(Case):
    def make(self, depth):
        self.record([self.program("wide.py"), depth])

    def seconds(self, *argv):
        """The processor time of a command.  Both kinds: which one a tick falls
        into is chance."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.command(argv)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - \
            before.ru_utime - before.ru_stime

    def check(self, *commands):
        # Its speed may be another at the end.
        counts = [self.seconds(self.py.path, "-c", COUNT)]
        took = {args: self.seconds(TOOL, *args) for args in commands}
        counts.append(self.seconds(self.py.path, "-c", COUNT))
        for args, seconds in took.items():
            with self.subTest(" ".join(map(str, args))):
                self.assertLess(seconds, COUNTS * max(counts))

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
        small = self.exports()
        self.make("19")         # eight times as much
        big = self.exports()
        for format in small:
            self.assertLess(big[format], 20 * small[format] + 1, format)

    def exports(self):
        return {format: self.seconds(TOOL, "export", "-f", format, "-o",
                                     "/dev/null", self.db)
                for format in ("chrome", "collapsed", "html", "json", "pprof",
                               "speedscope")}
