# SPDX-License-Identifier: MIT
"""`proflite merge` and `proflite sql`."""

import json
import shutil
import sqlite3

import consumers
from harness import Case, once

PROGRAM = """
    import subprocess, sys, threading
    def work(n):
        return sum(len("x") for _ in range(n))
    thread = threading.Thread(target=work, args=(3,), name="worker")
    thread.start()
    thread.join()
    work(int(sys.argv[1]))
    if len(sys.argv) > 2:
        subprocess.run([sys.executable, __file__, "4"], check=True)
    """

TABLES = ["runs", "processes", "threads", "nodes", "function_stats",
          "call_stats"]


class Merge(Case):
    def setUp(self):
        self.app = self.script(PROGRAM)
        self.all = self.tmp / "all.db"

    def make(self, name, *args, **kwargs):
        path = self.tmp / name
        self.record([self.app, *args], options="clock=step", db=path, **kwargs)
        return path

    def merge(self, *names, check=0):
        return self.tool("merge", "-o", self.all, *names, check=check)

    def counts(self, db):
        return [self.value("select count(*) from " + t, db=db) for t in TABLES]

    def facts(self, db):
        """All that is known of runs and their nodes, but row numbers."""
        return [
            self.rows("select uuid, label, started_ns, source from runs "
                      "order by uuid", db=db),
            self.rows(
                "select r.uuid, p.uuid, q.uuid, p.pid, p.started_ns, "
                "p.end_reason, p.argv, p.command, p.cwd, p.host, p.python, "
                "p.clock, p.ns_per_tick, p.builtins, p.max_nodes, "
                "p.cost_py_in_ns from processes p join runs r on "
                "r.id = p.run_id left join processes q on q.id = p.parent_id "
                "order by p.uuid", db=db),
            self.rows(
                "select p.uuid, t.tid, t.name, t.counted, t.duration_ns, "
                "t.n_calls, n.id - first_node, n.parent_id - first_node, "
                "last_id - first_node, filename, line, f.name, kind, qualname, "
                "calls, resumes, total_ns, self_ns, min_ns, max_ns, flags "
                "from nodes n join threads t on t.id = n.thread_id "
                "join processes p on p.id = t.process_id "
                "left join functions f on f.id = n.function_id "
                "order by p.uuid, t.tid, n.id", db=db),
            self.rows("select r.uuid, ncalls, primcalls, tottime, cumtime, "
                      "filename, line, function from pstats s "
                      "join runs r on r.id = run_id", db=db),
            self.rows("select r.uuid, caller_filename, caller_line, "
                      "caller_function, ncalls, primcalls, tottime, cumtime, "
                      "filename, line, function from callers s "
                      "join runs r on r.id = run_id", db=db),
        ]

    def together(self, *dbs):
        return [sorted((row for rows in parts for row in rows), key=repr)
                for parts in zip(*map(self.facts, dbs))]

    def sorted_facts(self, db):
        return [sorted(rows, key=repr) for rows in self.facts(db)]

    # Functions differ between versions, and so do their numbers.
    def test_nothing_is_lost(self):
        a = self.make("a.db", "5", "child", flags=["--label", "first"])
        b = self.make("b.db", "6")
        self.make("b.db", "7", flags=["--label", "second"])
        done = self.merge(a, b)
        self.assertEqual(done.stdout, "%s: 2 processes of 1 run\n"
                         "%s: 2 processes of 2 runs\n" % (a, b))
        self.assertEqual(self.counts(self.all), [
            x + y for x, y in zip(self.counts(a), self.counts(b))])
        self.assertEqual(self.sorted_facts(self.all), self.together(a, b))
        self.assertEqual(self.rows("pragma integrity_check", db=self.all),
                         [("ok",)])
        self.assertEqual(self.rows("pragma foreign_key_check", db=self.all), [])
        for run, (db, old) in enumerate([(a, 1), (b, 1), (b, 2)], 1):
            self.assertEqual(
                self.report("-n0", "-s", "nfl", "--run=%d" % run, db=self.all),
                self.report("-n0", "-s", "nfl", "--run=%d" % old, db=db))

    @once
    def test_again_adds_nothing(self):
        self.make("a.db", "5", "child")
        self.make("b.db", "6")
        self.merge("a.db", "b.db")
        before = self.sorted_facts(self.all)
        # As `merge *.db -o all.db` does it the second time
        done = self.merge("a.db", "all.db", "b.db")
        self.assertEqual(done.stdout,
                         "a.db: 0 processes of 0 runs, 2 were there already\n"
                         "b.db: 0 processes of 0 runs, 1 was there already\n")
        self.assertEqual(self.sorted_facts(self.all), before)
        self.make("a.db", "8")
        done = self.merge("a.db", "b.db")
        self.assertIn("a.db: 1 process of 1 run, 2 were there", done.stdout)
        self.assertEqual(self.value("select count(*) from runs", db=self.all),
                         3)

    @once
    def test_processes_of_one_run_come_together(self):
        self.make("a.db", "5", "child")
        shutil.copy(self.tmp / "a.db", self.tmp / "b.db")
        # As if each had been recorded on a machine of its own
        for name, keep in ("a.db", "="), ("b.db", "<>"):
            c = sqlite3.connect(self.tmp / name)
            gone = "(select id from processes where id %s 1)" % (
                "<>" if keep == "=" else "=")
            for sql in ("delete from nodes where thread_id in (select id from "
                        "threads where process_id in %s)",
                        "delete from function_stats where thread_id in (select "
                        "id from threads where process_id in %s)",
                        "delete from call_stats where thread_id in (select id "
                        "from threads where process_id in %s)",
                        "delete from threads where process_id in %s",
                        "delete from processes where id in %s",
                        "update processes set parent_id = null "
                        "where parent_id in %s"):
                c.execute(sql % gone)
            c.commit()
            c.close()
        whole = self.make("whole.db", "1")
        whole.unlink()
        for order in ("a.db", "b.db"), ("b.db", "a.db"):
            self.all.unlink(missing_ok=True)
            self.merge(*order)
            self.assertEqual(self.value("select count(*) from runs",
                                        db=self.all), 1)
            self.assertEqual(self.rows(
                "select c.pid <> p.pid, c.ppid = p.pid from processes c "
                "join processes p on p.id = c.parent_id", db=self.all),
                [(1, 1)])

    @once
    def test_a_later_state_replaces_an_earlier(self):
        a = self.make("a.db", "5")
        self.merge(a)
        total = self.value("select sum(n_calls) from threads", db=self.all)
        c = sqlite3.connect(self.all)
        c.execute("update processes set end_reason = 'running', last_tick = 1")
        c.execute("update function_stats set calls = 99")
        c.commit()
        c.close()
        done = self.merge(a)
        self.assertIn("1 process of 1 run\n", done.stdout)
        self.assertEqual(self.rows("select end_reason from processes",
                                   db=self.all), [("exit",)])
        self.assertEqual(self.counts(self.all), self.counts(a))
        self.assertEqual(self.value(
            "select sum(calls + resumes) from function_stats", db=self.all),
            total)

    @once
    def test_imported_runs(self):
        self.python(["-m", "cProfile", "-o", "c.prof", self.app, "3"])
        self.tool("import", "-o", self.tmp / "a.db", "c.prof")
        self.merge("a.db")
        self.merge("a.db")
        self.assertEqual(self.counts(self.all), self.counts(self.tmp / "a.db"))
        self.assertEqual(self.report("-n0", db=self.all),
                         self.report("-n0", db=self.tmp / "a.db"))

    @once
    def test_what_cannot_be_read_does_not_keep_the_others_out(self):
        self.make("a.db", "5")
        self.script("no database", "x.db")
        done = self.merge("x.db", "no.db", "a.db", check=1)
        self.assertEqual(self.counts(self.all), self.counts(self.tmp / "a.db"))
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertIn("proflite merge: x.db is not a database", done.stderr)
        self.assertIn("proflite merge: no.db: there is no such", done.stderr)
        for args in ([], ["-o", "all.db"], ["a.db"]):
            done = self.tool("merge", *args, check=2)
            self.assertRegex(done.stderr, r"^proflite merge: .*\n$")

    @once
    def test_a_read_only_source(self):
        a = self.make("a.db", "5")
        a.chmod(0o400)
        self.merge(a)
        self.assertEqual(self.counts(self.all), self.counts(a))


