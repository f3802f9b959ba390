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


class Formats(unittest.TestCase):
    """proflite-format(5) and the sources."""

    def setUp(self):
        self.page = (SOURCE / "doc/proflite-format.5").read_text(encoding="utf-8")
        self.header = (SOURCE / "src/core/format.h").read_text(encoding="utf-8")
        self.schema = (SOURCE / "src/store/schema.sql").read_text(encoding="utf-8")

    def subsection(self, name):
        return re.search(r"(?ms)^\.SS %s\n(.*?)^\.S[SH] " % name,
                         self.page).group(1)

    def test_names_every_table_and_view(self):
        for kind in "Table", "View":
            self.assertEqual(
                re.findall(r"(?m)^\.TP\n\.B (\w+)$", self.subsection(kind + "s")),
                re.findall(r"(?m)^CREATE %s (\w+)" % kind.upper(), self.schema))

    def test_names_every_struct_and_enum(self):
        self.assertEqual(
            sorted(set(re.findall(r"\b((?:struct|enum) pl_\w+)", self.page))),
            sorted(re.findall(r"(?m)^((?:struct|enum) pl_\w+) \{", self.header)))

    def test_has_the_numbers_of_the_sources(self):
        page = " ".join(self.page.split())
        for pragma, text in [("application_id", '"PRAGMA %s" is %s,'),
                             ("user_version", '"PRAGMA %s" is the version of '
                              "the schema, which is %s.")]:
            number = re.search(r"(?m)^PRAGMA %s = (\d+);" % pragma,
                               self.schema).group(1)
            self.assertIn(text % (pragma, number), page)
        number = re.search(r"(?m)^#define PL_REC_VERSION (\d+)$",
                           self.header).group(1)
        self.assertIn(".I version is %s, and" % number, page)
