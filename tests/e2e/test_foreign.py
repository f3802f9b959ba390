# SPDX-License-Identifier: MIT
"""`proflite import` reads what other profilers write."""

import marshal

from harness import Case, once

PROGRAM = """\
    CONSTANTS = 1j, ..., b"\\0", "a\\0\\ud800", -1 << 70
    def leaf(n):
        return n in {1, 2, 3}
    def main():
        def inner():
            return (x for x in "ab")
        return [leaf(n) for n in range(5)], list(inner())
    main()
    """


class Foreign(Case):
    def load(self, *files, note=""):
        done = self.tool("import", "-o", self.db, *files)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(note, done.stderr)

    def test_the_command_of_profile(self):
        """`python -m profile -o`: a key has a code object in it."""
        app, prof = self.script(PROGRAM), self.tmp / "app.prof"
        self.python(["-m", "profile", "-o", prof, app])
        self.load(prof, note="how long the calls from each caller took")
        self.assertEqual(self.rows(
            "select filename, line, function, ncalls from pstats where "
            "function like '<code%' or function in ('leaf', 'main') "
            "order by function"), [
                ("profile", 0, '<code object <module>, file "%s", line 1>'
                 % app, 1),
                (str(app), 2, "leaf", 5), (str(app), 4, "main", 1)])

    @once
    def test_pyinstrument(self):
        """Its number of calls is always -1: not known."""
        leaf, main = ("app.py", 1, "leaf"), ("app.py", 3, "main")
        prof = self.tmp / "app.pstats"
        prof.write_bytes(marshal.dumps({
            main: (-1, -1, 0, .75, {}),
            leaf: (-1, -1, .75, .75, {main: (-1, -1, .75, .75)})}))
        self.load(prof, note="has no numbers of calls: 0 here")
        self.assertEqual(self.rows(
            "select function, ncalls, primcalls, tottime, cumtime from pstats "
            "order by function"), [("leaf", 0, 0, .75, .75),
                                   ("main", 0, 0, 0, .75)])
        self.assertEqual(self.rows("select caller_function, ncalls, cumtime "
                                   "from callers"), [("main", 0, .75)])
        self.assertRegex(self.report(), r" 0 +0\.750 +0\.750 +app.py:1\(leaf")
