# SPDX-License-Identifier: MIT
"""A NUL in a name: Python allows it, C strings end there.  The whole name is in
the database and in every format, with the NUL as \\x00."""

import json
import subprocess

from harness import Case, once

PROGRAM = r"""
    import threading
    def f(): pass
    def make(name, file="app\0.py"):
        new = dict(co_name=name, co_filename=file)
        if hasattr(f.__code__, "co_qualname"):
            new["co_qualname"] = name
        return type(f)(f.__code__.replace(**new), {})
    def main():
        make("a\0b")()
        make("a\0c")()
        make("a")()
        make("\0")()
    t = threading.Thread(target=main, name="t\0u")
    t.start()
    t.join()
    """

NAMES = {r"a\x00b", r"a\x00c", "a", r"\x00"}


class Nul(Case):
    def make(self, **kwargs):
        self.record([self.script(PROGRAM)], **kwargs)

    def test_recorded_whole(self):
        self.make()
        self.assertEqual(
            {(r[0], r[1]) for r in self.rows(
                "select name, ncalls from functions f join pstats p on "
                "p.function = f.name and p.filename = f.filename where "
                r"f.filename = 'app\x00.py'")}, {(n, 1) for n in NAMES})
        self.assertIn((r"t\x00u",), self.rows("select name from threads"))
        self.assertEqual(self.value(
            "select count(*) from functions where instr(name || filename || "
            "ifnull(qualname, ''), char(0))"), 0)

    @once
    def test_shown_whole(self):
        self.make()
        for args in (("report", "-n", "0"), ("report", "-n", "0", "-o", "csv"),
                     ("report", "-n", "0", "-o", "json"),
                     ("tree", "-n", "0", "--min-percent", "0"),
                     ("export", "-f", "csv"), ("export", "-f", "json"),
                     ("export", "-f", "collapsed"), ("export", "-f", "chrome"),
                     ("export", "-f", "speedscope"), ("export", "-f", "html"),
                     ("export", "-f", "callgrind")):
            with self.subTest(" ".join(args)):
                path = self.tmp / "out"
                with open(path, "wb") as out:
                    self.tool(*args, self.db, stdout=out)
                text = path.read_text().replace("\\\\", "\\")
                self.assertEqual(("\0" in text, r"a\x00b" in text,
                                  r"a\x00c" in text), (False, True, True))

    @once
    def test_pstats_there_and_back(self):
        self.make()
        self.tool("export", "-o", self.tmp / "x.prof", self.db)
        self.tool("import", "-o", self.tmp / "y.db", self.tmp / "x.prof")
        self.assertEqual({r[0] for r in self.rows(
            r"select name from functions where filename = 'app\x00.py'",
            db=self.tmp / "y.db")}, NAMES)

    @once
    def test_taken_in_later(self):
        self.preload([self.script(PROGRAM)], options="ingest=no")
        path, = self.tmp.glob("*.plrec")
        self.assertIn(b"a\0b", path.read_bytes())
        self.tool("runs", self.db)
        self.assertEqual(self.value("select ncalls from pstats where "
                                    r"function = 'a\x00b'"), 1)

    @once
    def test_live(self):
        """Which reads the recording itself."""
        program = subprocess.Popen(
            [str(self.py.path), str(self.script(PROGRAM.rstrip() + "\n    input()\n"))],
            env=self.environment(self.preloading()), cwd=self.tmp,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            seen = self.eventually(lambda: self.tool(
                "live", "--once", "-n", "0", "-o", "json", self.db,
                check=None).stdout, lambda text: r"a\\x00b" in text)
            self.assertIn(r"a\\x00c", seen)
        finally:
            program.communicate(b"\n")

    @once
    def test_a_profile_has_the_names_as_they_are(self):
        """As cProfile's dictionary: nothing of C is between."""
        done = self.python(["-c", r"""
import json, proflite
def f(): pass
g = type(f)(f.__code__.replace(co_name="a\0b"), {})
p = proflite.Profile()
p.runcall(g)
p.create_stats()
print(json.dumps([name for _, _, name in p.stats]))
"""])
        self.assertIn("a\0b", json.loads(done.stdout))
