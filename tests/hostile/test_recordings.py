# SPDX-License-Identifier: MIT
"""Recordings that another user planted, and those of processes that became
another user."""

import os
import subprocess

from harness import PROGRAMS
from strangers import NOBODY, TRUST, Hostile, once


class Recordings(Hostile):
    def warning(self, path):
        return ("proflite runs: warning: %s is left out: it belongs to user "
                "12345: %s\n" % (path, TRUST))

    @once
    def test_recording_of_another_user_is_left_out(self):
        db = self.make(self.shared / "x.db")
        left = self.recording(db)
        self.assertEqual(self.tool("runs", db).stderr, self.warning(left))
        self.assertEqual(self.calls(db), [(100,)])
        self.assertTrue(left.exists())

    @once
    def test_trust_takes_it_in(self):
        db = self.make(self.shared / "x.db")
        left = self.recording(db)
        self.assertEqual(self.tool("runs", "--trust", db).stderr, "")
        self.assertEqual(self.calls(db), [(100,), (100,)])
        self.assertFalse(left.exists())

    @once
    def test_empty_file_of_another_user_stays(self):
        """It is not proflite's to delete."""
        db = self.make(self.shared / "x.db")
        left = self.plant(self.shared / "x.db.1-2.plrec")
        os.utime(left, (1, 1))
        self.assertEqual(self.tool("runs", db).stderr, self.warning(left))
        self.assertTrue(left.exists())

    @once
    def test_links_and_pipes_in_the_place_of_recordings(self):
        db = self.make(self.shared / "x.db")
        secret = self.plant(self.tmp / "secret", b"x", owner=0)
        link = self.shared / "x.db.1-1.plrec"
        link.symlink_to(secret)
        pipe = self.shared / "x.db.1-2.plrec"
        os.mkfifo(pipe)
        self.give(pipe)
        done = self.tool("runs", db)
        self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.assertEqual(secret.read_bytes(), b"x")

    def cut(self, when):
        """A library that cuts a recording off: as soon as it is mapped, or
        when a first part of it was read."""
        return {"LD_PRELOAD": self.library(PROGRAMS / "cut.c", "cut.so"),
                "PL_CUT": when}

    @once
    def test_recording_that_its_owner_cuts_off(self):
        """While it is being read: what is missing is damage."""
        db = self.make(self.shared / "x.db")
        left = self.recording(db, app=self.script("""
            for i in range(5000):
                exec("def f%d(): pass\\nf%d()" % (i, i))
            """, "many.py"))
        done = self.tool("runs", "--trust", db, env=self.cut("read"))
        damage = r"the recording is damaged from byte \d+ of \d+ on\n"
        self.assertRegex(done.stderr, "^proflite runs: warning: %s is in the "
                         "database as far as it could be read: %sproflite runs: "
                         "note: run 2: 1 recording is not whole: %s$"
                         % (left, damage, damage))
        self.assertEqual(self.value("select count(*) from runs", db=db), 2)

    @once
    def test_recording_that_is_cut_off_while_it_is_mapped(self):
        """Of the caller's own: no SIGBUS either."""
        db = self.make(self.shared / "x.db")
        left = self.recording(db, owner=0)
        done = self.tool("runs", db, env=self.cut("map"))
        # Without a header it may be one that is just being made.
        self.assertEqual(done.stderr, "")
        self.assertEqual(left.stat().st_size, 0)
        self.assertEqual(self.calls(db), [(100,)])

    @once
    def test_live_names_the_process_or_refuses(self):
        """By the database, a stranger's recording is none; by the process it
        is the caller's choice."""
        db = self.shared / "x.db"
        process = subprocess.Popen(
            [self.py.path, "-u", "-c", "print(1)\nimport sys\n"
             "sys.stdin.read()"], env=self.environment(self.preloading(db=db)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b"1\n")
        left, = self.shared.iterdir()
        self.give(left)
        self.refused("live", "--once", db, line="nothing is being recorded "
                     "into %s now" % db)
        done = self.tool("live", "--once", str(process.pid))
        self.assertIn("<module>", done.stdout)
        process.stdin.close()
        process.stdout.close()
        process.wait()


class Dropped(Hostile):
    @once
    def test_process_that_became_another_user_is_collected(self):
        """Its launcher knows the run by a number that nobody else knows."""
        app = self.script("""
            import os, signal
            def f(): pass
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
            for _ in range(3):
                pid = os.fork()
                if not pid:
                    for _ in range(100): f()
                    os.kill(os.getpid(), signal.SIGKILL)
                os.waitpid(pid, 0)
            os.kill(os.getpid(), signal.SIGKILL)
            """)
        db = self.shared / "x.db"
        done = self.record([app], db=db, check=None)
        self.assertEqual((done.returncode, done.stderr), (-9, ""))
        self.assertEqual(self.calls(db), [(300,)])
        self.assertEqual(os.listdir(self.shared), ["x.db"])

    @once
    def test_another_run_of_that_user_is_not(self):
        db = self.shared / "x.db"
        left = self.recording(db, owner=NOBODY)
        done = self.record([self.app], db=db)
        self.assertEqual(done.stderr, "proflite record: warning: %s is left "
                         "out: it belongs to user nobody: %s\n" % (left, TRUST))
        self.assertEqual(self.calls(db), [(100,)])
