# SPDX-License-Identifier: MIT
"""The manual names every command and every option."""

import re
import shutil
import subprocess
import sys
import unittest

from tree import SOURCE, STAGE


def help(*topic):
    return subprocess.run([str(STAGE / "bin/proflite"), "help", *topic],
                          check=True, stdout=subprocess.PIPE, text=True).stdout


def commands():
    listed = help().split("commands:\n")[1]
    return re.findall(r"^  (\w+) ", listed.split("\n\n")[0], re.M)


def manual():
    """Text of all pages, without what only the formatter needs."""
    pages = sorted((SOURCE / "doc").glob("*.1"))
    text = "\n".join(p.read_text(encoding="utf-8") for p in pages)
    return re.sub(r"\\f[BIPR]|\\&", "", text).replace("\\-", "-")


class Manual(unittest.TestCase):
    @unittest.skipUnless(shutil.which("groff"), "no groff: install groff-base")
    def test_the_formatter_finds_nothing_wrong(self):
        for page in sorted((SOURCE / "doc").glob("*.[1-8]")):
            done = subprocess.run(["groff", "-man", "-ww", "-z", str(page)],
                                  stderr=subprocess.PIPE, text=True)
            self.assertEqual((done.stderr, done.returncode), ("", 0))

    def test_names_every_command(self):
        text = manual()
        missing = [c for c in commands()
                   if not re.search(r"\bproflite %s\b|^\.S[HS] .*\b%s\b"
                                    r"|^\.B[RI]? .*\b%s\b" % (c, c, c), text, re.M)]
        self.assertEqual(missing, [])

    def test_names_every_option(self):
        text, missing = manual(), []
        for command in commands():
            if command == "help":
                continue
            for letter, name in re.findall(r"^  (?:-(\w), |    )--([\w-]+)",
                                           help(command), re.M):
                if not re.search(r"--%s(?![\w-])" % re.escape(name), text):
                    missing.append("%s --%s" % (command, name))
                if letter and not re.search(r"(?<![\w-])-%s(?![\w-])" % letter,
                                            text):
                    missing.append("%s -%s" % (command, letter))
        self.assertEqual(missing, [])

    def test_has_every_function_of_the_library(self):
        def functions(path):
            text = (SOURCE / path).read_text(encoding="utf-8")
            return set(re.findall(r"\b(proflite_\w+)\(", text))
        self.assertEqual(functions("include/proflite.h"),
                         functions("doc/proflite.3"))
        name = (SOURCE / "doc/proflite.3").read_text(
            encoding="utf-8").split(".SH NAME\n")[1].split("\\-")[0]
        self.assertEqual(set(re.findall(r"\w+", name)),
                         functions("include/proflite.h"))

    def test_names_every_setting(self):
        table = (SOURCE / "src/core/options.def").read_text(encoding="utf-8")
        keys = re.findall(r'^PL_OPTION\("(\w+)"', table, re.M)
        self.assertTrue(keys)
        text = manual()
        self.assertEqual([k for k in keys
                          if not re.search(r"\b%s\b" % k, text)], [])

    def test_schema_is_current(self):
        done = subprocess.run([sys.executable, str(SOURCE / "scripts/schema-doc"),
                               "--check"], stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
