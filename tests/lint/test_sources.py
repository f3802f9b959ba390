# SPDX-License-Identifier: MIT
"""The makefile fragments list every source, and every source is ours."""

import re
import unittest

from tree import LAYERS, MADE, SOURCE, is_made

LISTED = {  # the fragment, the folder it answers for, which files
    **{folder + "/local.mk": (folder, "*.[ch]") for folder in LAYERS},
    "src/python/local.mk": ("src/python", "**/*.py"),
    "tests/local.mk": ("tests", "unit/*.[ch]", "fuzz/*.[ch]"),
    "scripts/local.mk": ("scripts", "*"),
}


class Sources(unittest.TestCase):
    def test_every_file_is_in_its_list(self):
        missing = []
        for fragment, (folder, *patterns) in LISTED.items():
            text = (SOURCE / fragment).read_text(encoding="utf-8")
            for path in sorted(path for pattern in patterns
                               for path in (SOURCE / folder).glob(pattern)):
                name = path.relative_to(SOURCE / folder).as_posix()
                if path.is_dir() or "__pycache__" in name or \
                        name == "local.mk" or is_made(path):
                    continue
                if not re.search(r"%%reldir%%/%s(?=\s|$)" % re.escape(name), text):
                    missing.append("%s: %s" % (fragment, name))
        self.assertEqual(missing, [])

    def test_every_folder_of_tests_is_released(self):
        text = (SOURCE / "tests/local.mk").read_text(encoding="utf-8")
        folders = sorted(p.name for p in (SOURCE / "tests").iterdir()
                         if p.is_dir() and p.name not in ("unit", "__pycache__"))
        self.assertEqual([f for f in folders if not re.search(
            r"^\t%%reldir%%/%s( \\)?$" % re.escape(f), text, re.M)], [])

    def test_every_suite_is_in_the_table(self):
        table = (SOURCE / "tests/unit/suites.h").read_text()
        missing = []
        for path in sorted((SOURCE / "tests/unit").glob("test_*.c")):
            for name in re.findall(r"^Suite \*suite_(\w+)\(void\)$",
                                   path.read_text(encoding="utf-8"), re.M):
                if not re.search(r"X\(%s\)" % name, table):
                    missing.append(name)
        self.assertEqual(missing, [])

    def test_what_is_made_is_not_committed_and_is_cleaned(self):
        made = set((SOURCE / ".gitignore").read_text().splitlines())
        self.assertEqual([name for name in MADE if "/" + name not in made], [])
        makefile = "".join(path.read_text(encoding="utf-8") for path in
                           [SOURCE / "Makefile.am", *SOURCE.glob("**/local.mk")])
        programs = set(re.findall(r"^(?:bin|check|EXTRA)_PROGRAMS \+= (.+)$",
                                  makefile, re.M))
        self.assertEqual([name for name in programs if "/" + name not in made], [])
        # Others automake cleans by itself.
        self.assertRegex(makefile, r"(?m)^CLEANFILES = \$\(EXTRA_PROGRAMS\)$")

    def test_every_source_names_its_licence(self):
        missing = []
        for folder in ("src", "include", "tools", "tests", "scripts"):
            for path in sorted((SOURCE / folder).rglob("*")):
                if path.suffix in (".c", ".h", ".def", ".sql") and \
                        not is_made(path) and \
                        "SPDX-License-Identifier: MIT" not in \
                        path.read_text(encoding="utf-8")[:200]:
                    missing.append(str(path.relative_to(SOURCE)))
        self.assertEqual(missing, [])

    def test_headers_have_guards_named_after_them(self):
        wrong = []
        for folder in list(LAYERS) + ["tests/unit", "tests/fuzz"]:
            for path in sorted((SOURCE / folder).glob("*.h")):
                if is_made(path):
                    continue
                guard = "PL_%s_%s_H" % (folder.split("/")[0 if folder.startswith(
                    "tests") else -1].upper(), path.stem.upper())
                if not re.search(r"^#ifndef %s\n#define %s$" % (guard, guard),
                                 path.read_text(encoding="utf-8"), re.M):
                    wrong.append("%s: %s" % (path.relative_to(SOURCE), guard))
        self.assertEqual(wrong, [])
