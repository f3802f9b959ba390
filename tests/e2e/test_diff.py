# SPDX-License-Identifier: MIT
"""`proflite diff`: what changed between runs, and the gate of a build."""

import csv
import io
import json
import sqlite3

from harness import Case, once

PROGRAM = """
    import sys
    n, extra = int(sys.argv[1]), len(sys.argv) > 2

    def leaf():
        pass

    def work(n):
        for i in range(n):
            leaf()

    def old():
        pass

    def new():
        leaf()

    class Box:
        def open(self):
            work(n)

    Box().open()
    new() if extra else old()
    """


class Diff(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)

    def make(self, *args, label=None, db=None, app=None):
        flags = ["--label", label] if label else []
        self.record([app or self.app, *args], options="clock=step",
                    flags=flags, db=db)

    def diff(self, *args, check=0):
        return self.tool("diff", *args, check=check).stdout

    def records(self, *args, check=0):
        rows = json.loads(self.diff("-o", "json", *args, check=check))
        self.assertIsNone(rows[0]["function"])
        return rows[0], {r["function"]: r for r in rows[1:]}

    def fake_times(self, function, times, db=None):
        """Give @function the self time of @times[i] in run i + 1."""
        connection = sqlite3.connect(db or self.db)
        for run, ns in enumerate(times, 1):
            connection.execute(
                "update function_stats set self_ns = ?, cum_ns = ? where "
                "function_id in (select id from functions where name = ?) and "
                "thread_id in (select t.id from threads t join processes p on "
                "p.id = process_id where run_id = ?)", (ns, ns, function, run))
        connection.commit()
        connection.close()

    # -------------------------------------------------------------- what -- --

    # Names differ between versions.
    def test_what_changed(self):
        self.make("10")
        self.make("15", "extra")
        total, rows = self.records()
        for r in rows.values():         # all are exact, and nothing else is
            self.assertNotEqual([r[m + "_a"] for m in (
                "ncalls", "primcalls", "tottime_ns", "cumtime_ns")],
                [r[m + "_b"] for m in (
                    "ncalls", "primcalls", "tottime_ns", "cumtime_ns")])
        leaf = rows["leaf"]
        self.assertEqual((leaf["ncalls_a"], leaf["ncalls_b"], leaf["what"]),
                         (10, 16, "slower"))
        self.assertEqual(rows["old"]["what"], "gone")
        self.assertEqual(rows["new"]["what"], "new")
        self.assertEqual((rows["work"]["tottime_ns_a"],
                          rows["work"]["tottime_ns_b"]), (11, 16))
        for side, run in ("a", 1), ("b", 2):
            self.assertEqual(
                (total["ncalls_" + side], total["tottime_ns_" + side]),
                self.rows("select sum(calls + resumes), sum(self_ns) "
                          "from function_stats s "
                          "join threads t on t.id = s.thread_id "
                          "join processes p on p.id = t.process_id "
                          "where run_id = ?", run)[0])

    @once
    def test_text(self):
        self.make("10")
        self.make("15", "extra")
        text = self.diff(self.db)
        self.assertRegex(text, r"(?m)^A  1 run of \S+, number 1: .*app.py 10$")
        self.assertRegex(text, r"(?m)^B  1 run of \S+, number 2: .*extra$")
        self.assertRegex(text, r"(?m)^   ncalls   \d+ -> \d+ \(\+\d+, "
                         r"\+[\d.]+%\)$")
        self.assertRegex(text, r"(?m)^ +10 ns +16 ns +\+6 ns +\+60\.0% +10 +16 "
                         r" slower  leaf  app\.py:5$")
        self.assertRegex(text, r"(?m)^ +1 ns +0 ns +-1 ns +-100\.0% +1 +0 "
                         r" gone    old  app\.py:12$")
        self.assertRegex(text, r"(?m)^ +0 ns +2 ns +\+2 ns +new +0 +1 "
                         r" new     new  app\.py:15$")
        text = self.diff("-n", "1", self.db)
        self.assertRegex(text, r"(?m)^\d+ more differ: -n 0 shows all$")
        text = self.diff("-s", "ncalls", "-n", "0", self.db)
        self.assertRegex(text, r"(?m)^ +10 +16 +\+6 +\+60\.0% +10 +16 "
                         r" more  leaf")
        self.assertIn("nothing differs", self.diff(self.db, "1", "1"))

    @once
    def test_the_first_of_many_are_the_greatest(self):
        """The table keeps no more rows than it prints; in whatever order they
        come, they are those that all of them sorted begin with."""
        app = self.script("""
            import sys
            for i in range(300):        # each change is another: 7 is coprime
                exec("def f%d(): pass" % i)
                for _ in range((7 * i % 300 + 1) * (len(sys.argv) - 1)):
                    globals()["f%d" % i]()
            """, "many.py")
        self.make(app=app)
        self.make("again", app=app)
        ncalls = ["-s", "ncalls", "--only", "^f[0-9]+$"]
        greatest = ["%d" % n for n in range(300, 0, -1)]

        def shown(*flags):
            rows = self.diff(*ncalls, *flags).splitlines()
            return [r.split()[1] for r in rows if "<string>" in r]

        self.assertEqual(shown("-n", "0"), greatest)
        self.assertEqual(shown(), greatest[:20])
        for n in 1, 149, 150, 151, 299, 300, 301:
            self.assertEqual(shown("-n", n), greatest[:n])
        self.assertIn("\n280 more differ: -n 0 shows all\n", self.diff(*ncalls))
        text = self.diff(*ncalls, "-q", "--fail-if", "ncalls > +0", check=1)
        self.assertEqual([line.split("-> ")[1].split()[0]
                          for line in text.splitlines() if "<string>" in line],
                         greatest[:49])         # and the totals

    @once
    def test_csv_is_json(self):
        self.make("10")
        self.make("15", "extra")
        rows = json.loads(self.diff("-o", "json"))
        table = list(csv.DictReader(io.StringIO(self.diff("-o", "csv"))))
        self.assertEqual([{k: "" if v is None else str(v)
                           for k, v in r.items()} for r in rows], table)

    @once
    def test_paths(self):
        self.make("10")
        self.make("15", "extra")
        _, rows = self.records("--paths")
        self.assertEqual(
            [(k, r["ncalls_a"], r["ncalls_b"], r["what"])
             for k, r in rows.items() if k.endswith("leaf")],
            [("<module> > Box.open > work > leaf", 10, 15, "slower"),
             ("<module> > new > leaf", 0, 1, "new")])
        work = rows["<module> > Box.open > work"]
        self.assertEqual(work["cumtime_ns_b"] - work["cumtime_ns_a"], 10)
        text = self.diff("--paths", self.db)
        self.assertIn("<module> > Box.open > work > leaf  app.py:5", text)

    @once
    def test_functions_are_known_in_another_place(self):
        self.make("10")
        elsewhere = self.script("    # a line more\n" + PROGRAM,
                                "elsewhere/app.py")
        self.record(["app.py", "10"], cwd=elsewhere.parent,
                    options="clock=step", db=self.tmp / "b.db")
        a, b = self.db, self.tmp / "b.db"
        _, rows = self.records(a, b, "--only", "app.py")
        self.assertEqual(rows, {})
        # ... not from the first program's folder; but by its name alone
        c = self.tmp / "c.db"
        self.record([elsewhere, "10"], options="clock=step", db=c)
        _, rows = self.records(a, c, "--only", "app.py")
        self.assertEqual(rows["leaf"]["what"], "new")
        _, rows = self.records(a, c, "--only", "app.py", "--strip-dirs")
        self.assertEqual(rows, {})

    # -------------------------------------------------------------- sides --

    @once
    def test_sides(self):
        for n in 1, 2, 3:
            self.make(str(n), label="base")
        for n in 4, 5, 6:
            self.make(str(n))
        other = self.tmp / "other.db"
        self.make("7", db=other, label="x:y <int:n>")
        self.make("9", db=other, label="x:y <int:n>")

        def calls(*args):
            """Median calls of leaf on both sides."""
            leaf = self.records(*args)[1]["leaf"]
            return leaf["ncalls_a"], leaf["ncalls_b"]

        self.assertEqual(calls(), (5, 6))               # the last two
        self.assertEqual(calls(self.db), (5, 6))
        self.assertEqual(calls("1", "4"), (1, 4))
        self.assertEqual(calls("4", "1"), (4, 1))
        self.assertEqual(calls(self.db, "1", "4"), (1, 4))
        self.assertEqual(calls("%s:3" % self.db, "5"), (3, 5))
        self.assertEqual(calls("base", "4-6"), (2, 5))
        self.assertEqual(calls("1,3-4,1", "6"), (3, 6))
        self.assertEqual(calls("--base", "base"), (2, 6))
        self.assertEqual(calls("--base", "base", "4-5"), (2, 4.5))
        self.assertEqual(calls(self.db, other), (6, 8))
        self.assertEqual(calls("%s:all" % self.db, other), (3.5, 8))
        self.assertEqual(calls("1", "%s:2" % other), (7, 9))    # of other
        self.assertEqual(calls("1", "%s:x:y <int:n>" % other), (7, 8))
        # A file with a colon in its name is that file.
        odd = self.tmp / "od:d.db"
        self.make("10", db=odd)
        self.assertEqual(calls(other, odd), (8, 10))
        self.assertEqual(calls(other, "%s:1" % odd), (8, 10))
        # A label may look like a number: a run of that number comes first.
        for n, label in ((12, "2024-01-02"), (13, "20240102"), (14, "1"),
                         (15, "feature/x"), (16, "v1.db")):
            self.make(str(n), db=other, label=label)
        self.assertEqual(calls("%s:2024-01-02" % other, "20240102"), (12, 13))
        self.assertEqual(calls("%s:1" % other, "20240102"), (7, 13))
        self.assertEqual(calls("--base", "1", "%s:4" % other), (14, 13))
        # ... or like a database, behind the name of one
        self.assertEqual(calls(other, "feature/x", "v1.db"), (15, 16))
        self.assertEqual(calls("%s:feature/x" % other, "1"), (15, 7))
        for label, run in ("20240102", 4), ("1", 1), ("2024-01-02", 3):
            self.tool("export", "--base", label, "-o", "out.html", other)
            self.assertIn('"title":"run %d"' % run,
                          (self.tmp / "out.html").read_text())

    @once
    def test_mistakes(self):
        self.make("1")
        for status, sentence, *args in (
                (1, "has 1 run: there is nothing to compare with"),
                (2, "is one side: what is it to be compared with", "1"),
                (1, "has no run 7", "7", "1"),
                (1, "has no run 5-9", "1", "5-9"),
                (1, 'has no run that is labelled "x"', "1", "x"),
                (1, 'has no run that is labelled "1-"', "1", "1-"),
                (1, 'has no run that is labelled "x"', "--base", "x"),
                (1, 'has no run that is labelled ""', "1", ""),
                (1, "there is no such database", "no.db", "1"),
                (1, "there is no such database", "no.db:1", "1"),
                (2, "two sides are compared: what is 3", "1", "2", "3"),
                (2, "--base is one side", "--base", "x", "1", "2"),
                (2, "--only=(: ", "--only", "(", "1", "1"),
                (2, "--sort=x: want ncalls", "-s", "x", "1", "1"),
                (2, "--output=x: want text", "-o", "x", "1", "1"),
                (2, "-n -1: want a whole number", "-n", "-1", "1", "1"),
                (2, "--fail-if: \"x\": want ncalls", "--fail-if", "x")):
            done = self.tool("diff", *args, check=status)
            self.assertIn(sentence, done.stderr)
            self.assertRegex(done.stderr, r"^proflite diff: [^\n]+\n$")
            self.assertEqual(done.stdout, "")

    @once
    def test_records_have_all_digits(self):
        self.make("10")
        self.make("10")
        self.fake_times("work", [1234567891, 9876543211])
        for row in self.records()[1]["work"], next(csv.DictReader(io.StringIO(
                self.diff("-o", "csv", "--only", r"\(work\)")))):
            self.assertEqual((int(row["tottime_ns_a"]),
                              int(row["tottime_ns_b"])),
                             (1234567891, 9876543211))

    # ----------------------------------------------------------- the gate --

    @once
    def test_gate_of_counts(self):
        self.make("10")
        self.make("10")
        self.make("11")
        gate = "--fail-if", "ncalls > +0%"
        text = self.diff(*gate, "1", "2")
        self.assertIn("\npassed: ncalls > +0%\n", text)
        text = self.diff(*gate, "1", "3", check=1)
        self.assertRegex(text, r"(?m)^failed: ncalls > \+0%\n"
                         r"  leaf  app.py:5  ncalls 10 -> 11 \(\+1, \+10\.0%\)"
                         r"\n  \(all together\)  ncalls \d+ -> \d+ \(\+1, ")
        # Fewer calls are no failure, unless asked for.
        self.diff(*gate, "3", "1")
        self.diff("--fail-if", "ncalls < -0%", "3", "1", check=1)
        self.diff("--fail-if", "ncalls > +10%", "1", "3")
        self.diff(*gate, "--only", r"\(old\)", "1", "3")
        self.diff(*gate, "--only", "leaf", "1", "3", check=1)
        self.diff(*gate, "--paths", "1", "3", check=1)
        # Any of several
        self.diff("--fail-if", "tottime > +50%", *gate, "1", "3", check=1)
        self.assertEqual(self.diff("-q", *gate, "1", "2"), "")
        # One that looks at nothing does not pass.
        done = self.tool("diff", *gate, "--only", "laef", "1", "2", check=1)
        self.assertEqual((done.stdout, done.stderr), (
            "", "proflite diff: --only=laef: no function of these runs "
            "matches: proflite report prints their names\n"))
        text = self.diff("-q", *gate, "1", "3", check=1)
        self.assertTrue(text.startswith("failed: ncalls > +0%\n  leaf  "), text)
        # A value, for which nothing need have changed
        text = self.diff("-q", "--fail-if", "ncalls >= 10", "--only", "leaf",
                         "1", "2", check=1)
        self.assertIn("leaf  app.py:5  ncalls 10 -> 10 (0)", text)

    @once
    def test_gate_in_json(self):
        self.make("10")
        self.make("11")
        gate = "--fail-if", "ncalls > +0%"
        total, rows = self.records(*gate, check=1)
        self.assertEqual(total["failed"], "ncalls > +0%")
        self.assertEqual(rows["leaf"]["failed"], "ncalls > +0%")
        self.assertIsNone(rows["work"]["failed"])
        rows = self.records("-q", *gate, check=1)[1]
        self.assertEqual(list(rows), ["leaf"])

    @once
    def test_gate_of_times(self):
        self.make("10")
        self.make("10")
        ms = 10**6
        self.fake_times("work", [50 * ms, 58 * ms])
        for expression, fails in (
                ("tottime > +10% and > 5ms", 1), ("tottime > +20%", 0),
                ("tottime > +10% and > 60ms", 0), ("tottime > +7ms", 1),
                ("tottime > +9ms", 0), ("cumtime > +10%", 1),
                ("tottime > 99%", 1)):
            self.diff("-q", "--fail-if", expression, check=fails)
        text = self.diff("-q", "--fail-if", "tottime > +7ms", check=1)
        self.assertIn("  work  app.py:8  tottime 50.000 ms -> 58.000 ms "
                      "(+8.000 ms, +16.0%)\n", text)

    @once
    def test_gate_of_shares(self):
        """All functions together have 100% always: that is no failure."""
        self.make("10")
        self.make("10")
        all_of_them, leaf = self.value(
            "select n_calls from threads where id = 1"), 10
        share = 100 * leaf // all_of_them
        for expression, fails in (
                ("ncalls > 99%", 0), ("ncalls > %d%%" % (share - 1), 1),
                ("ncalls > %d%%" % (share + 1), 0),
                # ... of a value it may be one
                ("ncalls >= %d" % all_of_them, 1)):
            self.diff("-q", "--fail-if", expression, "1", "2", check=fails)
        text = self.diff("-q", "--fail-if", "ncalls > 1%", "1", "2", check=1)
        self.assertNotIn("together", text)
        text = self.diff("-q", "--fail-if", "ncalls > 1%", "--only", "leaf|work",
                         "1", "2", check=1)
        self.assertIn("(all together)", text)

    @once
    def test_noise(self):
        for _ in range(3):
            self.make("10", label="base")
        for _ in range(3):
            self.make("10", label="new")
        ms = 10**6
        gate = "--fail-if", "tottime > +5%"
        # The ranges overlap, though the medians are far apart.
        self.fake_times("work", [10 * ms, 11 * ms, 30 * ms,
                                 20 * ms, 21 * ms, 22 * ms])
        text = self.diff("base", "new", *gate)
        self.assertRegex(text, r"(?m) noise  work  app.py:8$")
        self.assertIn("passed", text)
        # They don't.
        self.fake_times("work", [10 * ms, 11 * ms, 12 * ms,
                                 20 * ms, 21 * ms, 22 * ms])
        text = self.diff("--base", "base", *gate, check=1)
        self.assertRegex(text, r"work  app.py:8  tottime 11.000 ms -> "
                         r"21.000 ms \(\+10.000 ms, \+90.9%\)")
        row = self.records("base", "new")[1]["work"]
        self.assertEqual(
            [row["tottime_ns_" + k] for k in ("a", "a_low", "a_high", "b",
                                              "b_low", "b_high")],
            [n * ms for n in (11, 10, 12, 21, 20, 22)])

    @once
    def test_what_was_recorded_otherwise(self):
        self.make("10")
        self.record([self.app, "10"])
        self.record([self.app, "10"], options="builtins=no")
        done = self.tool("diff", "1", "2")
        self.assertEqual(done.stderr, "proflite diff: note: times of different "
                         "clocks, step and wall, do not compare\n")
        self.assertEqual(self.tool("diff", "--fail-if", "ncalls > +0%", "-q",
                                   "1", "2").stdout, "")
        for expression in "tottime > +1%", "ncalls > 5 or cumtime > 1s":
            done = self.tool("diff", "--fail-if", expression, "1", "1-2",
                             check=1)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr, "proflite diff: --fail-if: \"%s\" is "
                             "about times, and they were taken with different "
                             "clocks, step and wall: record both sides with "
                             "one\n" % expression)
        done = self.tool("diff", "2", "3")
        self.assertRegex(done.stderr, r"^proflite diff: note: not all runs were "
                         r"recorded with the same --no-builtins [^\n]+\n$")

    @once
    def test_imported_runs(self):
        for n in "1", "2":
            self.python(["-m", "cProfile", "-o", "c.prof", self.app, n])
            self.tool("import", "-o", self.db, "c.prof")
        leaf = self.records(self.db)[1]["leaf"]
        self.assertEqual((leaf["ncalls_a"], leaf["ncalls_b"]), (1, 2))
        done = self.tool("diff", "--paths", check=1)
        self.assertIn("has no call paths", done.stderr)
