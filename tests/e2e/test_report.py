# SPDX-License-Identifier: MIT
"""`proflite report`, callers, callees and runs beside pstats' table: columns,
records for scripts, what a terminal gets."""

import csv
import io
import json
import re

from harness import Case, once

PROGRAM = """
    import threading

    def leaf(n):
        return n

    def fib(n):
        return leaf(n) if n < 2 else fib(n - 1) + fib(n - 2)

    def squares(n):
        for i in range(n):
            yield leaf(i)

    class Box:
        def total(self):
            return sum(squares(10))

    def main():
        fib(8)
        Box().total()
        thread = threading.Thread(target=fib, args=(5,), name="worker")
        thread.start()
        thread.join()

    main()
    """

COLUMNS = ["cumpercent", "percent", "self_ns", "percall_ns", "total_ns",
           "mean_ns", "min_ns", "max_ns", "ncalls", "primcalls", "resumes",
           "raw_self_ns", "comp_self_ns", "raw_total_ns", "comp_total_ns",
           "function", "filename", "line"]

STATS = """
    select ifnull(case when kind = 'python' then qualname end, case kind
        when 'c' then '{' || substr(f.name, 2, length(f.name) - 2) || '}'
        else f.name end), filename, line, sum(calls + resumes), sum(primitive),
        sum(resumes), sum(self_ns), sum(cum_ns), min(min_ns), max(max_ns)
    from function_stats s join functions f on f.id = s.function_id
    join threads t on t.id = s.thread_id where counted and %s group by f.id
    """


MANY = """
    import threading

    exec("".join("def f%d(): pass\\n" % i for i in range(600)))
    exec("def all_of_them():\\n" +
         "".join("    f%d()\\n" % i for i in range(600)))
    for _ in range(4):
        thread = threading.Thread(target=all_of_them)
        thread.start()
        thread.join()
    """


class ManyPairs(Case):
    @once
    def test_pairs_of_many_threads_are_added_up(self):
        """They are merged whenever there are 1024 of them."""
        self.record([self.script(MANY)], options="clock=step,builtins=no")
        for command, ours in ("callers", "caller"), ("callees", "callee"):
            rows = json.loads(self.tool(command, "-o", "json", self.db).stdout)
            found = sorted((r["function"], r[ours], r["ncalls"], r["self_ns"])
                           for r in rows if r[ours] is not None)
            names = ("callee", "caller") if ours == "caller" else \
                ("caller", "callee")
            self.assertEqual(found, sorted(self.rows(
                "select ifnull(a.qualname, a.name), ifnull(b.qualname, b.name),"
                " sum(calls + resumes), sum(self_ns) from call_stats "
                "join functions a on a.id = %s_id "
                "join functions b on b.id = %s_id group by a.id, b.id"
                % names)))
            self.assertEqual(sum(name[0][0] == "f" and name[2] == 4
                                 for name in found),
                             600 if ours == "caller" else 0)


