# SPDX-License-Identifier: MIT
"""Databases and journals that another user planted."""

import os
import sqlite3
import stat

import terminal
from strangers import (ALICE, TOOL, TRUST, Hostile, journal, once)


class Journals(Hostile):
    @once
    def test_journal_of_another_user_is_not_rolled_back(self):
        """Nor does its super-journal's name delete a file."""
        db = self.make(self.shared / "x.db")
        precious = self.tmp / "precious"
        precious.write_text("root's")
        planted = self.plant(self.shared / "x.db-journal", journal(precious))
        before = db.read_bytes(), planted.read_bytes()
        line = ("%s-journal is not used: it belongs to user 12345, who alone "
                "may roll it back; if nothing else is writing %s, remove the "
                "journal (the last, unfinished write is lost)" % (db, db))
        for extra in [], ["--trust"]:
            for command in ["report"], ["runs"], ["tree"], \
                    ["export", "-f", "json"], ["sql"]:
                with self.subTest(command + extra):
                    self.refused(*command, *extra, db, line=line)
        self.refused("record", "-o", db, "true", line=line)
        self.refused("import", "-o", db, self.pstats(), line=line)
        self.assertEqual(precious.read_text(), "root's")
        self.assertEqual((db.read_bytes(), planted.read_bytes()), before)

    def pstats(self):
        path = self.tmp / "a.prof"
        self.python(["-c", "import cProfile; cProfile.run('1', %r)" % str(path)])
        return path

    @once
    def test_journal_of_root_names_no_other_file_either(self):
        db = self.make(self.shared / "x.db")
        precious = self.tmp / "precious"
        precious.write_text("root's")
        self.plant(self.shared / "x.db-journal", journal(precious), owner=0)
        self.refused("report", db, line="%s-journal names another file, %s: it "
                     "is not proflite's" % (db, precious))
        self.assertEqual(precious.read_text(), "root's")

    @once
    def test_journal_of_the_caller_is_rolled_back_in_a_shared_folder(self):
        db = self.shared / "x.db"
        self.killed_writer(db)
        self.assertEqual(self.calls_by_tool(db), "100\n")
        self.assertEqual(os.listdir(self.shared), ["x.db"])

    def killed_writer(self, db):
        """A writer that was killed when it had written a part."""
        self.make(db)
        pid = os.fork()
        if not pid:
            c = sqlite3.connect(db, isolation_level=None)
            c.execute("pragma cache_size = 1")
            c.execute("begin")
            c.execute("delete from function_stats")
            c.execute("create table filler as with recursive n(i) as (select 1 "
                      "union all select i + 1 from n where i < 2000) "
                      "select i, hex(zeroblob(100)) from n")
            os.kill(os.getpid(), 9)
        os.waitpid(pid, 0)
        self.assertIn(db.name + "-journal", os.listdir(db.parent))

    def calls_by_tool(self, *args):
        return self.tool("sql", "-o", "list", *args,
                         "select ncalls from pstats where function = 'f'"
                         ).stdout.replace("ncalls\n", "")

    @once
    def test_journal_in_a_folder_of_another_user(self):
        """She could have renamed any file of root's to it."""
        folder = self.tmp / "hers"
        folder.mkdir()
        db = folder / "x.db"
        self.killed_writer(db)
        self.give(folder)
        line = ("%s-journal is not used: other users can rename files in this "
                "folder; if nothing else is writing %s, remove the journal "
                "(the last, unfinished write is lost)" % (db, db))
        self.refused("report", db, line=line)
        self.assertEqual(self.calls_by_tool("--trust", db), "100\n")

    @once
    def test_root_works_in_a_folder_of_another_user(self):
        """A container's folder often belongs to a user outside."""
        folder = self.tmp / "hers"
        folder.mkdir()
        self.give(folder)
        db = self.make(folder / "x.db")
        self.make(db)
        self.assertEqual(self.calls(db), [(100,), (100,)])
        self.assertEqual(os.listdir(folder), ["x.db"])

    @once
    def test_write_ahead_log_is_refused(self):
        """It shares memory through one more file."""
        db = self.make(self.shared / "x.db")
        self.change(db, "pragma journal_mode = wal")
        self.refused("report", db, line="%s is in SQLite's write-ahead mode: "
                     "want one that proflite has made (sqlite3 %s 'pragma "
                     "journal_mode=delete' undoes it)" % (db, db))
        self.assertEqual(os.listdir(self.shared), ["x.db"])


