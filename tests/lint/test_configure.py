# SPDX-License-Identifier: MIT
"""What configure says to who asks for what cannot be, or lacks something."""

import os
import subprocess
import tempfile
import unittest

from tree import SOURCE

MODULES = ("libsqlite3-dev", "libpcre2-dev", "libprotobuf-c-dev", "zlib1g-dev",
           "libcurl4-openssl-dev", "libncurses-dev", "check")


class Configure(unittest.TestCase):
    def refusal(self, *args, **env):
        """What is left of its error when it has said who it is."""
        with tempfile.TemporaryDirectory() as folder:
            # A tree of its own: the real one may be configured itself.
            for name in "configure", "build-aux", "src":
                os.symlink(SOURCE / name, os.path.join(folder, name))
            done = subprocess.run(
                ["./configure", "-q", *args], cwd=folder,
                env={**os.environ, "CONFIG_SITE": "/dev/null", **env},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertTrue(done.stdout.startswith("configure: error: "), done.stdout)
        return done.stdout.partition("error: ")[2]

    def test_all_that_is_missing_at_once(self):
        text = self.refusal("--with-python=/no/python", PYTHON="",
                            PKG_CONFIG_LIBDIR="/no/folder", PKG_CONFIG_PATH="")
        missing = [line for line in text.splitlines() if line.startswith("  * ")]
        self.assertEqual(missing.pop(0), "  * --with-python=/no/python names no "
                         "CPython of version 3.9 or later that runs here")
        self.assertEqual(sorted(line.rpartition("install ")[2]
                                for line in missing), sorted(MODULES))

    def test_a_variable_that_names_no_python(self):
        self.assertIn("PYTHON=/bin/true names no CPython",
                      self.refusal(PYTHON="/bin/true"))

    def test_what_cannot_be_left_out(self):
        for option in "--without-python", "--with-python":
            self.assertRegex(self.refusal(option),
                             r"^--with-python wants .*=/usr/bin/python3\n$")
        self.assertRegex(self.refusal("--disable-shared"),
                         r"^--disable-shared .* leave it out\n$")
