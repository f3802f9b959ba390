#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kill a program that does nothing but call, and count what is left of it.

    run.py [--stage DIR] [--times N] [--seed N] [-j N] [--table FILE] [-v]

Under every Python found (see ../e2e/pythons.py), N times: victim.py is started
under the preload or under `proflite record`, alone, with threads or with
children, and is killed by some signal at some moment: at its start, in the
middle of it, or while it writes its database.  Then a proflite command takes in
what was left.  Every thread counts its calls in shared memory, in the function
that it calls, so it is known what the database has to say: as many calls, or
one more, which had begun and was not counted yet.

Prints a table at the end, and for each failure the command that repeats it:
the choice is the seed's, the moment is not quite.
"""

import argparse
import json
import os
import random
import resource
import select
import shlex
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import pythons
import runner

SLOTS = 8
SECONDS = 300                  # for anything that is waited for

# Those that end a process by default, or by KeyboardInterrupt.
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV", "SIGABRT", "SIGHUP",
           "SIGQUIT", "SIGBUS", "SIGFPE", "SIGILL", "SIGALRM", "SIGUSR1",
           "SIGXCPU")


class Plan(NamedTuple):
    """What is done in a round: all of it follows from the seed."""
    signal: str
    kind: str                   # of victim.py
    record: bool                # under `proflite record`
    group: bool                 # all of the processes at once
    moment: str                 # after which word of the victim's
    delay: float

    @classmethod
    def of(cls, seed):
        r = random.Random(seed)
        moment = r.choice(["start"] + ["ready"] * 6 + ["end"] * 3)
        most = {"start": 0.2, "ready": 0.3, "end": 0.1}[moment]
        # Half of them by the signal that nobody can handle.
        return cls(r.choice(SIGNALS + ("SIGKILL",) * (len(SIGNALS) - 2)),
                   r.choice(["plain", "threads", "short", "fork", "spawn"]),
                   r.random() < 0.3, r.random() < 0.5, moment,
                   r.random() * most)


def no_signal_ignored():
    for name in SIGNALS:
        if name != "SIGKILL":
            signal.signal(getattr(signal, name), signal.SIG_DFL)


class Round(unittest.TestCase):
    def __init__(self, python, stage, seed, results):
        super().__init__("play")
        self.python, self.stage, self.seed = python, stage, seed
        self.results = results
        self.plan = Plan.of(seed)

    def id(self):
        return "%s seed %d" % (self.python.tag, self.seed)

    def play(self):
        with tempfile.TemporaryDirectory(prefix="proflite-") as name:
            self.folder = Path(name).resolve()
            self.db = self.folder / "proflite.db"
            self.counters = self.folder / "counters"
            self.counters.write_bytes(bytes(8 * SLOTS))
            try:
                self.kill()
                self.take_in()
                self.check()
            except BaseException:
                print("repeat: %s --seed %d --times 1 with PL_TEST_PYTHONS=%s"
                      "\n%s" % (shlex.quote(sys.argv[0]), self.seed,
                                self.python.path, self.plan), flush=True)
                raise

    def environment(self, **more):
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                "HOME": str(self.folder), "TMPDIR": str(self.folder), **more}

    # ------------------------------------------------------------ the kill --

    def kill(self):
        plan = self.plan
        tool = self.stage / "bin/proflite"
        argv = [self.python.path, HERE / "victim.py", self.counters, plan.kind,
                "0", "100" if plan.moment == "end" else "0"]
        env = self.environment()
        # So that threads and functions come to their bounds.  The function
        # that counts is among the first.
        bounds = {"max-threads": 3, "max-functions": 800} \
            if plan.kind == "short" else {}
        if plan.record:
            argv = [tool, "record", *("--%s=%d" % b for b in bounds.items()),
                    "-o", self.db, "--", *argv]
        else:
            env["LD_PRELOAD"] = str(self.stage / "lib/libproflite.so")
            env["PROFLITE_OPTIONS"] = ",".join(
                ["out=%s" % self.db] + ["%s=%d" % (k.replace("-", "_"), n)
                                        for k, n in bounds.items()])
        victim = subprocess.Popen(
            [str(w) for w in argv], env=env, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
            # The runner ignores ^C in us, and who starts it in the background
            # more; Python would in the victim.
            preexec_fn=no_signal_ignored)
        with victim.stdout:
            self.await_word(victim.stdout)
            time.sleep(plan.delay)      # the moment, not a wait for anything
            signo = getattr(signal, plan.signal)
            if plan.group:
                os.killpg(victim.pid, signo)
            else:
                os.kill(victim.pid, signo)
        # proflite ignores SIGINT while its command runs.
        if plan.group or not plan.record:
            victim.wait(SECONDS)
        runner.end_children()           # whatever is left of it
        # KeyboardInterrupt has its own ways to end a program.
        if not plan.record and plan.signal != "SIGINT":
            self.assertIn(victim.returncode,
                          [-signo] + [0] * (plan.moment == "end"))

    def await_word(self, pipe):
        words = {"start": b"", "ready": b"r", "end": b"e"}[self.plan.moment]
        end = time.monotonic() + SECONDS
        while words:
            ready, _, _ = select.select([pipe], [], [], end - time.monotonic())
            self.assertTrue(ready, "the victim says nothing")
            got = os.read(pipe.fileno(), 1)
            self.assertTrue(got, "the victim has ended by itself")
            words = words.replace(got, b"")

    # ---------------------------------------------------------- what is left --

    def take_in(self):
        # What is too short to be a recording is left alone for ten seconds, as
        # somebody may be making it; nobody is.
        for path in self.folder.glob("*.plrec"):
            os.utime(path, (1, 1))
        done = subprocess.run([self.stage / "bin/proflite", "runs", self.db],
                              env=self.environment(), capture_output=True,
                              text=True, stdin=subprocess.DEVNULL,
                              timeout=SECONDS)
        if self.db.exists():
            self.assertEqual((done.returncode, runner.without_unmatched(
                done.stderr)), (0, ""))
        self.assertEqual(list(self.folder.glob("*.plrec")), [])

    def check(self):
        counted = struct.unpack("%dQ" % SLOTS, self.counters.read_bytes())
        recorded = dict.fromkeys(range(SLOTS), 0)
        n_processes = 0
        if self.db.exists():
            c = sqlite3.connect("file:%s?mode=ro" % self.db, uri=True)
            for pragma in "integrity_check", "foreign_key_check":
                self.assertIn(c.execute("pragma " + pragma).fetchall(),
                              ([], [("ok",)]))
            for name, n in c.execute(
                    "select function, sum(ncalls) from pstats where function "
                    "glob 'work_[0-9]*' group by 1"):
                recorded[int(name[5:])] = n
            self.assertEqual(c.execute(
                "select pid, damage from processes where damage is not null"
                ).fetchall(), [])
            self.assertEqual(c.execute(
                "select count(*) from nodes where calls < 0 or total_ns < 0 "
                "or max_ns < min_ns").fetchone(), (0,))
            n_processes, = c.execute("select count(*) from processes").fetchone()
            c.close()
        ahead = [recorded[slot] - counted[slot] for slot in range(SLOTS)]
        (self.results / ("%s-%d.json" % (self.python.tag, self.seed))).write_text(
            json.dumps([self.plan.signal, sum(counted), n_processes,
                        sum(-a for a in ahead if a < 0),
                        sum(a for a in ahead if a > 0)]))
        self.assertTrue(set(ahead) <= {0, 1},
                        "calls counted by the program: %s; recorded more than "
                        "that: %s" % (counted, ahead))


def table(tried, results):
    """What became of the rounds of each Python."""
    lines = ["| Python | killed | by SIGKILL | by others | processes | calls "
             "counted | lost | begun, not counted |",
             "|---|---|---|---|---|---|---|---|"]
    for python in tried:
        found = [json.loads(p.read_text())
                 for p in results.glob(python.tag + "-*.json")]
        by_kill = sum(f[0] == "SIGKILL" for f in found)
        _, calls, processes, lost, begun = (
            [sum(column) if i else 0 for i, column in enumerate(zip(*found))]
            if found else [0] * 5)
        lines.append("| %d.%d.%d | %d | %d | %d | %d | %d | %d | %d |" % (
            *python.version, len(found), by_kill, len(found) - by_kill,
            processes, calls, lost, begun))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("--times", type=int, default=40,
                        help="for each Python (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--table", metavar="FILE",
                        help="write the table into a file as well")
    parser.add_argument("-j", metavar="N", type=int, dest="jobs",
                        default=len(os.sched_getaffinity(0)),
                        help="at a time (default: as many as processors)")
    parser.add_argument("-v", action="store_true", dest="verbose",
                        help="a line for every round")
    args = parser.parse_args()
    stage = runner.stage_folder(args.stage)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run = runner.Run("torture", args.verbose)
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        run.all([Round(python, stage, seed, results)
                 for python in pythons.found()
                 for seed in range(args.seed, args.seed + args.times)],
                max(1, args.jobs))
        text = table(pythons.found(), results)
    run.say(text.rstrip())
    if args.table:
        Path(args.table).write_text(text)
    for name in pythons.absent():
        run.skip("Python " + name, "not found on this machine")
    return run.close()


if __name__ == "__main__":
    sys.exit(main())
