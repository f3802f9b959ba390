# SPDX-License-Identifier: MIT
"""proflite record takes in what its processes recorded, many at a time, and
says why when there is nothing or not all."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path

from harness import PACKAGE, STAGE, TOOL, Case, once

# Counts what waits for the disk: a byte in a file for each.
SYNCS = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <stdlib.h>
    #include <unistd.h>

    static int count(const char *name, int fd)
    {
        int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
        int log = open(getenv("SYNCS"), O_WRONLY | O_APPEND | O_CREAT, 0600);

        write(log, "x", 1);
        close(log);
        return real(fd);
    }
    int fsync(int fd) { return count("fsync", fd); }
    int fdatasync(int fd) { return count("fdatasync", fd); }
    """

CHILDREN = """
    import os, sys
    def leaf():
        pass
    for i in range(%d):
        pid = os.fork()
        if not pid:
            leaf()
            sys.exit(0)
        os.waitpid(pid, 0)
    """


class Case(Case):
    def leaves(self, db=None):
        return self.value("select sum(ncalls) from pstats where "
                          "function = 'leaf'", db=db)

    def leftovers(self):
        return sorted(p.name for p in self.tmp.rglob("*.plrec"))

    def so_far(self):
        """Processes in the database, which may not be there yet."""
        try:
            return self.value("select count(*) from processes")
        except (AssertionError, sqlite3.OperationalError):
            return 0

    def background(self, app, *words, **kwargs):
        process = subprocess.Popen(
            [TOOL, "record", "-o", self.db, "--", self.py.path, app, *words],
            env=self.environment(), cwd=self.tmp, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, **kwargs)
        for stream in process.stdin, process.stdout, process.stderr:
            self.addCleanup(stream.close)
        return process


