# SPDX-License-Identifier: MIT
"""Databases that cannot be written under the name they are given, and commands
without /proc: one clear line, at the start and not at the end."""

import os
import shutil
import subprocess

from harness import TOOL, Case, once

LONGEST = 229


class Names(Case):
    def refused(self, done, *says):
        """One line on stderr that has all of @says in it."""
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    @once
    def test_longest_name(self):
        """It has room for its recordings and journals."""
        name = "x" * (LONGEST - 3) + ".db"
        app = self.script("def f(): pass\nf()\n")
        self.assertEqual(self.record([app], db=name).stderr, "")
        self.assertEqual(self.preload([app], db=name).stderr, "")
        self.assertEqual(self.value("select sum(ncalls) from pstats where "
                                    "function = 'f'", db=self.tmp / name), 2)
        self.assertEqual(sorted(os.listdir(self.tmp)), ["app.py", name])

    @once
    def test_names_that_leave_no_room(self):
        self.record(["-c", "pass"], db="a.db")
        self.tool("export", "-o", "a.prof", "a.db")
        made = sorted(os.listdir(self.tmp))
        for n in LONGEST + 1, 245, 255:
            name = "x" * n
            says = "%d bytes, at most %d" % (n, LONGEST)
            for words in (["record", "-o", name, "echo", "ran"],
                          ["merge", "-o", name, "a.db"],
                          ["import", "-o", name, "a.prof"]):
                done = self.tool(*words, check=1)
                self.assertEqual(done.stdout, "")
                self.refused(done, says)
            done = self.preload(["-c", "print('ran')"], db=name)
            self.assertEqual(done.stdout, "ran\n")
            self.refused(done, says)
            done = self.python(["-c", """if True:
                import proflite
                for method in (lambda: proflite.start(out=%r),
                               lambda: proflite.Profile().save(%r)):
                    try:
                        method()
                    except Exception as e:
                        print(%r in str(e))
                """ % (name, name, says)])
            self.assertEqual((done.stdout, done.stderr), ("True\n" * 2, ""))
        self.assertEqual(sorted(os.listdir(self.tmp)), made)

    @once
    def test_paths_that_leave_no_room(self):
        name = "/" + "d/" * 2030 + "proflite.db"
        done = self.preload(["-c", "print('ran')"], db=name)
        self.assertEqual(done.stdout, "ran\n")
        self.refused(done, "%d bytes, at most 4069" % len(name))

    @once
    def test_links_to_nowhere(self):
        """They are refused, and what they lead to is not made."""
        self.record(["-c", "pass"], db="a.db")
        self.tool("export", "-o", "a.prof", "a.db")
        os.symlink("nowhere.db", self.tmp / "link.db")
        os.symlink("self.db", self.tmp / "self.db")
        made = sorted(os.listdir(self.tmp))
        for name, target in ("link.db", "nowhere.db"), ("self.db", "self.db"):
            says = "%s is a symbolic link to %s" % (self.tmp / name, target)
            done = self.tool("record", "-o", name, "echo", "ran", check=1)
            self.assertEqual(done.stdout, "")
            self.refused(done, says)
            done = self.preload(["-c", "print('ran')"], db=name)
            self.assertEqual(done.stdout, "ran\n")
            self.refused(done, says)
            for words in (["merge", "-o", name, "a.db"],
                          ["import", "-o", name, "a.prof"]):
                self.refused(self.tool(*words, check=1),
                             "%s is a symbolic link to %s" % (name, target))
            done = self.python(["-c", """if True:
                import proflite
                for method in (lambda: proflite.start(out=%r),
                               lambda: proflite.Profile().save(%r)):
                    try:
                        method()
                    except Exception as e:
                        print("is a symbolic link to" in str(e))
                """ % (name, name)])
            self.assertEqual((done.stdout, done.stderr), ("True\n" * 2, ""))
        self.assertEqual(sorted(os.listdir(self.tmp)), made)
        # A link to a database is one.
        os.symlink("a.db", self.tmp / "good.db")
        self.record(["-c", "pass"], db="good.db")
        self.assertEqual(self.value("select count(*) from runs",
                                    db=self.tmp / "a.db"), 2)


class NoProc(Case):
    """A bare chroot has no /proc."""

    def without_proc(self, command, **kwargs):
        """Run a shell @command where /proc is an empty folder."""
        unshare = ["unshare", "-m", "--", "sh", "-ec"]
        if os.getuid() or not shutil.which("unshare") or subprocess.call(
                [*unshare, "mount -t tmpfs none /proc"],
                stderr=subprocess.DEVNULL):
            self.skipTest("only root with unshare can be without /proc")
        return self.command([*unshare,
                             "mount -t tmpfs none /proc\n" + command],
                            **kwargs)

    @once
    def test_commands(self):
        app = self.script("def f(): pass\nf()\nprint('ran')")
        done = self.without_proc("""
            tool=%s
            $tool record -o x.db -- %s %s
            $tool report x.db '[(]f[)]' | grep -c '(f)'
            $tool runs x.db | grep -c 'exit 0'
            $tool tree -n 0 --min-percent 0 x.db | grep -c ' f  '
            $tool export -o x.prof x.db
            $tool import -o y.db x.prof
            $tool merge -o z.db x.db y.db
            $tool diff x.db x.db > /dev/null
            PATH=${tool%%/*}:$PATH
            proflite record -o z.db -- %s %s
            """ % (TOOL, self.py.path, app, self.py.path, app))
        self.assertEqual(done.stdout.splitlines(), [
            "ran", "1", "1", "1", "x.db: 1 process of 1 run",
            "y.db: 1 process of 1 run", "ran"])
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.value("select sum(ncalls) from pstats where "
                                    "function = 'f'", db=self.tmp / "z.db"), 3)

    @once
    def test_attach(self):
        done = self.without_proc("exec %s attach 1" % TOOL, check=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("/proc is not mounted", done.stderr)

    @once
    def test_what_is_not_installed(self):
        """Where the library was looked for is named."""
        shutil.copy(TOOL, self.tmp / "proflite")
        for run in self.without_proc, lambda c, **k: self.command(
                ["sh", "-c", c], **k):
            done = run("exec ./proflite record echo ran", check=1)
            self.assertEqual(done.stdout, "")
            self.assertIn("libproflite.so is neither in %s/../lib nor in "
                          % self.tmp, done.stderr)
