# SPDX-License-Identifier: MIT
"""What is missing in a run is said by the commands that show it."""

import sqlite3

from harness import Case, once

LOST = "7 calls are missing, for there was no room for them"
UNMATCHED = "1 call ended whose beginning was not recorded"
DAMAGE = "1 recording is not whole: the end is cut off"


class Remarks(Case):
    def change(self, *statements):
        with sqlite3.connect(self.db) as c:
            for sql in statements:
                c.execute(sql)
        c.close()

    def says(self, text):
        for words in (["report"], ["report", "--columns", "ncalls"],
                      ["callers", self.db, "f"], ["tree"], ["runs"],
                      ["runs", "-o", "json"], ["diff"],
                      ["export", "-f", "html", "-o", self.tmp / "x"],
                      ["export", "-f", "pstats", "-o", self.tmp / "x"]):
            db = [] if self.db in words else [self.db]
            tool = self.tool(*words[:1], *db, *words[1:], *(
                ["1", "2"] if words[0] == "diff" else []))
            self.assertEqual(tool.stderr, "proflite %s: note: run 2: %s\n" % (
                words[0], text) if text else "", words)

    @once
    def test_nothing_is_said_of_nothing(self):
        for i in range(2):
            self.record(["-c", "def f(): pass\nf()"])
        self.says("")

    @once
    def test_each_and_all(self):
        for i in range(2):
            self.record(["-c", "def f(): pass\nf()"])
        self.change("update threads set n_lost = 7 where process_id = 2")
        self.says(LOST)
        self.change("update threads set n_unmatched = 1 where process_id = 2")
        self.says(LOST + "; " + UNMATCHED)
        self.change("update processes set damage = 'the end is cut off' "
                    "where id = 2", "update threads set n_lost = 0")
        self.says(UNMATCHED + "; " + DAMAGE)
        self.change("update threads set n_unmatched = 0")
        self.says(DAMAGE)
        # The first run is whole.
        self.assertEqual(self.tool("report", "--run", "1", self.db).stderr, "")

    def test_nothing_of_calls_that_were_open_at_the_start(self):
        app = self.script("""
            import proflite

            def f():
                proflite.start(out="proflite.db")
                len(())

            def g():
                f()

            g()
            """)
        self.python([app])
        self.assertEqual(self.tool("report", self.db).stderr, "")
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)

    @once
    def test_damaged_recording(self):
        """From the file to the line."""
        self.preload(["-c", "import json\ndef f(): pass\nf()"],
                     options="ingest=no")
        recording, = self.tmp.glob("*.plrec")
        data = recording.read_bytes()
        recording.write_bytes(data[:len(data) // 3 // 4096 * 4096])
        self.tool("runs", self.db)
        done = self.tool("report", self.db)
        self.assertRegex(done.stderr,
                         "^proflite report: note: run 1: .*1 recording is not "
                         "whole: .+\n$")
