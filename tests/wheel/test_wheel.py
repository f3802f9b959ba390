# SPDX-License-Identifier: MIT
"""What `pip install proflite` gives."""

import os
import signal
import zipfile
from pathlib import Path

import consumers
from harness import STAGE, Case, once

WHEEL = Path(os.environ["PL_WHEEL"])

APP = """
import os, sys, threading
def work():
    pass
def main():
    if os.fork() == 0:          # first: with threads Python warns of it
        work()
        os._exit(0)
    os.wait()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
main()
print(sys.prefix)
"""


def tree(folder):
    """Its files; pip leaves folders that others may share, as share/man."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")
                  if not p.is_dir() or "proflite" in p.name)


class Venv(Case):
    def setUp(self):
        self.venv = self.tmp / "venv"
        self.bin = self.venv / "bin"
        self.command([self.py.path, "-m", "venv", "--without-pip", self.venv])
        self.fresh = tree(self.venv)
        self.pip("install", "--no-index", "--no-deps", WHEEL)

    def pip(self, *words):
        return self.command(
            [self.bin / "python", "-m", "pip", "--disable-pip-version-check",
             *words], {"PYTHONPATH": os.environ["PL_PIP"]})

    def here(self, *argv, **kwargs):
        """@argv as it runs in the activated venv."""
        env = {"PATH": "%s:/usr/bin:/bin" % self.bin, **kwargs.pop("env", {})}
        # By a shell, for Popen looks in our own PATH.
        return self.command(["sh", "-c", 'exec "$@"', "sh", *argv], env, **kwargs)

    def package(self):
        return Path(self.here("python", "-c", "import proflite; "
                              "print(proflite.__path__[0])").stdout.strip())


class Installed(Venv):
    def test_is_used_and_goes(self):
        app = self.script(APP)
        # the module, by cProfile's command line
        table = self.here("python", "-m", "proflite", app).stdout
        self.assertRegex(table, r"app\.py:\d+\(main\)")
        # the program, its children and threads, under the venv's own Python
        done = self.here("proflite", "record", "-o", self.db, "--",
                         "python", app)
        self.assertEqual((done.stdout, done.stderr), ("%s\n" % self.venv, ""))
        calls = "select sum(ncalls) from pstats where function = 'work'"
        self.assertEqual(self.value(calls), 2)
        report = self.here("proflite", "report", self.db, "work").stdout
        self.assertRegex(report, r"\n +2 .*app\.py:\d+\(work\)\n")
        # what is installed for one Python records any: here the one that the
        # venv was made of, which has no such package
        other = self.tmp / "other.db"
        self.command([self.py.path, app], {
            "LD_PRELOAD": self.package() / "libproflite.so",
            "PROFLITE_OPTIONS": "out=%s" % other})
        self.assertEqual(self.value(calls, db=other), 2)
        # from within
        self.here("python", "-c", "import proflite; proflite.start(out='in.db');"
                  "exec('def work(): pass\\nwork()'); proflite.stop()")
        self.assertEqual(self.value(calls, db=self.tmp / "in.db"), 1)
        self.pip("uninstall", "-y", "proflite")
        self.assertEqual(tree(self.venv), self.fresh)


class Plugin(Venv):
    @once
    def test_is_found_by_pytest(self):
        packages = consumers.need(self, "pytest")
        self.script("def work(): pass\ndef test_it(): work()\n", "test_app.py")
        self.here("python", "-m", "pytest", "-q", "--proflite=%s" % self.db,
                  env={"PYTHONPATH": packages})
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'work'"), 1)


class Program(Venv):
    """The command is a Python script that becomes the program: nobody notices
    that there was a Python."""

    def seen(self, *argv):
        return self.here(*argv, env={"LC_ALL": None}).stdout

    @once
    def test_changes_nothing_for_its_command(self):
        # LC_CTYPE is what Python sets in the C locale.
        show = ["sh", "-c", "env | sort | "
                "grep -vE '^(LD_PRELOAD|PROFLITE_OPTIONS|_)='; "
                "grep -E '^Sig(Ign|Blk)' /proc/self/status"]
        plain = self.seen(*show)
        self.assertIn("SigIgn:", plain)
        self.assertNotIn("LC_CTYPE", plain)
        self.assertEqual(
            self.seen("proflite", "record", "-o", self.db, "--", *show), plain)

    @once
    def test_hands_on_status_and_signal(self):
        self.here("proflite", "record", "--", "sh", "-c", "exit 7", check=7)
        self.here("proflite", "nonsense", check=2)
        self.here("proflite", "record", "--", "sh", "-c", "kill -9 $$",
                  check=-signal.SIGKILL)

    @once
    def test_is_found_through_a_link(self):
        # as pipx puts it into ~/.local/bin
        link = self.tmp / "proflite"
        link.symlink_to(self.bin / "proflite")
        app = self.script("def f(): pass\nf()\n")
        self.here(link, "record", "-o", self.db, "--", self.py.path, app)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)

    @once
    def test_says_what_is_missing(self):
        (self.package() / "proflite").unlink()
        done = self.here("proflite", "runs", check=1)
        self.assertRegex(done.stderr, r"\Aproflite: /.*/proflite/proflite: No such "
                         r"file or directory: install proflite as a whole\n\Z")

    @once
    def test_has_its_manual_page_where_man_looks(self):
        self.assertTrue((self.venv / "share/man/man1/proflite.1").is_file())

    @once
    def test_compiles_with_its_header(self):
        package = self.package()
        source = self.script("#include <proflite.h>\n#include <stdio.h>\n"
                             "int main(void) { puts(proflite_version()); }\n",
                             "host.c")
        self.command([self.compiler(), "-I", package / "include", "-o", "host",
                      source, package / "libproflite.so"])
        (self.tmp / "libproflite.so.0").symlink_to(package / "libproflite.so")
        done = self.command([self.tmp / "host"], {"LD_LIBRARY_PATH": self.tmp})
        self.assertIn("proflite-%s-" % done.stdout.strip(), WHEEL.name)


class Archive(Case):
    @once
    def test_has_what_the_stage_has(self):
        with zipfile.ZipFile(WHEEL) as wheel:
            files = {i.filename: i.external_attr >> 16 & 0o777
                     for i in wheel.infolist()}
        stage = STAGE / "lib/proflite/python/proflite"
        expected = {"proflite/" + str(p.relative_to(stage)).replace(
            "_proflite.so", "_proflite.abi3.so")
            for p in stage.rglob("*") if p.is_file() and "-" not in p.name}
        expected |= {"proflite/proflite", "proflite/libproflite.so",
                     "proflite/include/proflite.h"}
        self.assertEqual({f for f in files
                          if f.startswith("proflite/") and f[-1] != "/"},
                         expected)
        self.assertEqual(files["proflite/proflite"] & 0o111, 0o111)

    @once
    def test_needs_nothing_but_the_c_library(self):
        # auditwheel has been there: it names the oldest C library that serves,
        # and bundles what it finds to be linked besides.
        self.assertRegex(WHEEL.name, r"^proflite-[\d.]+-cp39-abi3-"
                         r"manylinux_2_\d+_(x86_64|aarch64)\.whl$")
        with zipfile.ZipFile(WHEEL) as wheel:
            names = wheel.namelist()
        self.assertEqual([n for n in names if ".libs/" in n], [])
        # What is linked in has its licence with it.
        self.assertTrue([n for n in names
                         if n.endswith("/licenses/COPYING.libraries")], names)

    @once
    def test_is_the_same_from_a_tree_that_is_configured(self):
        def files(path):
            with zipfile.ZipFile(path) as wheel:
                return sorted(n for n in wheel.namelist() if n[-1] != "/")
        self.assertEqual(files(os.environ["PL_WHEEL_CONFIGURED"]), files(WHEEL))