class Owners(Hostile):
    def commands(self, db):
        """All commands that open a database, with @db."""
        ours = self.make(self.tmp / "ours.db")
        return [
            ["report", db], ["callers", db, "f"], ["callees", db, "f"],
            ["tree", db], ["runs", db], ["sql", db, "select 1"],
            ["diff", "%s:1" % db, "%s:1" % db],
            ["export", "-f", "json", db],
            ["merge", "-o", self.tmp / "all.db", db], ["merge", "-o", db, ours],
            ["push", "http://127.0.0.1:9", db],
            ["import", "-o", db, self.prof()],
            ["record", "-o", db, "true"],
        ]

    def prof(self):
        path = self.tmp / "a.prof"
        self.python(["-c", "import cProfile; cProfile.run('1', %r)" % str(path)])
        return path

    @once
    def test_database_of_another_user_is_refused(self):
        """Whatever its mode; nothing in it changes."""
        db = self.make(self.shared / "x.db")
        self.give(db, mode=0o666)
        before = db.read_bytes()
        for command in self.commands(db):
            with self.subTest(command[0]):
                self.refused(*command, line="%s belongs to user 12345: %s" % (
                    db, TRUST))
        self.assertEqual(db.read_bytes(), before)
        self.assertEqual(os.listdir(self.shared), ["x.db"])

    @once
    def test_trust_opens_it(self):
        db = self.make(self.shared / "x.db")
        self.give(db, mode=0o666)
        for command in self.commands(db):
            if command[0] != "push":
                with self.subTest(command[0]):
                    self.tool(command[0], "--trust", *command[1:])

    @once
    def test_database_of_root_is_read_by_others(self):
        db = self.make(self.shared / "x.db")
        os.chmod(db, 0o644)
        done = self.command([TOOL, "report", db], user=ALICE, group=ALICE,
                            extra_groups=[])
        self.assertIn("app.py", done.stdout)
        self.assertEqual(done.stderr, "")

    @once
    def test_user_has_a_name(self):
        db = self.make(self.shared / "x.db")
        self.give(db, 65534)
        self.refused("report", db, line="%s belongs to user nobody: %s" % (
            db, TRUST))

    @once
    def test_reading_with_trust_changes_nothing(self):
        db = self.make(self.shared / "x.db")
        left = self.recording(db)
        self.give(db)
        before = db.read_bytes()
        done = self.tool("report", "--trust", db)
        self.assertEqual(done.stderr, "")
        self.assertEqual(db.read_bytes(), before)
        self.assertEqual(sorted(os.listdir(self.shared)),
                         sorted(["x.db", left.name]))

    @once
    def test_link_of_another_user_to_an_empty_file(self):
        empty = self.plant(self.tmp / "empty", owner=0)
        link = self.shared / "x.db"
        link.symlink_to(empty)
        self.give(link)
        line = "%s belongs to user 12345: %s" % (link, TRUST)
        self.refused("record", "-o", link, "true", line=line)
        self.refused("import", "-o", link, self.prof(), line=line)
        self.preload([self.app], db=link)
        self.assertEqual(empty.stat().st_size, 0)

    @once
    def test_link_of_the_caller_is_followed(self):
        db = self.make(self.tmp / "real.db")
        (self.shared / "x.db").symlink_to("../real.db")
        self.make(self.shared / "x.db")
        self.assertEqual(self.calls(db), [(100,), (100,)])

    @once
    def test_empty_file_with_another_name_is_not_filled(self):
        empty = self.plant(self.tmp / "empty", owner=0)
        os.link(empty, self.shared / "x.db")
        self.refused("import", "-o", self.shared / "x.db", self.prof(),
                     line="%s is an empty file with another name: want a new "
                     "name" % (self.shared / "x.db"))
        self.assertEqual(empty.stat().st_size, 0)

    @once
    def test_export_follows_no_link_of_another_user(self):
        db = self.make(self.tmp / "x.db")
        target = self.plant(self.tmp / "target", b"root's", owner=0)
        link = self.shared / "x.json"
        link.symlink_to(target)
        self.give(link)
        self.refused("export", "-f", "json", "-o", link, db,
                     line="%s belongs to user 12345: %s" % (link, TRUST))
        self.assertEqual(target.read_bytes(), b"root's")

    @once
    def test_process_leaves_the_database_of_another_user_alone(self):
        """The profiled program goes on, and its recording stays."""
        db = self.make(self.shared / "x.db")
        self.give(db, mode=0o666)
        before = db.read_bytes()
        done = self.preload([self.app], db=db)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("%s belongs to user 12345" % db, done.stderr)
        self.assertEqual(db.read_bytes(), before)
        left = sorted(os.listdir(self.shared))
        self.assertEqual(len(left), 2, left)
        self.give(db, 0)
        self.tool("runs", db)
        self.assertEqual(self.calls(db), [(100,), (100,)])


