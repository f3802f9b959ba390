# SPDX-License-Identifier: MIT
"""make uninstall takes away what make install and use have left."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tree import STAGE

BUILD = STAGE.resolve().parent


@unittest.skipUnless((BUILD / "Makefile").exists(),
                     "no build folder: %s is not in one" % STAGE)
class Uninstall(unittest.TestCase):
    def make(self, target, folder):
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        done = subprocess.run(
            ["make", "-s", "-C", str(BUILD), target, "DESTDIR=" + folder],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_nothing_is_left(self):
        with tempfile.TemporaryDirectory() as folder:
            self.make("install", folder)
            [package] = Path(folder).rglob("proflite/__init__.py")
            env = {k: v for k, v in os.environ.items()
                   if k != "PYTHONDONTWRITEBYTECODE"}
            subprocess.run([sys.executable, "-c", "import proflite"], check=True,
                           env={**env, "PYTHONPATH": str(package.parents[1])})
            self.assertTrue((package.parent / "__pycache__").exists())
            self.make("uninstall", folder)
            left = [p for p in Path(folder).rglob("*")
                    if not p.is_dir() or p.name == "proflite"]
            self.assertEqual(left, [])
