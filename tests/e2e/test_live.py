# SPDX-License-Identifier: MIT
"""`proflite live`: the screen of a process that is being recorded."""

import csv
import io
import json
import os
import re
import signal
import subprocess

import consumers
from harness import TOOL, Case, once

# It does what is asked for line by line, and says when it is done.
PROGRAM = """
    import os, sys, threading

    def leaf():
        pass

    def step(n):
        for _ in range(n):
            leaf()

    def deeper(n):
        if n:
            deeper(n - 1)
        else:
            for line in sys.stdin:
                step(int(line))
                print("done", flush=True)

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="waiter")
    thread.start()
    print(os.getpid(), flush=True)
    deeper(5)
    stop.set()
    thread.join()
    """


class Program:
    """A program under `proflite record`, that does what it is told."""

    def __init__(self, case):
        self.case = case
        self.process = subprocess.Popen(
            [TOOL, "record", "-o", case.db, "--", case.py.path,
             case.script(PROGRAM)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=case.environment(),
            cwd=case.tmp, start_new_session=True)
        case.addCleanup(self.end)
        self.pid = int(self.process.stdout.readline())

    def expect(self, word):
        self.case.assertEqual(self.process.stdout.readline().strip(), word)

    def step(self, n):
        self.process.stdin.write("%d\n" % n)
        self.process.stdin.flush()
        self.expect("done")

    def end(self):
        if self.process.returncode is None:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


class Once(Case):
    def look(self, *args, **kwargs):
        return self.tool("live", "--once", "--interval=0", *args, **kwargs)

    def functions(self, *args):
        return self.by_name(self.look("-o", "json", *args).stdout)

    def by_name(self, text):
        return {r["function"]: r for r in json.loads(text)}

    def longest_wait(self, functions, column):
        return max((f[column] for name, f in functions.items()
                    if "acquire" in name), default=0)

    # The stacks of every version.
    def test_shows_what_a_process_does(self):
        program = Program(self)
        program.step(100)
        for target in self.db, program.pid:
            self.assertEqual(self.functions(target)["leaf"]["ncalls"], 100)
        program.step(23)
        found = self.functions(self.db)
        self.assertEqual((found["leaf"]["ncalls"], found["step"]["ncalls"],
                          found["deeper"]["ncalls"]), (123, 2, 6))
        # Neither thread need be where it is going to stay: the first has
        # written "done" before it returns from print.
        stacks = [re.compile(r"(?m)^ +-/s  MainThread +<module> > deeper "
                             r"\(6 times\)$"),
                  re.compile(r"(?m)^ +-/s  waiter +.* > (Event\.)?wait > ")]
        text = self.eventually(lambda: self.look("-n", "0", self.db).stdout,
                          lambda text: all(s.search(text) for s in stacks))
        self.assertRegex(text, r"^pid %d: .*app\.py\nrunning [\d.]+ s, "
                         r"2 threads, \d+ calls, \d+ functions\n" % program.pid)
        self.assertRegex(text, r"(?m)^ +- +[\d.]+% +[\d.]+ +- +123  "
                         r"leaf  app\.py:4$")
        # An open call has its time, which goes on without an event.
        before = self.longest_wait(found, "self_ns")
        self.eventually(lambda: self.functions(self.db), lambda found:
                   self.longest_wait(found, "self_ns") > before + 10**6)
        program.end()
        # What was watched is as complete as ever.
        self.assertEqual(self.value("select ncalls from pstats where "
                                    "function = 'leaf'"), 123)

    @once
    def test_sorts_filters_and_limits(self):
        program = Program(self)
        program.step(1000)
        rows = list(csv.DictReader(io.StringIO(self.look(
            "-o", "csv", "-s", "calls", self.db).stdout)))
        calls = [int(r["ncalls"]) for r in rows]
        self.assertEqual(calls, sorted(calls, reverse=True))
        times = [r["self_ns"] for r in json.loads(self.look(
            "-o", "json", "-s", "time", self.db).stdout)]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(set(self.functions("-f", r"\((leaf|step)\)$",
                                            self.db)), {"leaf", "step"})
        text = self.look("-n", "12", self.db).stdout
        self.assertEqual(len(text.splitlines()), 12)
        self.assertRegex(self.look("-f", "nothing", self.db).stdout,
                         "\nno function is like that\n$")

    @once
    def test_several_processes_are_added_up(self):
        first, second = Program(self), Program(self)
        first.step(10)
        second.step(5)
        self.assertEqual(self.functions(self.db)["leaf"]["ncalls"], 15)
        self.assertEqual(self.functions(second.pid)["leaf"]["ncalls"], 5)
        self.assertRegex(self.look("-n", "0", self.db).stdout,
                         r"^2 processes: .*\nrunning [\d.]+ s, 4 threads, ")

    @once
    def test_two_looks_have_a_rate(self):
        program = Program(self)

        def two_looks():
            with open(self.tmp / "rows.json", "w+") as out:
                live = subprocess.Popen(
                    [TOOL, "live", "--once", "-i", "1", "-o", "json", self.db],
                    stdout=out, env=self.environment())
                while live.poll() is None:
                    program.step(10)
                self.assertEqual(live.returncode, 0)
                out.seek(0)
                return self.by_name(out.read())

        # A second in which the program or we did not run shows no rate.
        self.eventually(two_looks, lambda found:
                   found["leaf"]["calls_per_s"] > 0 and
                   self.longest_wait(found, "new_self_ns") > 500 * 10**6)

    @once
    def test_what_is_wrong_is_said(self):
        def refused(status, *words, says):
            done = self.tool("live", *words, check=status)
            self.assertEqual(done.stdout, "")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(says, done.stderr)

        refused(1, "--once", "x.db", says="x.db")
        refused(1, "--once", says="proflite.db")
        refused(1, "--once", os.getpid(), says="is not being recorded")
        refused(1, "--once", "4194305", says="no process 4194305")
        refused(2, "x.db", says="--once")
        refused(2, "--once", "-s", "size", says="now, time, rate or calls")
        refused(2, "--once", "-f", "(", says="(")
        refused(2, "--once", "-i", "-1", says="seconds")
        refused(2, "-o", "json", says="--once")
        refused(2, "--once", "a.db", "b.db", says="b.db")
        text = self.tmp / "text.db"
        text.write_text("no database")
        refused(1, "--once", text, says="text.db")
        # A run that is over is no living process.
        self.record([self.script("def f(): pass\nf()\n")])
        refused(1, "--once", self.db, says="nothing is being recorded")

    @once
    def test_a_first_run_has_no_database_yet(self):
        program = Program(self)
        self.assertFalse(self.db.exists())
        rows = self.tool("runs", self.db).stdout.splitlines()
        self.assertEqual(len(rows), 2)
        self.assertRegex(rows[1], r"^  - .* recording \(pid %d\) "
                         % program.pid)
        self.assertEqual(json.loads(self.tool("runs", "-o", "json",
                                              self.db).stdout), [])
        for words in ["report"], ["diff"]:
            self.assertEqual(self.tool(*words, self.db, check=1).stderr,
                             "proflite %s: %s is not there yet: 1 process is "
                             "still recorded for it (see proflite live)\n"
                             % (words[0], self.db))
        program.end()
        self.tool("report", self.db)


class Screen(Case):
    def tmux(self, *words, check=0):
        return self.command([self.program, "-f", "/dev/null", "-L", "live",
                             *words], {"TMUX_TMPDIR": self.tmp,
                                       "TERM": "xterm-256color"},
                            check=check).stdout

    def start(self, *words, env="", width=100, height=30):
        self.program = consumers.need(self, "tmux")
        # The shell stays, and says how it ended.
        line = "cd %s; %s exec %s live %s" % (
            self.tmp, env, TOOL, " ".join(map(str, words)))
        self.tmux("new-session", "-d", "-x", width, "-y", height,
                  "sh -c '%s'; echo status $?; cat" % line)
        self.addCleanup(self.tmux, "kill-server", check=None)

    def screen(self, *flags):
        return self.tmux("capture-pane", "-p", *flags)

    def wait(self, regex):
        """Until the screen matches; the match."""
        text = self.eventually(self.screen, lambda text:
                               re.search(regex, text, re.M))
        return re.search(regex, text, re.M)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    @once
    def test_keys(self):
        program = Program(self)
        program.step(100)
        self.start("-i", "0.1", "-f", r"app\.py", self.db)
        self.wait(r"^ .* 100  leaf  app\.py:4$")
        self.wait(r"MainThread .*deeper \(6 times\)$")
        self.wait(r"^by now, every 0\.1 s")
        program.step(900)
        self.wait(r"^ .* 1000  leaf  app\.py:4$")
        for order in "time", "rate", "calls":
            self.press("s")
            self.wait("^by %s, " % order)
        self.press("/", "(leaf", "Enter")
        self.wait("missing|unterminated|parenthes")
        self.press("/", "leafy", "BSpace", "Enter")
        self.wait(r"\A(?!(?s:.*)step)(?s:.*)leaf  app\.py:4(?s:.*)only leaf")
        # Paused, nothing moves.
        self.press("p")
        self.wait("^PAUSED")
        program.step(1)
        self.assertIn(" 1000  leaf", self.screen())
        self.press("p")
        self.wait(r" 1001  leaf")
        self.press("/", "Escape")
        self.wait(r"waiter(?s:.*) \{built-in method builtins")
        self.press("t")
        self.wait(r"\A(?!(?s:.*)waiter)(?s:.*)\{built-in")
        self.press("?")
        self.wait("any key: back")
        self.press("x")
        top = r"calls  function *\n"
        first = self.wait(top + "(.+)").group(1)
        self.press("Down")
        self.wait(top + r"(?!.*%s *$)." % re.escape(first.split("  ")[-1]))
        # No line is wider than the screen, which has its colours back.
        self.press("q")
        self.wait("^status 0")

    @once
    def test_a_process_that_ends(self):
        program = Program(self)
        program.step(77)
        self.start("-i", "0.1", "-f", "leaf", program.pid, env="NO_COLOR=1")
        self.wait(r" 77  leaf")
        os.kill(program.pid, signal.SIGKILL)
        self.wait(r" 77  leaf(?s:.*)^ended")
        self.assertNotIn("\x1b[33", self.screen("-e"))
        self.press("q")
        self.wait("^status 0")

    @once
    def test_a_small_screen(self):
        Program(self).step(5)
        self.start("-i", "0.1", self.db, width=40, height=6)
        self.wait("q quit|^by now")
        self.assertLessEqual(max(map(len, self.screen().splitlines())), 40)
        self.press("q")
        self.wait("^status 0")
