# SPDX-License-Identifier: MIT
import unittest

from tree import LAYERS, SOURCE, c_files, includes


class Layers(unittest.TestCase):
    def check(self, rule):
        """@rule(folder, header, quoted) says what is wrong, or None."""
        wrong = []
        for folder, path in c_files():
            for header, quoted in includes(path):
                complaint = rule(folder, header, quoted)
                if complaint:
                    wrong.append("%s: #include %s: %s" % (
                        path.relative_to(SOURCE), header, complaint))
        self.assertEqual(wrong, [])

    def test_a_folder_includes_only_what_is_below_it(self):
        def rule(folder, header, quoted):
            part = header.split("/")[0] if quoted and "/" in header else ""
            if part and part != folder.split("/")[-1] and \
                    part not in LAYERS[folder]:
                return "%s may include %s" % (
                    folder, ", ".join(LAYERS[folder]) or "nothing")
        self.check(rule)

    def test_only_the_probe_knows_python(self):
        self.check(lambda folder, header, quoted:
                   "only src/probe knows Python" if folder != "src/probe"
                   and header in ("Python.h", "structmember.h", "frameobject.h")
                   else None)

    def test_only_the_store_knows_sqlite(self):
        self.check(lambda folder, header, quoted:
                   "only src/store knows SQL" if folder != "src/store"
                   and header.startswith("sqlite3") else None)

    def test_the_probe_keeps_to_the_limited_api(self):
        self.check(lambda folder, header, quoted:
                   "outside the limited API" if header.startswith(
                       ("cpython/", "internal/", "frameobject")) else None)
