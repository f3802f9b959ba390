# SPDX-License-Identifier: MIT
"""The pages of doc/internals name tests that exist."""

import re
import unittest

from tree import SOURCE

# Of the unit tests, which have no prefix.
UNIT = r"START_TEST\((\w+)\)"


class Security(unittest.TestCase):
    def test_each_rule_names_a_test_that_exists(self):
        text = (SOURCE / "doc/internals/security.md").read_text(encoding="utf-8")
        named = set(re.findall(r"(?<=[( \n])([a-z]+(?:_[a-z]+){2,})(?=[),])", text))
        there = set()
        for path in (SOURCE / "tests").rglob("test_*.py"):
            there |= set(re.findall(r"def (test_\w+)\(",
                                    path.read_text(encoding="utf-8")))
        for path in (SOURCE / "tests/unit").glob("test_*.c"):
            there |= set(re.findall(UNIT, path.read_text(encoding="utf-8")))
        self.assertGreater(len(named), 25)
        self.assertEqual(named - there, set())

    def test_each_hostile_test_guards_a_rule(self):
        text = (SOURCE / "doc/internals/security.md").read_text(encoding="utf-8")
        there = set()
        for path in (SOURCE / "tests/hostile").glob("test_*.py"):
            there |= set(re.findall(r"def (test_\w+)\(",
                                    path.read_text(encoding="utf-8")))
        self.assertEqual({t for t in there if t not in text}, set())


class Faults(unittest.TestCase):
    def test_the_page_names_tests_that_exist(self):
        """Files as `test_NAME`, classes and methods behind a dot."""
        text = (SOURCE / "doc/internals/faults.md").read_text(encoding="utf-8")
        named = {name.removesuffix(".py") for name in
                 re.findall(r"`(test_\w+(?:\.\w+)*)`", text)}
        self.assertGreater(len(named), 30)
        files = {path.stem: path.read_text(encoding="utf-8")
                 for path in (SOURCE / "tests").rglob("test_*.py")}
        methods = set(re.findall(r"def (test_\w+)\(", "".join(files.values())))
        for name in named:
            file, *inner = name.split(".")
            with self.subTest(name):
                self.assertIn(file, set(files) | methods)
                for part in inner:
                    self.assertTrue(re.search(
                        r"(class|def) %s\b" % re.escape(part), files[file]))
