# SPDX-License-Identifier: MIT
"""A limit on the size of files (ulimit -f): a write past it sends SIGXFSZ."""

import resource
import signal

from harness import TOOL, Case, once

LIMIT = 8192

FULL = "no room for %s: the limit of file size is reached"


def limited(action=signal.SIG_DFL):
    """For Popen's preexec_fn."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
        signal.signal(signal.SIGXFSZ, action)
    return limit


class FileLimit(Case):
    def left(self):
        return sorted(p.name for p in self.tmp.glob("proflite.db*"))

    def test_the_status_of_a_command_is_passed_on(self):
        app = self.script("""
            import sys
            for i in range(2000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            sys.exit(7)
            """)
        done = self.record([app], check=7, preexec_fn=limited())
        lines = done.stderr.splitlines()
        self.assertIn("proflite: " + FULL % self.db, lines)
        self.assertNotIn("proflite.db-journal", self.left())

    @once
    def test_what_cannot_be_taken_in_stays(self):
        self.preload(["-c", "pass"], options="ingest=no")
        [recording] = self.left()
        for command in (["report", self.db], ["runs", self.db]):
            done = self.tool(*command, check=None, preexec_fn=limited())
            self.assertGreaterEqual(done.returncode, 0)
            self.assertIn(FULL % self.db, done.stderr)
            self.assertIn(recording, self.left())
            self.assertNotIn("proflite.db-journal", self.left())
        self.tool("report", self.db)
        self.assertEqual(self.left(), ["proflite.db"])

    @once
    def test_commands_that_write_a_database(self):
        self.record(["-c", "pass"])
        stats = self.tmp / "x.prof"
        self.python(["-m", "cProfile", "-o", stats, self.script("pass")])
        for command in (["import", "-o", "new.db", stats],
                        ["merge", "-o", "new.db", self.db]):
            done = self.tool(*command, check=1, preexec_fn=limited())
            self.assertEqual(done.stderr, "proflite %s: %s\n" % (
                command[0], FULL % "new.db"))

    def ignored(self, text):
        """Is SIGXFSZ ignored, by the line of /proc/PID/status in @text?"""
        [line] = [line for line in text.splitlines() if "SigIgn:" in line]
        return int(line.split("SigIgn:")[1].strip(), 16) >> (
            signal.SIGXFSZ - 1) & 1

    @once
    def test_what_a_command_starts_has_the_signal_as_it_was(self):
        self.record(["-c", "pass"])
        (self.tmp / "bin").mkdir()
        program = self.script("#!/bin/sh\nexec grep SigIgn: "
                              "/proc/self/status\n", "bin/sqlite3")
        program.chmod(0o755)
        env = {"PATH": "%s:/usr/bin:/bin" % (self.tmp / "bin")}
        for action, is_ignored in (signal.SIG_DFL, 0), (signal.SIG_IGN, 1):
            def act():
                signal.signal(signal.SIGXFSZ, action)
            for argv in (
                    [TOOL, "record", "-o", "other.db", "--", "grep",
                     "SigIgn:", "/proc/self/status"],
                    [TOOL, "sql", self.db, "select 1"]):
                done = self.command(argv, env=env, preexec_fn=act)
                self.assertEqual(self.ignored(done.stdout), is_ignored, argv)

    @once
    def test_a_pager_has_it_as_it_was(self):
        self.record(["-c", "pass"])
        program = self.script("#!/bin/sh\nexec grep SigIgn: "
                              "/proc/self/status\n", "page")
        program.chmod(0o755)
        # The terminal starts the command with the default action.
        self.assertEqual(self.ignored(self.on_terminal(
            "report", self.db, env={"PAGER": str(program)})), 0)

    def test_a_complaint_past_the_limit_ends_no_program(self):
        """The program's stderr is a file that is full."""
        app = self.script("""
            import resource, signal
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE,
                               (1 << 20, resource.RLIM_INFINITY))
            for i in range(30000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            print("ok")
            """)
        errors = self.tmp / "errors"
        with errors.open("wb") as f:
            f.truncate(1 << 20)
        with errors.open("ab") as f:
            done = self.preload([app], stderr=f)
        self.assertEqual((done.stdout, errors.read_bytes()[1 << 20:]),
                         ("ok\n", b""))