class Report(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)
        self.record([self.app], options="clock=step")

    def records(self, *args, only=()):
        return json.loads(self.tool(*args, "-o", "json", self.db, "--",
                                    *only).stdout)

    def text(self, *args, **kwargs):
        kwargs.setdefault("env", {"NO_COLOR": "1"})
        return self.on_terminal(*args, self.db, **kwargs)

    # ------------------------------------------------------------- records --

    # Every version, for each knows other functions.
    def test_records_are_the_figures_of_the_database(self):
        rows = self.records("report")
        self.assertEqual(list(rows[0]), COLUMNS)
        self.assertEqual(sorted(
            (r["function"], r["filename"], r["line"], r["ncalls"],
             r["primcalls"], r["resumes"], r["self_ns"], r["total_ns"],
             r["min_ns"], r["max_ns"]) for r in rows),
            sorted(self.rows(STATS % 1)))
        total = sum(r["self_ns"] for r in rows)
        for r in rows:
            self.assertAlmostEqual(r["percent"], 100 * r["self_ns"] / total,
                                   delta=1e-3)
            self.assertAlmostEqual(r["mean_ns"], r["total_ns"] /
                                   r["primcalls"], delta=1e-5 * r["mean_ns"])
        # sorted as the table is
        self.assertEqual([r["self_ns"] for r in rows],
                         sorted((r["self_ns"] for r in rows), reverse=True))

    @once
    def test_csv_is_the_same(self):
        rows = list(csv.DictReader(io.StringIO(self.tool(
            "report", "-o", "csv", self.db).stdout)))
        self.assertEqual(
            rows, [{k: "%.15g" % v if isinstance(v, float) else str(v)
                    for k, v in r.items()} for r in self.records("report")])

    @once
    def test_columns_sort_and_restrictions_choose(self):
        rows = self.records("report", "--columns=max,ncalls", "-s", "calls",
                            only=[r"app\.py", "3"])
        self.assertEqual(list(rows[0]), ["max_ns", "ncalls", *COLUMNS[-3:]])
        self.assertEqual([r["ncalls"] for r in rows], [r[0] for r in self.rows(
            "select ncalls from pstats where filename like '%app.py' "
            "order by ncalls desc limit 3")])

    @once
    def test_a_thread(self):
        id = self.value("select id from threads where name = 'worker'")
        for scope, where in (("--thread=%d" % id, "t.id = %d" % id),
                             ("--process=1", "t.process_id = 1")):
            self.assertEqual(
                sorted((r["function"], r["ncalls"], r["self_ns"])
                       for r in self.records("report", scope)),
                sorted((r[0], r[3], r[6]) for r in self.rows(STATS % where)))

    @once
    def test_callers_and_callees(self):
        pairs = self.rows("""
            select ifnull(g.qualname, g.name), f.name, sum(calls + resumes),
                sum(cum_ns)
            from call_stats s join functions f on f.id = callee_id
            join functions g on g.id = caller_id
            where f.name = 'leaf' group by caller_id""")
        rows = self.records("callers", only=[r"\(leaf\)"])
        self.assertEqual(list(rows[0]), COLUMNS + [
            "caller", "caller_filename", "caller_line"])
        self.assertEqual(sorted((r["caller"], r["function"], r["ncalls"],
                                 r["total_ns"]) for r in rows), sorted(pairs))
        self.assertAlmostEqual(sum(r["percent"] for r in rows), 100, delta=.01)
        found = [(r["function"], r["callee"], r["ncalls"], r["total_ns"])
                 for r in self.records("report", "--callees")
                 if r["callee"] == "leaf"]
        self.assertEqual(sorted(found), sorted(pairs))

    @once
    def test_runs(self):
        self.record([self.app], flags=["--label", "one, two"])
        rows = self.records("runs")
        self.assertEqual([(r["run"], r["label"], r["ncalls"], r["threads"],
                           r["end"], r["status"]) for r in rows],
                         self.rows("select r.id, label, sum(n_calls), "
                                   "count(*), end_reason, end_status from runs r "
                                   "join processes p on p.run_id = r.id join "
                                   "threads t on t.process_id = p.id "
                                   "group by r.id"))
        text = self.tool("runs", "-o", "csv", self.db).stdout
        self.assertEqual([r["label"] for r in csv.DictReader(
            io.StringIO(text))], ["", "one, two"])

    @once
    def test_what_is_wrong_is_said(self):
        for words, says in (
                (["report", "--columns=tottime,size"], '"size"'),
                (["report", "--columns="], "ncalls"),
                (["report", "-o", "xml"], "json or csv"),
                (["runs", "-o", "xml"], "json or csv"),
                (["report", "-o", "json", self.db, "("], "(")):
            done = self.tool(*words, check=2)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    # ---------------------------------------------------------- a terminal --

    @once
    def test_a_terminal_gets_one_screen(self):
        text = self.text("report", columns=90, lines=24)
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertRegex(lines[0], r"^run 1, [\d.]+ [mun]?s in \d+ calls: ")
        self.assertRegex(lines[2], r"^ +self +self (ns|us) +total (ns|us) +"
                                   "calls  function$")
        unit = {"ns": 1, "us": 1e3}
        per_self, per_total = [unit[u] for u in re.findall(
            r" ([nu]s)\b", lines[2])]
        self.assertRegex(lines[-1], r"^\d+ more functions are left out: -n 0 ")
        for line in lines:
            self.assertLessEqual(len(line), 90)
        shown = [re.match(r" *([\d.]+)% +([\d.]+) +([\d.]+) +([\d/]+)  (.*)",
                          line).groups() for line in lines[3:-2]]
        self.assertEqual(len(shown), 18)
        rows = {(r[0], r[2]): r for r in self.rows(STATS % 1)}
        fib, = [s for s in shown if s[4] == "fib  app.py:7"]
        _, _, _, calls, primitive, _, own, total, _, _ = rows["fib", 7]
        self.assertEqual(fib[1:4], ("%.3f" % (own / per_self), "%.3f" % (
            total / per_total), "%d/%d" % (calls, primitive)))
        # A pipe gets what pstats prints.
        self.assertIn("filename:lineno(function)", self.report())
        self.assertIn("filename:lineno(function)",
                      self.text("report", "--columns=pstats"))
        self.assertIn("fib  app.py:7", self.report("--columns=ncalls"))
        lines = self.report("--columns=all", "-n0").splitlines()
        fib, = [line for line in lines if line.endswith("  fib  app.py:7")]
        self.assertEqual(lines[2].index("  function"), fib.index("  fib "))

    @once
    def test_callers_on_a_terminal(self):
        text = self.tool("callers", "--columns=ncalls,cumpercent", self.db,
                         r"\(leaf\)").stdout
        self.assertRegex(text, r"(?s)^run 1, .*\n\n +calls +total +called by\n"
                         r"leaf  app\.py:4\n +\d+ +[\d.]+%  fib  app\.py:7\n"
                         r" +10 +[\d.]+%  squares  app\.py:10\n\n$")
        text = self.text("callees", "-n0", columns=70)
        self.assertIn("Box.total  app.py:15\n", text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 70)

    @once
    def test_the_command_is_whole_unless_it_is_a_terminal(self):
        words = ["x" * 300] * 2
        self.record([self.app, *words], options="clock=step")
        for command in ["report", "--columns=all"], ["tree"]:
            head = self.tool(*command, self.db).stdout.splitlines()[0]
            self.assertRegex(head, r"^run 2, [\d.]+ \w+ in \d+ calls: ")
            self.assertTrue(head.endswith("app.py %s %s" % tuple(words)))
            head = self.text(*command, columns=80).splitlines()[0]
            self.assertEqual(len(head), 80)
            self.assertTrue(head.endswith("…"))

    @once
    def test_pager_and_colours(self):
        self.record([self.script(PROGRAM.replace("fib(8)", "fib(7)"))],
                    options="clock=step")
        for words in ["report"], ["callers"], ["runs"], ["diff"]:
            text = self.text(*words, env={"PAGER": "sed s/^/paged:/"})
            self.assertTrue(all(l.startswith("paged:")
                                for l in text.splitlines()), text)
            self.assertIn("\x1b[1m", text)
            self.assertNotIn("\x1b", self.text(*words))
            self.assertNotIn("\x1b", self.tool(*words, self.db).stdout)
        self.record([self.app], options="clock=step,max_nodes=9")
        for words in ["report"], ["diff"]:
            note, *rest = self.text(*words, env={
                "PAGER": "sed s/^/paged:/"}).splitlines()
            self.assertRegex(note, "^proflite %s: note: .* came to its "
                             "max_nodes" % words[0])
            self.assertTrue(all(l.startswith("paged:") for l in rest), rest)
        self.assertNotIn("paged", self.text(
            "report", "-o", "csv", env={"PAGER": "sed s/^/paged:/"}))
