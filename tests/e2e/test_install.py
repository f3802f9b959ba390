# SPDX-License-Identifier: MIT
"""The installed tree: complete, movable, and harmless to what is no Python."""

import os
import shutil

from harness import LIBRARY, STAGE, TOOL, Case, once


class Installed(Case):
    @once
    def test_has_every_part(self):
        for part in ("bin/proflite", "lib/libproflite.so", "lib/libproflite.so.0",
                     "lib/pkgconfig/proflite.pc", "include/proflite.h",
                     "lib/proflite/python/proflite/__init__.py",
                     "lib/proflite/python/proflite/_proflite.so",
                     "lib/proflite/python/proflite/_store.so",
                     "share/man/man1/proflite.1",
                     "share/man/man1/proflite-record.1",
                     "share/man/man3/proflite.3",
                     "share/man/man5/proflite-format.5",
                     "share/bash-completion/completions/proflite",
                     "share/zsh/site-functions/_proflite",
                     "share/fish/vendor_completions.d/proflite.fish"):
            self.assertTrue((STAGE / part).exists(), part)

    @once
    def test_has_no_libtool_files(self):
        self.assertEqual(list(STAGE.rglob("*.la")), [])

    def test_records_from_any_folder(self):
        moved = self.tmp / "elsewhere"
        shutil.copytree(STAGE, moved, symlinks=True)
        app = self.script("def f(): pass\nf()\n")
        self.command([moved / "bin/proflite", "record", "-o", self.db, "--",
                      self.py.path, app])
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), 1)


class NoPython(Case):
    """A preload reaches every process: one that is no Python runs on as if
    nothing were there, and no file is made."""

    def check_same(self, *argv):
        plain = self.command(argv, check=None)
        loaded = self.command(argv, check=None, env={
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % self.db})
        self.assertEqual((plain.returncode, plain.stdout, plain.stderr),
                         (loaded.returncode, loaded.stdout, loaded.stderr))
        self.assertEqual(os.listdir(self.tmp), [])

    @once
    def test_true(self):
        self.check_same("/bin/true")

    @once
    def test_false(self):
        self.check_same("/bin/false")

    @once
    def test_a_shell_and_its_children(self):
        self.check_same("sh", "-c", "ls / && exec cat /etc/hostname; exit 3")

    @once
    def test_nonsense_in_the_options(self):
        plain = self.command(["/bin/echo", "x"])
        loaded = self.command(["/bin/echo", "x"], env={
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "=,clock,!!"})
        self.assertEqual((plain.stdout, plain.stderr),
                         (loaded.stdout, loaded.stderr))

    @once
    def test_a_compiler(self):
        if not shutil.which("gcc"):
            self.skipTest("no gcc")
        self.check_same("gcc", "--version")

    @once
    def test_the_command_that_records_it_says_so(self):
        done = self.tool("record", "-o", self.db, "--", "/bin/echo", "x")
        self.assertEqual(done.stdout, "x\n")
        self.assertIn("nothing was recorded", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(os.listdir(self.tmp), [])

    @once
    def test_the_tool_profiles_nothing_of_itself(self):
        self.command([TOOL, "help"], env={
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % self.db})
        self.assertEqual(os.listdir(self.tmp), [])
