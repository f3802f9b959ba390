# SPDX-License-Identifier: MIT
"""The sections EXAMPLES of the manual pages, and README's commands: what stands
there is run, by a shell or by Python, and answers."""

import os
import re
import shutil

import consumers
from harness import LIBRARY, SOURCE, STAGE, Case, once

PROGRAM = """
    import json, re

    def table(text):
        return json.loads(json.dumps(re.compile(text).findall("abc")))

    table("b")
    """

# The first words of a line that is run elsewhere, and where.
ELSEWHERE = {"snakeviz": "test_viewers.py", "proflite push": "test_push.py",
             "proflite live": "test_live.py",
             "proflite attach": "test_attach.py", "pytest": "test_pytest.py"}


# What is found in what the examples of a command's page print, one each.
COMMANDS = {
    "diff": [r"ncalls(?s:.*)ncalls"],
    "export": [r"", r""],
    "import": [r"Ordered by"],
    "merge": [r"(?m)^ *2 .*app\.py"],
    "record": [r"python3 app\.py", r"Ordered by"],
    "report": [r"Ordered by: cumulative time(?s:.*)app\.py:\d+\(table\)", r""],
    "tree": [r"app\.py:\d"],
}


def pages():
    """{name: [example]} of every page that has the section."""
    found = {}
    for path in sorted((SOURCE / "doc").glob("*.[1-8]")):
        section = re.search(r"(?ms)^\.SH EXAMPLES\n(.*?)^\.SH ",
                            path.read_text(encoding="utf-8"))
        if section:
            found[path.name] = [
                re.sub(r"\\(.)", lambda m: {"e": "\\", "-": "-"}[m[1]], text)
                for text in re.findall(r"(?ms)^\.nf\n(.*?)^\.fi$", section[1])]
    return found


def is_elsewhere(line):
    return any(re.match(re.escape(start) + r"\b", line) for start in ELSEWHERE)


class Shell(Case):
    def setUp(self):
        """A folder with what the examples name, on whose PATH proflite and
        python3 are those under test."""
        self.script(PROGRAM)
        self.script("check:\n\tpython3 app.py\n", "Makefile")
        (self.tmp / "bin").mkdir()
        (self.tmp / "bin/python3").symlink_to(self.py.path)
        self.path = ":".join(["%s/bin" % self.tmp, "%s/bin" % STAGE,
                              self.environment()["PATH"]])

    def shell(self, text, **kwargs):
        done = self.command(["sh", "-e", "-c", text],
                            env={"PATH": self.path}, **kwargs)
        return done.stdout


class Examples(Shell):
    def need_make(self):
        if not shutil.which("make"):
            self.skipTest("no make")

    def run_all(self, page, says):
        """Every example of @page; what it prints is found by the expressions
        of @says, one for each, of which "" is nothing at all."""
        examples = pages()[page]
        self.assertEqual(len(examples), len(says), "one for each example")
        for text, pattern in zip(examples, says):
            lines = [line for line in text.splitlines()
                     if not is_elsewhere(line)]
            out = self.shell("\n".join(lines))
            self.assertRegex(out, pattern or r"\A\Z", text)

    @once
    def test_every_page_is_run(self):
        self.assertEqual(sorted(pages()), sorted(
            ["proflite.1", "proflite-format.5",
             *("proflite-%s.1" % command for command in COMMANDS)]))
        for line, test in ELSEWHERE.items():
            self.assertIn(line.split()[-1],
                          (SOURCE / "tests/e2e" / test).read_text())

    @once
    def test_proflite(self):
        self.need_make()
        consumers.need(self, "sqlite3")
        self.shell("proflite record -o baseline.db python3 app.py")
        self.run_all("proflite.1", [
            r"Ordered by: internal time",
            r"Ordered by: cumulative time(?s:.*)json/\S+\(dumps\)",
            r"app\.py:\d+\(table\)",
            r"ncalls",
            r"",
            r"tottime"])
        self.assertTrue((self.tmp / "app.prof").stat().st_size)

    @once
    def test_proflite_diff_fails_the_build(self):
        """The example does what its sentence says, when there are more."""
        text = next(t for t in pages()["proflite.1"] if "baseline.db" in t)
        self.shell("proflite record -o baseline.db python3 app.py")
        with open(self.tmp / "app.py", "a", encoding="utf-8") as f:
            f.write("table('c')\n")
        self.shell(text, check=1)

    @once
    def test_commands(self):
        self.need_make()
        self.shell("proflite record -o new.db python3 app.py")
        self.shell("proflite record -o tests.db python3 app.py")
        for command, says in COMMANDS.items():
            with self.subTest(command):
                (self.tmp / "proflite.db").unlink(missing_ok=True)
                self.shell("proflite record python3 app.py")
                self.run_all("proflite-%s.1" % command, says)
        for name in ("functions.csv", "app.html", "callgrind.out.app",
                     "app.folded"):
            self.assertTrue((self.tmp / name).stat().st_size, name)

    @once
    def test_format(self):
        consumers.need(self, "sqlite3")
        self.shell("proflite record python3 app.py")
        sql, program = pages()["proflite-format.5"]
        self.assertRegex(self.shell(sql), r"(?m)^\d\S*\|\d+\|<module>$")
        self.script(program, "functions.py")
        self.preload(["app.py"], options="ingest=no")
        recording, = [n for n in os.listdir(self.tmp) if n.endswith(".plrec")]
        out = self.python(["functions.py", recording]).stdout.splitlines()
        self.assertTrue([f for f in out if f.endswith("app.py:4(table)")], out)
        self.assertIn("~:0(<method 'findall' of 're.Pattern' objects>)", out)


