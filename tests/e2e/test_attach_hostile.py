# SPDX-License-Identifier: MIT
"""`proflite attach` by root to another user's process, which may mean harm."""

import os
import shutil
import signal
import stat
import subprocess
import unittest
import zlib
from pathlib import Path

from harness import LIBRARY, STAGE, TOOL, Case, once, since
from test_attach import DORMANT, PROGRAM, SECONDS

ENDED = "proflite attach: process %d has ended\n"


@unittest.skipIf(os.geteuid(), "needs root, to start programs of another user")
class Base(Case):
    def setUp(self):
        self.tmp.chmod(0o755)
        # One of its own for each test: what is in /tmp tells whose it is.
        self.user = 61000 + zlib.crc32(self.id().encode()) % 4000
        self.addCleanup(self.clean)
        self.theirs = self.tmp / "theirs"
        self.theirs.mkdir()
        os.chown(self.theirs, self.user, self.user)

    def folders(self):
        """The folders of requests that are left in /tmp."""
        return [p for p in Path("/tmp").glob("proflite-attach-*")
                if p.lstat().st_uid == self.user]

    def clean(self):
        for path in self.folders():
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)

    def start(self, argv, env=None, user=None, **popen):
        """Start @argv as another user, in a folder of theirs; sets
        self.process, and returns its pid when it has printed it."""
        user = self.user if user is None else user
        self.process = subprocess.Popen(
            [str(word) for word in argv], env=self.environment(env),
            cwd=self.theirs, user=user, group=user, extra_groups=[],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **popen)
        self.addCleanup(self.end)
        self.pid = int(self.process.stdout.readline())
        return self.pid

    def end(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()

    def attach(self, *args, env=None, **popen):
        tool = subprocess.Popen(
            [TOOL, "attach", "-o", self.db, "-t", SECONDS, *args,
             str(self.pid)], env=self.environment(env), cwd=self.tmp,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            errors="surrogateescape", **popen)
        self.addCleanup(tool.stderr.close)
        return tool

    def refused(self, **kwargs):
        """What attach says of why it does not attach."""
        tool = self.attach(**kwargs)
        said = tool.stderr.read()
        self.assertEqual((tool.wait(), len(said.splitlines())), (1, 1), said)
        self.assertFalse(self.db.exists())
        return said


class Hostile(Base):
    """tests/programs/attachee.c."""

    def setUp(self):
        super().setUp()
        self.ran = self.theirs / "ran"

    def attachee(self, *args, name="attachee", flags=(), **kwargs):
        exe = self.theirs / name
        self.command([self.compiler(), "-O1", "-w", *flags,
                      "-DRAN=\"%s\"" % self.ran, "-o", exe,
                      self.program("attachee.c")])
        return self.start([exe, *args], **kwargs)

    def in_jail(self, *args):
        """Start it with a root folder of its user's, where no sticky /tmp keeps
        root from following links."""
        self.attachee("pause", flags=["-static"])
        self.end()
        jail = self.tmp / "jail"
        if not jail.exists():
            jail.mkdir()
            (jail / "tmp").mkdir()
            os.chown(jail / "tmp", self.user, self.user)
        shutil.copy(self.theirs / "attachee", jail / "attachee")
        self.start(["/attachee", *args], user=0,
                   preexec_fn=lambda: (os.chroot(jail), os.setgroups([]),
                                       os.setgid(self.user),
                                       os.setuid(self.user)))

    def victim(self):
        """A folder of root's with files that have the names that we use."""
        folder = self.tmp / "victim"
        folder.mkdir(mode=0o755)
        for name in "request", "answer", "answer.new", "script.py":
            (folder / name).write_text("ok")
            (folder / name).chmod(0o600)
        return folder

    def contents(self, folder):
        return {p.name: (p.read_text(), p.stat().st_uid,
                         stat.S_IMODE(p.stat().st_mode), p.stat().st_mtime_ns)
                for p in folder.iterdir()}

    @once
    def test_nothing_of_it_is_executed(self):
        """Its executable is called python3.14."""
        self.attachee("pause", name="python3.14")
        self.assertEqual(
            self.refused(), "proflite attach: cannot reach process %d: it is "
            "named python3.14, and no interpreter of Python 3.13 or later "
            "runs in it\n" % self.pid)
        self.assertFalse(self.ran.exists())

    @once
    def test_no_python_of_the_path_is_executed(self):
        """It has mapped a file called libpython3.14.so."""
        source = self.script("int x = 1;", "x.c")
        library = self.library(source, "libpython3.14.so")
        shutil.copy(library, self.theirs / "libpython3.14.so")
        self.attachee("pause", env={
            "LD_PRELOAD": self.theirs / "libpython3.14.so"})
        bin = self.tmp / "bin"
        bin.mkdir()
        shutil.copy(self.theirs / "attachee", bin / "python3.14")
        self.assertEqual(
            self.refused(env={"PATH": "%s:/usr/bin:/bin" % bin}),
            "proflite attach: cannot reach process %d: it is named attachee, "
            "and no interpreter of Python 3.13 or later runs in it\n"
            % self.pid)
        self.assertFalse(self.ran.exists())

    def check_swapped(self, *args, first):
        victim = self.victim()
        before = self.contents(victim)
        self.in_jail(*args, "swap", victim)
        tool = self.attach("-t", "1")
        self.assertEqual([self.process.stdout.readline() for i in range(2)],
                         [first, "done\n"])
        self.assertEqual((tool.stderr.read(), tool.wait()), (
            "proflite attach: process %d did not come to a safe point within "
            "1 s: its main thread waits, or is in C\n" % self.pid, 1))
        self.assertEqual(self.contents(victim), before)
        self.assertFalse(self.ran.exists())
        self.assertFalse(self.db.exists())

    @once
    def test_the_folder_of_a_dormant_one_becomes_a_link(self):
        self.check_swapped("dormant", "40", first="signal 40\n")

    @once
    def test_the_folder_of_another_one_becomes_a_link(self):
        # the flag is set, the rest of the word is as it was
        self.check_swapped("remote", "plain",
                           first="script script.py 1 abcdef20\n")

    @once
    def test_a_pipe_is_no_answer(self):
        for harm in "fifo", "linked":
            self.attachee("dormant", "40", harm)
            tool = self.attach()
            self.assertEqual(
                [self.process.stdout.readline() for i in range(2)],
                ["signal 40\n", "done\n"])
            self.process.kill()
            self.assertEqual((tool.stderr.read(), tool.wait()),
                             (ENDED % self.pid, 1))
            self.process.communicate()

    @once
    def test_an_answer_steers_no_terminal(self):
        self.attachee("dormant", "40", "steer")
        self.assertEqual(
            self.refused(), "proflite attach: process %d says: "
            " [2Jhello proflite: all is well  \n" % self.pid)

    @once
    def test_an_answer_has_an_end(self):
        self.attachee("dormant", "40", "long")
        self.assertEqual(
            self.refused(), "proflite attach: process %d says: %s\n"
            % (self.pid, ("0123456789" * 40)[:399]))

    @once
    def test_no_signal_but_those_that_dormant_processes_wait_for(self):
        for number in "15", "31", str(signal.SIGRTMIN), \
                str(signal.SIGRTMAX), "40x", "-1", "4294967336":
            self.attachee("dormant", number, "none")
            self.assertEqual(
                self.refused(), "proflite attach: process %d (attachee) is no "
                "Python\n" % self.pid)
            self.assertIsNone(self.process.poll())
            self.process.kill()
            self.assertEqual(self.process.communicate(), ("", ""))

    @once
    def test_a_runtime_that_lies(self):
        for kind, why in (
                ("wild", "cannot reach process %d: this proflite does not "
                 "know the runtime of Python 3.14 (030e00f0)"),
                ("newer", "cannot reach process %d: this proflite does not "
                 "know the runtime of Python 3.99 (036300f0)"),
                ("older", "process %d is Python 3.13: before 3.14 it has to "
                 "be started with LD_PRELOAD=libproflite.so and "
                 "PROFLITE_OPTIONS=start=off"),
                ("disabled", "process %d does not let itself be debugged: it "
                 "was started with -X disable-remote-debug or "
                 "PYTHON_DISABLE_REMOTE_DEBUG"),
                ("lost", "cannot reach process %d: it has no interpreter"),
                ("negative", "cannot reach process %d: cannot write into its "
                 "memory: Input/output error")):
            self.attachee("remote", kind, "none")
            self.assertEqual(self.refused(), "proflite attach: %s\n"
                             % (why % self.pid))
            self.assertIsNone(self.process.poll())
            self.process.kill()
            self.assertEqual(self.process.communicate(), ("", ""))

    @once
    def test_its_tmp_leads_out_of_its_root(self):
        jail = self.tmp / "jail"
        jail.mkdir()
        victim = self.victim()
        before = self.contents(victim)
        # In the jail it leads to itself, outside to the victim.
        (jail / "tmp").symlink_to(victim)
        self.in_jail("dormant", "40", "none")
        self.assertRegex(
            self.refused(), r"^proflite attach: cannot make /tmp/"
            r"proflite-attach-[0-9a-f]{8}, as the user of process %d: "
            r"Too many levels of symbolic links\n$" % self.pid)
        self.assertEqual(self.contents(victim), before)