class Contents(Hostile):
    """The database belongs to the caller: a copy of somebody else's."""

    QUERY = "select * from pstats order by tottime desc limit 10"

    @once
    def test_view_that_runs_a_shell(self):
        db = self.make(self.tmp / "x.db")
        self.change(db, "drop view pstats", "create view pstats as select "
                    "edit('x', 'touch %s/ran; true') as tottime" % self.tmp)
        done = self.tool("sql", db, self.QUERY, check=1)
        self.assertIn("safe mode", done.stdout + done.stderr)
        self.assertFalse((self.tmp / "ran").exists())

    @once
    def test_settings_of_another_users_home(self):
        """sqlite3 runs what ~/.sqliterc says, and HOME may be anybody's."""
        db = self.make(self.shared / "x.db")
        self.give(db)
        home = self.tmp / "home"
        home.mkdir()
        self.plant(home / ".sqliterc",
                   b".shell touch %s/ran\n" % bytes(self.shared))
        for owner, ran in (65534, False), (ALICE, True):
            self.give(home, owner)
            # sqlite3 takes HOME of a user without a name.
            text, status = terminal.run(
                ["setpriv", "--reuid=%d" % ALICE, "--regid=%d" % ALICE,
                 "--clear-groups", TOOL, "sql", db],
                env=self.environment({"TERM": "xterm", "HOME": home}),
                cwd=self.tmp, typed=b".quit\n")
            self.assertEqual(status, 0, text)
            self.assertEqual((self.shared / "ran").exists(), ran, text)

    @once
    def test_triggers_do_not_fire(self):
        db = self.make(self.tmp / "x.db")
        self.change(db, "create trigger t after insert on function_stats begin "
                    "delete from function_stats; end")
        self.make(db)
        self.assertEqual(self.calls(db), [(100,), (100,)])

    @once
    def test_table_with_an_expression_of_its_own_is_refused(self):
        for what, old, new in (
                ("table runs", "label TEXT,",
                 "label TEXT, evil TEXT AS (hex(zeroblob(900000000))),"),
                ("table nodes", "calls INTEGER NOT NULL,",
                 "calls INTEGER NOT NULL CHECK (calls > abs(random())),")):
            db = self.make(self.tmp / ("%s.db" % what[-5:]))
            table = what.split()[1]
            sql = self.value("select sql from sqlite_schema where name = ?",
                             table, db=db)
            self.assertIn(old, sql)
            self.change(db, "drop table %s" % table,
                        sql.replace(old, new, 1))
            line = ("%s is damaged: its %s is not the one that proflite makes"
                    % (db, what))
            with self.subTest(what):
                self.refused("report", db, line=line)
                self.refused("record", "-o", db, "true", line=line)
                self.refused("merge", "-o", self.tmp / "all.db", db, line=line)
            db.unlink()

    @once
    def test_index_with_an_expression_is_refused_and_a_plain_one_is_not(self):
        db = self.make(self.tmp / "x.db")
        self.change(db, "create index own on nodes (function_id, calls)",
                    "create table notes (text)",
                    "create view own_view as select * from nodes")
        self.tool("report", db)
        self.change(db, "create index evil on runs (hex(zeroblob(9)))")
        self.refused("report", db, line="%s is damaged: its index evil is not "
                     "the one that proflite makes" % db)

    @once
    def test_modes(self):
        """What proflite makes, only the caller can read or write."""
        db = self.make(self.shared / "x.db")
        self.assertEqual(stat.S_IMODE(db.stat().st_mode), 0o600)
        left = self.recording(db, owner=0)
        self.assertEqual(stat.S_IMODE(left.stat().st_mode), 0o600)