class Many(Case):
    def test_one_transaction_for_many(self):
        """Each commit waits for the disk some five times: for each process it
        would be 1,000."""
        (self.tmp / "syncs.c").write_text(SYNCS)
        counter = self.library(self.tmp / "syncs.c", "syncs.so")
        log = self.tmp / "syncs"
        app = self.script("""
            import os, sys
            def leaf():
                pass
            here, there = os.pipe()
            for i in range(200):
                if not os.fork():
                    os.close(there)
                    leaf()
                    os.read(here, 1)
                    sys.exit(0)
            os.close(there)                 # all end at once
            for i in range(200):
                os.wait()
            """)
        self.record([app], env={"LD_PRELOAD": counter, "SYNCS": log})
        self.assertEqual(self.leaves(), 200)
        self.assertEqual(self.value("select count(*) from processes"), 201)
        self.assertLess(log.stat().st_size, 400)
        self.assertEqual(self.leftovers(), [])

    def test_taken_in_while_it_runs(self):
        app = self.script(CHILDREN % 100 + """
    print("ready", flush=True)
    sys.stdin.readline()
    leaf()
    """)
        process = self.background(app)
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.eventually(self.so_far, lambda n: n == 100)
        self.eventually(self.leftovers, lambda names: len(names) == 1)
        self.assertEqual(self.leaves(), 100)
        process.stdin.write("\n")
        self.assertEqual(process.communicate(), ("", ""))
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.leaves(), 101)
        self.assertEqual(self.leftovers(), [])

    @once
    def test_commands_beside_it_see_what_has_ended(self):
        app = self.script("""
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "def leaf(): pass\\nleaf()"])
            print("ready", flush=True)
            sys.stdin.readline()
            """)
        process = self.background(app)
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.assertIn("leaf", self.report("-n", "0"))
        self.assertEqual(self.leaves(), 1)
        process.communicate("\n")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.leaves(), 1)

    @once
    def test_killed_children(self):
        app = self.script("""
            import os, signal, sys
            def leaf():
                pass
            for i in range(20):
                pid = os.fork()
                if not pid:
                    leaf()
                    os.kill(os.getpid(), signal.SIGKILL)
                os.waitpid(pid, 0)
            print("ready", flush=True)
            sys.stdin.readline()
            """)
        process = self.background(app)
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.eventually(self.so_far, lambda n: n == 20)
        process.communicate("\n")
        self.assertEqual(self.rows(
            "select end_reason, count(*) from processes group by 1 order by 1"),
            [("exit", 1), ("killed", 20)])
        self.assertEqual(self.leaves(), 20)

    @once
    def test_launcher_that_is_killed(self):
        """Its processes write the database themselves then."""
        app = self.script(CHILDREN % 10 + """
    print("ready", flush=True)
    sys.stdin.readline()
    leaf()
    if not os.fork():
        leaf()
    """)
        process = self.background(app)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.kill()
        process.wait()
        process.stdin.write("\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.read(), "")
        self.tool("runs", self.db)
        self.assertEqual(self.leaves(), 12)
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.assertEqual(self.leftovers(), [])

    @once
    def test_process_that_outlives_it(self):
        app = self.script("""
            import os, sys
            def leaf():
                pass
            if not os.fork():
                os.setsid()
                leaf()
                with open("fifo") as f:
                    f.read()
                leaf()
            """)
        os.mkfifo(self.tmp / "fifo")
        process = self.background(app, close_fds=True)
        # The daemon holds the pipes open.
        self.assertEqual(process.wait(), 0)
        self.assertEqual(self.value("select count(*) from processes"), 1)
        self.assertEqual(len(self.leftovers()), 1)
        (self.tmp / "fifo").write_text("")
        self.assertEqual(process.stdout.read(), "")
        self.eventually(self.leftovers, lambda names: names == [])
        self.assertEqual(self.leaves(), 2)
        self.assertEqual(self.rows("select count(*), count(distinct run_id) "
                                   "from processes"), [(2, 1)])


class Moved(Case):
    """The folder of the database does not stay what it is."""

    def run_in(self, text, check=0):
        """Record, in and into a folder "work", a program that does @text and
        calls leaf() before and after."""
        (self.tmp / "work").mkdir()
        app = self.script("""
            import os, shutil, subprocess, sys
            def leaf():
                pass
            leaf()
            %s
            leaf()
            pid = os.fork()
            if not pid:
                leaf()
                sys.exit()
            os.waitpid(pid, 0)
            """ % text)
        return self.tool("record", "-o", "x.db", "--", self.py.path, app,
                         cwd=self.tmp / "work", check=check,
                         env={"XDG_RUNTIME_DIR": self.runtime()})

    def runtime(self):
        folder = self.tmp / "runtime"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def test_renamed(self):
        done = self.run_in('os.rename("../work", "../other")')
        self.assertEqual(done.stderr.splitlines(), [
            "proflite record: note: the folder of %s/work/x.db got another "
            "name: the run is in %s/other/x.db" % (self.tmp, self.tmp)])
        self.assertEqual(self.leaves(self.tmp / "other/x.db"), 3)
        self.assertEqual(self.leftovers(), [])

    def test_renamed_and_made_again(self):
        done = self.run_in('os.rename("../work", "../other"); '
                           'os.mkdir("../work")')
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.leaves(self.tmp / "work/x.db"), 3)

    def test_removed(self):
        """The recordings are kept for a folder that is made again."""
        done = self.run_in('shutil.rmtree("../work")', check=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("the folder of %s/work/x.db is gone: 2 recordings are "
                      "kept, such as %s/" % (self.tmp, self.runtime()),
                      done.stderr)
        self.assertEqual(len(self.leftovers()), 2)
        (self.tmp / "work").mkdir()
        self.tool("runs", "x.db", cwd=self.tmp / "work",
                  env={"XDG_RUNTIME_DIR": self.runtime()})
        self.assertEqual(self.leaves(self.tmp / "work/x.db"), 3)
        self.assertEqual(self.leftovers(), [])

    def test_removed_and_made_again(self):
        done = self.run_in('shutil.rmtree("../work"); os.mkdir("../work")')
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.leaves(self.tmp / "work/x.db"), 3)
        self.assertEqual(self.leftovers(), [])

    def test_removed_under_the_preload(self):
        (self.tmp / "work").mkdir()
        app = self.script("""
            import shutil
            def leaf():
                pass
            leaf()
            shutil.rmtree("../work")
            leaf()
            print("ran")
            """)
        env = {"XDG_RUNTIME_DIR": self.runtime()}
        done = self.preload([app], env=env, db="x.db", cwd=self.tmp / "work")
        self.assertEqual(done.stdout, "ran\n")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        kept, = self.runtime().rglob("*.plrec")
        self.assertIn(str(kept), done.stderr)
        (self.tmp / "work").mkdir()
        self.tool("runs", "x.db", cwd=self.tmp / "work", env=env)
        self.assertEqual(self.leaves(self.tmp / "work/x.db"), 2)


