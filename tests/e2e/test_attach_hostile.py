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

LATE = ("proflite attach: process %d did not come to a safe point within 1 s: "
        "its main thread waits, or is in C\n")


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

    def refused(self, *args, **kwargs):
        """What attach says of why it does not attach."""
        tool = self.attach(*args, **kwargs)
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
        said = self.refused("-t", "1")
        self.assertFalse(self.ran.exists())
        self.assertEqual(
            said, "proflite attach: cannot reach process %d: it is "
            "named python3.14, and no interpreter of Python 3.13 or later "
            "runs in it\n" % self.pid)

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
        said = self.refused("-t", "1",
                            env={"PATH": "%s:/usr/bin:/bin" % bin})
        self.assertFalse(self.ran.exists())
        self.assertEqual(
            said, "proflite attach: cannot reach process %d: it is named attachee, "
            "and no interpreter of Python 3.13 or later runs in it\n"
            % self.pid)

    def check_swapped(self, *args, first):
        victim = self.victim()
        before = self.contents(victim)
        self.in_jail(*args, "swap", victim)
        tool = self.attach("-t", "1")
        self.assertEqual([self.process.stdout.readline() for i in range(2)],
                         [first, "done\n"])
        self.assertEqual((tool.stderr.read(), tool.wait()),
                         (LATE % self.pid, 1))
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
            tool = self.attach("-t", "1")
            self.assertEqual(
                [self.process.stdout.readline() for i in range(2)],
                ["signal 40\n", "done\n"])
            self.assertEqual((tool.stderr.read(), tool.wait()),
                             (LATE % self.pid, 1))
            self.end()

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


class Honest(Base):
    """A Python of another user."""

    def setUp(self):
        super().setUp()
        # Where that user can read it.
        shutil.copytree(STAGE, self.tmp / "stage", symlinks=True)
        self.stage = self.tmp / "stage"
        self.fallback = self.tmp / "fallback"
        self.fallback.mkdir()
        os.chown(self.fallback, self.user, self.user)

    def there(self, path):
        return self.stage / path.relative_to(STAGE)

    def python_of(self, user):
        for path in self.py.path, "/usr/bin/python3":
            if not subprocess.run(
                    ["/bin/sh", "-c", 'test -x "$0" && "$0" -c "import os"',
                     path], user=user, group=user, extra_groups=[],
                    stderr=subprocess.DEVNULL).returncode:
                return path
        self.skipTest("no Python that user %d can execute" % user)

    def program(self, env, before=(), **kwargs):
        app = self.script(PROGRAM)
        app.chmod(0o644)
        env = {"XDG_RUNTIME_DIR": self.fallback, **env}
        return self.start([*before, self.python_of(self.user), app], env=env,
                          **kwargs)

    def step(self):
        (self.theirs / "step").touch()
        self.eventually(lambda: not (self.theirs / "step").exists() or
                        self.process.poll() is not None)
        self.assertIsNone(self.process.poll())

    def finish(self):
        (self.theirs / "end").touch()
        out, err = self.process.communicate()
        self.assertEqual((out, err, self.process.returncode), ("", "", 0))

    def dormant(self):
        return {**DORMANT, "LD_PRELOAD": self.there(LIBRARY)}

    def attached(self):
        tool = subprocess.Popen(
            [self.there(TOOL), "attach", "-o", self.db, "-t", SECONDS,
             str(self.pid)], env=self.environment(), cwd=self.tmp,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(tool.stderr.close)
        self.assertEqual(tool.stderr.readline(), "proflite attach: recording "
                         "process %d until Ctrl-C\n" % self.pid)
        return tool

    def check(self, recordings):
        """It is recorded for a while; @recordings: where the process can have
        its recording."""
        tool = self.attached()
        self.step()
        [recording] = recordings.glob("**/*.plrec")
        self.assertEqual(recording.stat().st_uid, self.user)
        tool.send_signal(signal.SIGINT)
        self.assertEqual((tool.stderr.read(), tool.wait()), ("", 0))
        self.finish()
        self.assertEqual(self.rows("select ncalls from pstats where "
                                   "function = 'leaf'"), [(100,)])
        self.assertEqual(self.rows("select end_reason, pid from processes"),
                         [("stopped", self.pid)])
        self.assertEqual(self.db.stat().st_uid, 0)
        self.assertEqual(list(recordings.glob("**/*.plrec")), [])
        self.assertEqual(self.folders(), [])

    @once
    def test_a_dormant_one_is_recorded(self):
        self.program(self.dormant())
        self.check(self.fallback)

    @once
    @since(3, 14)
    def test_one_that_was_not_preloaded_is_recorded(self):
        self.program({})
        self.check(self.fallback)

    @once
    def test_beside_a_database_in_a_folder_of_both(self):
        shared = self.tmp / "shared"
        shared.mkdir()
        shared.chmod(0o777)
        self.db = shared / "x.db"
        self.program(self.dormant())
        self.check(shared)

    @once
    def test_one_that_is_killed_meanwhile(self):
        self.program(self.dormant())
        tool = self.attached()
        self.step()
        self.process.kill()
        self.assertEqual((tool.stderr.read(), tool.wait()), ("", 0))
        self.assertEqual(self.rows("select ncalls from pstats where "
                                   "function = 'leaf'"), [(100,)])
        self.assertEqual(list(self.fallback.glob("**/*.plrec")), [])

    @once
    def test_where_it_can_write_nothing(self):
        self.fallback.chmod(0o500)
        os.chown(self.fallback, 0, 0)
        # And in the place of its folder in /tmp is somebody else's.
        folder = Path("/tmp/proflite-%d" % self.user)
        shutil.rmtree(folder, ignore_errors=True)   # of a run that was killed
        folder.mkdir(mode=0o755)
        self.addCleanup(folder.rmdir)
        self.program(self.dormant())
        self.assertEqual(
            self.refused(), "proflite attach: process %d says: its user can "
            "write neither beside the database nor into a folder of its own "
            "in /tmp: name another with -o\n" % self.pid)
        self.finish()

    @once
    def test_in_a_user_namespace(self):
        """Where our root is nobody, and its root is the other user."""
        if subprocess.run(["unshare", "-r", "true"], user=self.user,
                          group=self.user,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no user namespaces")
        self.program(self.dormant(), before=["unshare", "-r"])
        self.check(self.fallback)