class Sql(Case):
    def make(self):
        consumers.need(self, "sqlite3")
        self.record([self.script("len('x')")], options="clock=step")

    @once
    def test_query(self):
        self.make()
        done = self.tool("sql", "-o", "json", self.db,
                         "select function, ncalls from pstats "
                         "where function like '%len%'")
        self.assertEqual(json.loads(done.stdout),
                         [{"function": "<built-in method builtins.len>",
                           "ncalls": 1}])
        for db in [], [self.db]:
            done = self.tool("sql", "-o", "csv", *db,
                             "select 1.0 / 2 as half")
            self.assertEqual(done.stdout, "half\n0.5\n")
        done = self.tool("sql", input="select count(*) as n from runs;\n")
        self.assertRegex(done.stdout, r"\| +n +\|(?s:.)*\| +1 +\|")
        self.assertIn("call_paths", self.tool("sql", "--help").stdout)

    @once
    def test_nothing_can_be_changed(self):
        self.make()
        before = self.db.read_bytes()
        for query in ("delete from runs", "drop table nodes",
                      "create table x (y)", "pragma user_version = 9",
                      "insert into runs values (9, 'x', 'x', 1, 'import')"):
            done = self.tool("sql", self.db, query, check=None)
            self.assertNotEqual(done.returncode, 0, query)
        self.assertEqual(self.db.read_bytes(), before)

    @once
    def test_mistakes(self):
        self.make()
        for status, sentence, *args in (
                (1, "there is no such database", "no.db", "select 1"),
                (1, "there is no such database", "no.db"),
                (2, "want one of sqlite3's modes", "-o", "x", "select 1"),
                (2, "one query at a time", self.db, "select 1", "select 2")):
            done = self.tool("sql", *args, check=status)
            self.assertRegex(done.stderr, r"^proflite sql: [^\n]+\n$")
            self.assertIn(sentence, done.stderr)
        done = self.tool("sql", self.db, "select 1",
                         env={"PATH": "/nowhere"}, check=1)
        self.assertIn("install sqlite3", done.stderr)
