# SPDX-License-Identifier: MIT
"""proflite record as the job of a shell: signals and job control reach the
command as if it were not there."""

import fcntl
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import termios
import time

from harness import COMMAND_SECONDS, TOOL, Case, once

# It says which signals it got, one after the other, until a line is typed.
APP = """
    import os, signal, sys
    counts = {}
    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())
    def f(number, frame):
        counts[number] = counts.get(number, 0) + 1
        say("got", number)
    for number in %s:
        signal.signal(number, f)
    say("ready", os.getpid())
    line = sys.stdin.readline()
    say("read", line.strip(), sorted(counts.items()))
    sys.exit(5)
    """


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self, case):
        self.case = case
        self.fd, theirs = pty.openpty()
        mode = termios.tcgetattr(theirs)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=theirs, stdout=theirs, stderr=theirs,
            env=case.environment({"PS1": "$ ", "TERM": "dumb"}), cwd=case.tmp,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.text = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern):
        """Read until @pattern is there; what follows it is kept."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            if not select.select([self.fd], [], [],
                                 max(0, deadline - time.monotonic()))[0]:
                self.case.fail("no %r in %r" % (pattern, self.text))
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:
                self.case.fail("no %r in %r at the end" % (pattern, self.text))

    def close(self):
        os.close(self.fd)
        self.process.wait()


class Jobs(Case):
    """On a terminal: the same with and without proflite record."""

    def shell(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        shell = Shell(self)
        self.addCleanup(shell.close)
        return shell

    def both_ways(self, *signals):
        app = self.script(APP % [int(s) for s in signals])
        plain = shlex.join([str(self.py.path), str(app)])
        record = shlex.join([str(TOOL), "record", "-o", str(self.db), "--"])
        for command in plain, record + " " + plain:
            yield command

    @once
    def test_stopped_and_continued(self):
        for command in self.both_ways(signal.SIGCONT):
            shell = self.shell()
            shell.type(command + "\n")
            shell.wait_for(r"ready \d+")
            for times in 1, 2:
                shell.type("\x1a")
                shell.wait_for(r"\[1\]\+ +Stopped +\S")
                shell.type("fg\n")
                shell.wait_for("got %d" % signal.SIGCONT)
            shell.type("line\n")
            shell.wait_for(r"read line \[\(%d, 2\)\]" % signal.SIGCONT)
            shell.type("echo status $?\n")
            shell.wait_for("status 5\r")
        self.assertEqual(self.rows("select ncalls from pstats where function "
                                   "= 'f'"), [(2,)])
        self.assertEqual(self.rows("select end_reason, end_status from "
                                   "processes"), [("exit", 5)])

    @once
    def test_in_the_background(self):
        """It stops when it reads, and runs on in the background."""
        for command in self.both_ways(signal.SIGCONT):
            shell = self.shell()
            shell.type(command + " &\n")
            shell.wait_for(r"ready \d+")
            shell.type("while ! jobs | grep Stopped; do :; done\n")
            shell.wait_for(r"\[1\]\+ +Stopped")
            shell.type("bg\n")          # it reads again, and stops again
            shell.wait_for("got %d" % signal.SIGCONT)
            shell.type("while ! jobs | grep Stopped; do :; done\n")
            shell.wait_for(r"\[1\]\+ +Stopped")
            shell.type("fg\n")
            shell.wait_for("got %d" % signal.SIGCONT)
            shell.type("line\n")
            shell.wait_for("read line ")
            shell.type("echo status $?\n")
            shell.wait_for("status 5\r")

    @once
    def test_keys_of_the_terminal(self):
        """Each is one signal, not two."""
        keys = {"\x03": signal.SIGINT, "\x1c": signal.SIGQUIT}
        for command in self.both_ways(signal.SIGINT, signal.SIGQUIT,
                                      signal.SIGUSR1):
            shell = self.shell()
            shell.type("bash -c 'echo $$ > pid; exec \"$@\"' x %s\n" % command)
            shell.wait_for(r"ready \d+")
            pid = int((self.tmp / "pid").read_text())
            for key, number in keys.items():
                shell.type(key)
                shell.wait_for("got %d" % number)
            # What is sent to the job's one process comes behind them.
            os.kill(pid, signal.SIGUSR1)
            shell.wait_for("got %d" % signal.SIGUSR1)
            shell.type("line\n")
            shell.wait_for(r"read line \[\(2, 1\), \(3, 1\), \(10, 1\)\]")

    @once
    def test_killed_by_a_key(self):
        app = self.script("""
            import signal
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            def f():
                print("ready", flush=True)
                while True:
                    signal.pause()
            f()
            """)
        shell = self.shell()
        shell.type("%s record -o %s -- %s %s\n" % (TOOL, self.db, self.py.path,
                                                   app))
        shell.wait_for("ready")
        shell.type("\x03")
        shell.type("echo status $?\n")
        shell.wait_for("status 130\r")
        self.assertEqual(self.rows("select end_reason, end_status from "
                                   "processes"), [("signal", signal.SIGINT)])


class Alone(Case):
    """Without a terminal: what is sent to proflite record alone."""

    def start(self, app):
        process = subprocess.Popen(
            [TOOL, "record", "-o", self.db, "--", self.py.path, app],
            env=self.environment(), cwd=self.tmp, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        word, pid = process.stdout.readline().split()
        self.assertEqual(word, "ready")
        return process, int(pid)

    @once
    def test_signals_are_passed_on(self):
        signals = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT,
                   signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
                   signal.SIGALRM, signal.SIGWINCH, signal.SIGTSTP,
                   signal.SIGRTMIN + 3]
        process, pid = self.start(self.script(APP % [int(s) for s in signals]))
        for number in signals:
            os.kill(process.pid, number)
            self.assertEqual(process.stdout.readline(), "got %d\n" % number)
        process.stdin.write("line\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.read(), "read line %s\n" % sorted(
            (int(s), 1) for s in signals))
        self.assertEqual(process.wait(), 5)
        self.assertEqual(self.value("select ncalls from pstats where function "
                                    "= 'f'"), len(signals))

    @once
    def test_ignored_signals_stay_ignored(self):
        """As by nohup; and the program may change its mind."""
        app = self.script("""
            import os, signal, sys
            print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
            # Not by print(), which the handler may be called within.
            signal.signal(signal.SIGUSR1, lambda *a: os.write(1, b"usr1\\n"))
            print("ready", os.getpid(), flush=True)
            sys.stdin.readline()
            signal.signal(signal.SIGHUP, lambda *a: os.write(1, b"got\\n"))
            print("now", flush=True)
            sys.stdin.readline()
            """)
        process = subprocess.Popen(
            ["sh", "-c", "trap '' HUP; exec \"$@\"", "x", TOOL, "record", "-o",
             self.db, "--", self.py.path, app], env=self.environment(),
            cwd=self.tmp, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True)
        with process.stdout, process.stdin:
            self.assertEqual(process.stdout.readline(), "True\n")
            process.stdout.readline()
            os.kill(process.pid, signal.SIGHUP)
            # The lower number is passed on first: that one has arrived, too.
            os.kill(process.pid, signal.SIGUSR1)
            self.assertEqual(process.stdout.readline(), "usr1\n")
            process.stdin.write("line\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), "now\n")
            os.kill(process.pid, signal.SIGHUP)
            self.assertEqual(process.stdout.readline(), "got\n")
            process.stdin.write("line\n")
            process.stdin.flush()
            self.assertEqual(process.wait(), 0)

    @once
    def test_it_stops_with_its_command(self):
        process, pid = self.start(self.script(APP % [int(signal.SIGCONT)]))
        os.kill(pid, signal.SIGSTOP)
        stopped, status = os.waitpid(process.pid, os.WUNTRACED)
        self.assertEqual((stopped, os.WIFSTOPPED(status),
                          os.WSTOPSIG(status)),
                         (process.pid, True, signal.SIGSTOP))
        os.kill(process.pid, signal.SIGCONT)
        self.assertEqual(process.stdout.readline(),
                         "got %d\n" % signal.SIGCONT)
        process.stdin.write("line\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.read(),
                         "read line [(%d, 1)]\n" % signal.SIGCONT)
        self.assertEqual(process.wait(), 5)

    @once
    def test_what_the_command_sends_does_not_come_back(self):
        """To its group, its parent among it."""
        app = self.script("""
            import os, signal, sys
            counts = {}
            def f(number, frame):
                counts[number] = counts.get(number, 0) + 1
            for number in signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM:
                signal.signal(number, f)
            print("ready", os.getpid(), flush=True)
            os.kill(0, signal.SIGUSR1)
            os.kill(os.getppid(), signal.SIGTERM)
            while signal.SIGUSR2 not in counts:
                pass
            print(sorted(counts.items()))
            """)
        process, pid = self.start(app)
        os.kill(process.pid, signal.SIGUSR2)
        self.assertEqual(process.stdout.read(), "[(%d, 1), (%d, 1)]\n" % (
            signal.SIGUSR1, signal.SIGUSR2))
        self.assertEqual(process.wait(), 0)