class Readme(Shell):
    """README's section "Use it", from top to bottom in one folder."""

    def blocks(self):
        text = (SOURCE / "README.md").read_text(encoding="utf-8")
        section = re.search(r"(?ms)^## Use it\n(.*?)^## ", text)[1]
        return re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", section)

    def commands(self):
        return [re.sub(r"\s+#.*", "", line[2:])
                for language, text in self.blocks() if not language
                for line in text.splitlines() if line.startswith("$ ")]

    @once
    def test_commands(self):
        consumers.need(self, "sqlite3")
        service = self.script("#!/bin/sh\npython3 app.py\n", "service")
        service.chmod(0o755)
        commands = self.commands()
        self.assertGreater(len(commands), 15)
        self.shell("proflite record -- python3 app.py")     # run 1 of diff 1 2
        for line in commands:
            with self.subTest(line):
                if is_elsewhere(line):
                    continue
                line = line.replace("/usr/local/lib/libproflite.so",
                                    str(LIBRARY))
                line = line.replace("/tmp/app.db", "service.db")
                silent = re.match(
                    r"proflite (record|export|sql$)|LD_PRELOAD", line)
                self.assertRegex(self.shell(line), r"\A\Z" if silent else
                                 r"ncalls|app\.py|\|")
        for name in "app.html", "app.prof", "app.json", "service.db":
            self.assertTrue((self.tmp / name).stat().st_size, name)

    @once
    def test_what_they_say(self):
        """Rows of the output in README, by calls and names: times differ, and
        the lines of Python's own library from version to version."""
        app, = [text for language, text in self.blocks()
                if text.startswith("# app.py\n")]
        self.script(app.replace("# app.py\n", ""))     # its lines count
        shown, = [text for _, text in self.blocks() if "--focus" in text]
        said, n = "", 0
        for line in shown.splitlines():
            if line.startswith("$ "):
                # All of the tree, for what is light is left out.
                more = " --min-percent 0 -n 0" if "tree" in line else ""
                said = self.shell(line[2:] + more)
            row = re.match(r" *\d+\.\d%(?: +[\d.]+){2} +(\d+)  [ │├└─]*(.*)$",
                           line) or re.match(
                r" +(\d+)(?: +[\d.]+){4} (\S+)$", line)
            if row:
                n += 1
                name = re.escape(row[2])
                if not row[2].startswith("app.py:") and ".py:" in row[2]:
                    name = re.sub(r"\.py:\d+", r".py:\\d+", name)
                self.assertRegex(said, r"(?m)^.*\b%s\b.* %s$" % (
                    row[1], name), line)
        self.assertGreater(n, 10)

    @once
    def test_program(self):
        program, = [text for language, text in self.blocks()
                    if language == "python" and "cProfile" in text]
        self.script("def main(): pass\n" + program, "program.py")
        out = self.python(["program.py"]).stdout
        self.assertIn("program.py:1(main)", out)
        self.assertTrue((self.tmp / "app.db").stat().st_size)


class Gate(Shell):
    """doc/ci-gate.md, from top to bottom, in a repository with a change that
    makes one call more."""

    def blocks(self):
        text = (SOURCE / "doc/ci-gate.md").read_text(encoding="utf-8")
        blocks = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text)
        first, said, *rest = [text for language, text in blocks
                              if not language]
        job, = [text for language, text in blocks if language == "yaml"]
        steps = [re.sub("(?m)^ {10}", "", step) for step in
                 re.findall(r"(?m)run: \|\n((?: {10}.*\n)+)", job)]
        return first, said, rest, steps

    def sh(self, text, check=0):
        return self.command(["sh", "-e", "-c", text], env={"PATH": self.path},
                            cwd=self.tmp / "repo", check=check)

    @once
    def test_commands(self):
        if not shutil.which("git"):
            self.skipTest("no git")
        diff, said, (baseline, several, both), (record, gate) = self.blocks()
        self.script("import sys\nsys.path.insert(0, 'src')\n"
                    "import app\nfor _ in range(10):\n    app.leaf()\n",
                    "repo/bench.py")
        self.script("\n\n\n\ndef leaf():\n    pass\n", "repo/src/app.py")
        self.sh("git init -q . && git add . && "
                "git -c user.name=a -c user.email=b commit -q -m one && "
                "git update-ref refs/remotes/origin/main HEAD")
        self.sh(baseline)
        self.sh("sed -i s/10/11/ bench.py")
        self.sh(record)
        leaf, total = said.splitlines()[1:]
        out = self.sh(diff, check=1).stdout
        self.assertIn(leaf.replace("app.py", "src/app.py") + "\n", out)
        self.assertIn(total.split("ncalls")[0], out)
        self.assertIn("leaf  src/app.py:5  ncalls 10 -> 11",
                      self.sh(gate, check=1).stdout)
        for text in several, both:
            done = self.sh(text, check=None)    # times are as they are
            self.assertRegex(done.stdout, r"(passed|failed): tottime > \+10% "
                             r"and > 5ms\n")
