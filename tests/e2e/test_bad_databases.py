# SPDX-License-Identifier: MIT
"""Whatever the database is, a command that reads one says what is wrong with
it in one line."""

import random
import sqlite3

import consumers
from harness import Case, once

PROGRAM = """
    import threading
    def f(n):
        return n and f(n - 1) + len("x")
    thread = threading.Thread(target=f, args=(4,))
    thread.start()
    thread.join()
    f(6)
    """

FORMATS = ["callgrind", "chrome", "collapsed", "csv", "dot", "html", "json",
           "pprof", "pstats", "speedscope"]

# The discard port, where nobody listens.
NO_SERVER = "http://127.0.0.1:9"


def commands(db):
    """Every way to read @db, with only it on the command line."""
    yield "report", db
    yield "report", "--columns", "all", db
    yield "report", "-o", "json", db
    yield "callers", db
    yield "callees", "-o", "csv", db
    yield "tree", db
    yield "tree", "--unfold", "-o", "json", db
    yield "runs", db
    yield "runs", "-o", "csv", db
    yield "diff", db, "1", "1"
    yield "diff", db, "1", "1", "--paths"
    yield "sql", db, "select 1"
    yield "merge", "-o", "merged.db", db
    yield "push", NO_SERVER, db
    for format in FORMATS:
        yield "export", "-f", format, "-o", "out", db


class BadDatabases(Case):
    def make(self):
        self.record([self.script(PROGRAM)], options="clock=step")

    def refused(self, sentence, db, skip=()):
        for args in commands(db):
            if args[0] in skip:
                continue
            with self.subTest(" ".join(map(str, args))):
                done = self.tool(*args, check=1)
                self.assertRegex(done.stderr, r"^proflite %s: [^\n]*%s[^\n]*\n$"
                                 % (args[0], sentence))
                self.assertEqual(done.stdout, "")

    @once
    def test_none(self):
        self.refused("there is no such database", "none.db")

    @once
    def test_empty(self):
        self.script("", "empty.db")
        self.refused("is empty: nothing has been recorded", "empty.db")

    @once
    def test_no_database(self):
        self.script("hello " * 999, "text.db")
        self.refused("is not a database", "text.db")
        (self.tmp / "folder.db").mkdir()
        self.refused("is a folder", "folder.db")

    @once
    def test_of_another_application(self):
        c = sqlite3.connect(self.tmp / "other.db")
        c.execute("create table runs (id)")
        c.commit()
        c.close()
        self.refused("another application", "other.db")

    @once
    def test_newer(self):
        self.make()
        c = sqlite3.connect(self.db)
        c.execute("pragma user_version = 99")
        c.commit()
        c.close()
        self.refused("newer proflite", "./proflite.db")

    @once
    def test_cut_short(self):
        self.make()
        data = self.db.read_bytes()
        (self.tmp / "cut.db").write_bytes(data[:len(data) // 2])
        self.refused("damaged|malformed", "cut.db", skip=["sql"])

    @once
    def test_what_is_not_in_it(self):
        self.make()
        for args in commands(self.db):
            if args[0] not in ("report", "callers", "callees", "tree",
                               "export", "push"):
                continue
            for option, what in (("--run=9", "run 9"),
                                 ("--thread=99", "thread 99"),
                                 ("--process=88", "process 88")):
                done = self.tool(args[0], option, *args[1:], check=1)
                self.assertRegex(done.stderr, r"^proflite %s: [^\n]* has no "
                                 r"%s\n$" % (args[0], what))
            done = self.tool(args[0], "--run=x", *args[1:], check=2)
            self.assertRegex(done.stderr, r"^proflite %s: --run=x: want "
                             r"[^\n]*\n$" % args[0])
        for args in (["report", "--columns=all", "*"], ["callers", "["],
                     ["callees", "-o", "csv", "(?<x>a)"],
                     ["diff", "--only=(", "1", "1"]):
            done = self.tool(args[0], *args[1:-1], self.db, args[-1],
                             check=None)
            self.assertIn(done.returncode, (1, 2), args)
            self.assertRegex(done.stderr, r"^proflite %s: [^\n]*\n$" % args[0])
        for option in "--focus=[", "--ignore=*", "--focus=(?<x>a)":
            done = self.tool("tree", option, self.db, check=2)
            self.assertRegex(done.stderr, r"^proflite tree: [^\n]*\n$")

    @once
    def test_damaged_anywhere(self):
        """Bytes changed by chance: it works, or it says one thing."""
        self.make()
        consumers.need(self, "sqlite3")
        data = self.db.read_bytes()
        r = random.Random(1)
        bad = self.tmp / "bad.db"
        for _ in range(40):
            copy = bytearray(data)
            for _ in range(r.choice([1, 3, 30, 300])):
                copy[r.randrange(100, len(copy))] = r.randrange(256)
            bad.write_bytes(copy)
            for args in r.sample(list(commands("bad.db")), 4):
                done = self.tool(*args, check=None)
                self.assertIn(done.returncode, (0, 1), args)
                (self.tmp / "merged.db").unlink(missing_ok=True)
                if done.returncode and args[0] != "sql":
                    self.assertRegex(done.stderr,
                                     r"^proflite %s: [^\n]+\n$" % args[0])
