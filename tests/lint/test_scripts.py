# SPDX-License-Identifier: MIT
"""scripts/try and scripts/check, in a tree that is as good as built, and what
they share."""

import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from tree import SOURCE, STAGE

# Says when it has begun, and that it was told to end.
CONFIGURE = """#!/bin/sh
trap 'echo >ended; exit 1' TERM
echo >begun
while :; do sleep 0.1; done
"""

# Fails $1 times, with status 7; what would sleep says so.
ASK = """top=%s; . "$top/scripts/net.sh"
sleep() { echo "$1"; }
left=$1
ask() { echo "ask $*"; [ "$left" -eq 0 ] || { left=$((left - 1)); return 7; }; }
again ask "a  b"
""" % SOURCE


class Planted(unittest.TestCase):
    """A tree with the scripts and a build folder that is up to date."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tmp = Path(folder.name)
        self.plant(self.tmp / "tree")

    def plant(self, top):
        self.top, self.build = top, top / "build"
        shutil.copytree(SOURCE / "scripts", top / "scripts")
        with open(top / "scripts/lib.sh", "a") as f:
            f.write("missing_packages() { :; }\n")
        self.build.mkdir()
        (top / "Makefile.in").touch()
        (self.build / "Makefile").write_text("stage/.stamp check:\n\t@:\n")
        (self.build / "stage").symlink_to(STAGE.resolve())


class Scripts(Planted):
    def start(self, *argv):
        return subprocess.Popen(
            ["sh", str(self.top / "scripts" / argv[0]), *argv[1:]],
            cwd=self.tmp, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run_script(self, *argv):
        (self.build / "libtool").touch()
        process = self.start(*argv)
        out = process.communicate()[0]
        return process.returncode, out

    def test_a_program_with_spaces(self):
        app = self.tmp / "an app.py"
        app.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(3)\n")
        status, out = self.run_script("try", "an app.py", "a  b", "*", "")
        self.assertEqual(status, 3, out)
        self.assertIn("['a  b', '*', '']\n", out)
        self.assertRegex(out, r"\nThe profile is in proflite\.db; .*\n\Z")

    def test_a_profile_that_is_none_is_not_spoken_of(self):
        status, out = self.run_script("try", "/no/such/program")
        self.assertEqual((status, out), (127, "proflite record: /no/such/program: "
                                         "No such file or directory\n"))
        # Nor that of another time.
        self.run_script("try", "-c", "pass")
        status, out = self.run_script("try", "true")
        self.assertEqual(status, 0)
        self.assertIn("nothing was recorded", out)
        self.assertNotIn("The profile is", out)

    def interrupt(self):
        """Interrupt check as soon as configure has begun."""
        configure = self.top / "configure"
        configure.write_text(CONFIGURE)
        configure.chmod(0o755)
        process = self.start("check")
        while not (self.build / "begun").exists():
            self.assertIsNone(process.poll(), "check ended by itself")
        process.send_signal(signal.SIGTERM)     # ^C may be ignored here
        (self.tmp / "told").touch()
        self.assertEqual(process.wait(), 130)
        # Its last act, which came before the script's end.
        self.assertTrue((self.build / "ended").exists())
        process.stdout.close()

    def test_what_is_interrupted_has_ended(self):
        self.interrupt()

    def test_what_is_interrupted_as_it_begins_has_ended(self):
        # The script is slow to see what it has started.
        library = self.top / "scripts/lib.sh"
        text = library.read_text()
        self.assertEqual(text.count("\tstep_pid=$!\n"), 1)
        library.write_text(text.replace(
            "\tstep_pid=$!\n", "\twhile [ ! -e told ]; do :; done\n"
            "\tstep_pid=$!\n"))
        self.interrupt()

    def test_configured_by_half_is_configured_again(self):
        (self.top / "configure").write_text("#!/bin/sh\ntouch libtool\n")
        (self.top / "configure").chmod(0o755)
        process = self.start("check")       # there is a Makefile already
        out = process.communicate()[0]
        self.assertEqual(process.returncode, 0, out)
        self.assertRegex(out, r"^configuring .*done")

    def test_a_path_that_cannot_be_built_in(self):
        self.plant(self.tmp / "a tree")
        status, out = self.run_script("check")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"^check: .*/a tree: .* no space\n\Z")


class ContinuousIntegration(Planted):
    """.ci/run with parts that print what they are given to."""

    def plant(self, top):
        super().plant(top)
        shutil.copytree(SOURCE / ".ci", top / ".ci")
        (self.build / "libtool").touch()
        self.stub("consumers/install", "")

    def stub(self, name, text, status=0):
        path = self.top / "tests" / name
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\ncat <<'END'\n%sEND\nexit %d\n"
                        % (text, status))
        path.chmod(0o755)

    def run_parts(self, *parts):
        """The status, and the closing lines without times."""
        done = subprocess.run(
            ["sh", str(self.top / ".ci/run"), *parts], cwd=self.tmp,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        out = done.stdout.partition("== closing lines\n")[2] or done.stdout
        return done.returncode, re.sub(r"(?m)^([a-z-]+): \d+ s$", r"\1:", out)

    def test_parts_that_are_named_run(self):
        self.stub("sanitized/run", "x\ne2e: 2 passed, 0 failed, 1 skipped\ny\n")
        self.stub("freethreaded/run", "e2e: 3 passed, 0 failed, 0 skipped\n")
        self.assertEqual(self.run_parts("freethreaded", "sanitized"), (
            0, "freethreaded:\ne2e: 3 passed, 0 failed, 0 skipped\n"
            "sanitized:\ne2e: 2 passed, 0 failed, 1 skipped\n"))

    def test_a_part_that_fails(self):
        self.stub("sanitized/run", "e2e: 1 passed, 1 failed, 0 skipped\n", 1)
        self.stub("freethreaded/run", "e2e: 3 passed, 0 failed, 0 skipped\n")
        self.assertEqual(self.run_parts("sanitized", "freethreaded"), (
            1, "sanitized:\ne2e: 1 passed, 1 failed, 0 skipped\nFAILED\n"
            "freethreaded:\ne2e: 3 passed, 0 failed, 0 skipped\n"))

    def test_an_unknown_part(self):
        status, out = self.run_parts("sanitised")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"^run: no part sanitised: the parts are check ")

    def test_flaky_tests_of_all_parts_count(self):
        flaky = "".join("flaky: e2e: test_%d\n" % i for i in range(2))
        closing = "e2e: 9 passed, 0 failed, 0 skipped\n"
        self.stub("sanitized/run", flaky + closing)
        self.stub("freethreaded/run", "flaky: e2e: test_2\n" + closing)
        self.stub("wheel/run", "flaky: wheel: test_3\n" + closing)
        status, out = self.run_parts("sanitized", "freethreaded")
        self.assertEqual((status, out), (
            0, "sanitized:\n" + flaky + closing +
            "freethreaded:\nflaky: e2e: test_2\n" + closing))
        status, out = self.run_parts("sanitized", "freethreaded", "wheel")
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines()[-1],
                         "4 flaky tests: more than 3 fail the run")


class Net(unittest.TestCase):
    def ask(self, failures):
        done = subprocess.run(["sh", "-c", ASK, "sh", str(failures)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        return done.returncode, done.stdout.splitlines()

    def test_what_fails_for_a_moment_is_asked_again(self):
        once = "ask a  b"
        self.assertEqual(self.ask(0), (0, [once]))
        self.assertEqual(self.ask(2), (0, [once, "5", once, "20", once]))
        self.assertEqual(self.ask(3), (7, [once, "5", once, "20", once]))