class Nothing(Case):
    """Why nothing was recorded."""

    def says(self, done, *texts):
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    @once
    def test_no_python(self):
        done = self.tool("record", "-o", self.db, "--", "sh", "-c", "exit 0")
        self.says(done, "nothing was recorded: no supported Python (3.9 to "
                  "3.15) was started, or it ignores LD_PRELOAD")
        done = self.tool("record", "-o", self.db, "--", "sh", "-c", "exit 7",
                         check=7)
        self.says(done, "nothing was recorded")
        self.assertEqual(os.listdir(self.tmp), [])

    @once
    def test_static_program(self):
        (self.tmp / "static.c").write_text("int main() { return 0; }")
        done = self.command([self.compiler(), "-static", "-o",
                             self.tmp / "static", self.tmp / "static.c"],
                            check=None)
        if done.returncode:
            self.skipTest("the C compiler cannot link statically")
        script = self.script("#!/usr/bin/env ./static\n", "script")
        script.chmod(0o755)
        for command in "./static", "./script":
            done = self.tool("record", "-o", self.db, "--", command)
            self.says(done, "nothing was recorded: ./static is linked "
                      "statically, and ignores LD_PRELOAD")

    @once
    def test_program_with_more_rights_than_its_user(self):
        if os.getuid():
            self.skipTest("only root can give a program another user")
        program = self.tmp / "program"
        shutil.copy("/bin/true", program)
        os.chown(program, 65534, 65534)
        program.chmod(0o4755)
        done = self.tool("record", "-o", self.db, "--", program)
        self.says(done, "%s has more rights than its user, and ignores "
                  "LD_PRELOAD" % program)

    def test_process_that_cannot_record(self):
        """It says so itself; its stderr may be anywhere."""
        broken = self.tmp / "broken"
        shutil.copytree(STAGE, broken, symlinks=True)
        (broken / "lib/proflite/python/proflite/_proflite.so").unlink()
        done = self.command(
            [broken / "bin/proflite", "record", "-o", self.db, "--", "sh",
             "-c", "exec 2> /dev/null; %s -c 'print(1)'; %s -c 'print(2)'" % (
                 (self.py.path,) * 2)], check=1)
        self.assertEqual(done.stdout, "1\n2\n")
        self.says(done, "nothing was recorded: the engine is not installed "
                  "beside", "(pid ", " and others)")
        # The command's own status comes first.
        done = self.command(
            [broken / "bin/proflite", "record", "-o", self.db, "--",
             self.py.path, "-c", "import sys; sys.exit(9)"], check=9)
        self.assertEqual(len(done.stderr.splitlines()), 2)

    def test_no_room(self):
        """A limit of file size that the database has, too."""
        app = self.script("""
            import json, unittest
            """)
        done = self.command(["bash", "-c", "ulimit -f 100; exec \"$@\"", "x",
                             TOOL, "record", "-o", self.db, "--",
                             self.py.path, app], check=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("no supported Python", done.stderr)

    @once
    def test_another_user(self):
        """What it recorded arrives though its user may not write there."""
        if os.getuid():
            self.skipTest("only root can become another user")
        python = Path("/usr/bin/python3")
        if not python.exists() or not all(
                os.stat(p).st_mode & stat.S_IXOTH
                for p in [PACKAGE, *PACKAGE.parents]):
            self.skipTest("another user cannot get at the Python or at us")
        app = self.script("""
            import os, signal
            def leaf():
                pass
            os.setgid(65534)
            os.setuid(65534)
            for i in range(3):
                pid = os.fork()
                if not pid:
                    leaf()
                    os.kill(os.getpid(), signal.SIGKILL)
                os.waitpid(pid, 0)
            leaf()
            """)
        self.tmp.chmod(0o755)
        done = self.command([TOOL, "record", "-o", self.db, "--", python, app])
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.leaves(), 4)
