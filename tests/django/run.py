#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run Django's own test suite under `proflite record`.

    run.py [--stage DIR] [--python PYTHON] [--groups N] [--only I,...]
           [--under COMMAND] DIR

DIR gets Django's source and a virtual environment of PYTHON the first time, then
a result for each group.  The suite is run in N groups of its applications, each
with two workers and into a database of its own: what was run is not run again
until its result, DIR/group-I.json, is removed.  What fails in a group is run
without us, and once more with: a test counts as failed when it fails with us
every time and never without.

The database of a group has to be sound, and to have each worker with the tests
it has run.  Ends with the results as a table in Markdown.
"""

import argparse
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import runner

WORKERS = 2
SECONDS = 3600                  # for one run of a group


def install(python, folder):
    """(Python that can run them, folder of the tests), made if not there."""
    venv = folder / "venv"
    pinned = (HERE / "requirements.txt").read_text()
    version = re.search(r"^django==(\S+)", pinned, re.M).group(1)
    source = folder / ("django-" + version)
    if not (source / "tests").is_dir():
        subprocess.run([python, "-m", "venv", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "-q", "-r", HERE / "requirements.txt"],
                       check=True)
        subprocess.run([*pip, "download", "-q", "--no-deps", "--no-binary",
                        "django", "-d", folder, "django==" + version],
                       check=True)
        with tarfile.open(folder / (source.name + ".tar.gz")) as archive:
            archive.extractall(folder)
    return venv / "bin/python", source / "tests"


def environment(folder):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
            "HOME": str(folder), "TMPDIR": str(folder)}


def applications(python, tests):
    """[(name, bytes of its tests)] of all that runtests.py would run."""
    done = subprocess.run(
        [python, "-c", "import runtests\n"
         "print(*sorted(runtests.get_test_modules(False)))"],
        cwd=tests, stdout=subprocess.PIPE, text=True, check=True)
    return [(name, sum(p.stat().st_size
                       for p in (tests / name).rglob("test*.py")))
            for name in done.stdout.split()]


def groups_of(applications, count):
    """Up to @count lists of names, in order, of about as many bytes each."""
    total, done = sum(size for _, size in applications), 0
    groups = [[] for _ in range(count)]
    for name, size in applications:
        groups[min(done * count // total, count - 1)].append(name)
        done += size
    return [group for group in groups if group]


class Suite:
    def __init__(self, args, folder):
        self.folder, self.under = folder, args.under.split()
        self.tool = runner.stage_folder(args.stage) / "bin/proflite"
        self.python, self.tests = install(args.python, folder)

    def run(self, labels, db=None):
        """What runtests.py prints about @labels; recorded into @db."""
        record = [self.tool, "record", "-o", db, "--"] if db else []
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        done = subprocess.run(
            [*self.under, *record, self.python, "runtests.py", "--noinput",
             "--parallel=%d" % WORKERS, *labels],
            cwd=self.tests, env=environment(scratch), timeout=SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace")

    def group(self, number, labels):
        """Run a group as often as it takes; the result as a dict."""
        db = self.folder / ("group-%d.db" % number)
        for old in self.folder.glob(db.name + "*"):
            old.unlink()
        begin = time.monotonic()
        text = self.run(labels, db)
        seconds = time.monotonic() - begin
        (self.folder / ("group-%d.out" % number)).write_text(text)
        result = dict(counts(text), labels=labels, seconds=round(seconds))
        # Whole applications: a worker tells which test it was by its number
        # in its class, which is not that of the name where unittest of 3.12.1
        # does not count those skipped.
        failed = failures(text)
        without = failed and failures(self.run(applications_of(failed)))
        only = failed - without
        again = only and failures(self.run(applications_of(only),
                                           self.folder / "again.db"))
        result.update(both=sorted(failed & without),
                      once=sorted(only - again), only=sorted(only & again))
        return result

    def database(self, number, ran):
        """What the database of a group has, and what is wrong with it."""
        db = self.folder / ("group-%d.db" % number)
        problems = ["%s is left" % p.name
                    for p in self.folder.glob(db.name + "*.plrec")]
        with sqlite3.connect("file:%s?mode=ro" % db, uri=True) as c:
            sound, = c.execute("pragma integrity_check").fetchone()
            ends = dict(c.execute("select coalesce(end_reason, 'none'), "
                                  "count(*) from processes group by 1"))
            damaged, = c.execute("select count(*) from processes "
                                 "where damage is not null").fetchone()
            # The workers are children of the first process; tests of the
            # suite have some of their own.
            tests = [n for n, in c.execute(
                "select sum(s.calls * (f.name = 'startTest')) from processes p "
                "join processes first on first.id = p.parent_id "
                "and first.parent_id is null "
                "join threads t on t.process_id = p.id "
                "join function_stats s on s.thread_id = t.id "
                "join functions f on f.id = s.function_id "
                "where f.qualname in ('RemoteTestResult.startTest', "
                "'_run_subsuite') and f.filename like '%/django/test/runner.py' "
                "group by p.id having sum(f.name = '_run_subsuite')")]
        c.close()
        if sound != "ok" or damaged:
            problems.append("%s, %d damaged" % (sound, damaged))
        if len(tests) != WORKERS or sum(tests) < ran:
            problems.append("workers have %s of %d tests" % (tests, ran))
        return {"ends": ends, "workers": tests, "problems": problems}


def counts(text):
    """The numbers of unittest's last lines."""
    found = re.findall(r"^Found (\d+) test", text, re.M)
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.M)
    last = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.M)
    if not found or not ran or not last:
        raise SystemExit("the suite did not come to its end:\n" + text[-4000:])
    named = dict(item.split("=") for item in last[-1].split(", ") if item)
    return {"found": int(found[0]), "ran": int(ran[-1]),
            "skipped": int(named.get("skipped", 0))}


def failures(text):
    """The tests that have failed, by names that runtests.py takes."""
    return {name for name in re.findall(
        r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): .*?\(([\w.]+)\)", text, re.M)}


def applications_of(tests):
    return sorted({name.partition(".")[0] for name in tests})


def table(results):
    rows = [("applications", "tests", "ran", "skipped", "fail also without",
             "fail only with", "processes", "ran, of the workers")]
    sums = [0] * 7
    for r in results:
        row = (r["found"], r["ran"], r["skipped"], len(r["both"]),
               len(r["only"]), sum(r["ends"].values()), sum(r["workers"]))
        sums = [a + b for a, b in zip(sums, row)]
        rows.append(("%s to %s" % (r["labels"][0], r["labels"][-1]), *row))
    rows.append(("all", *sums))
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|"] + lines[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--stage", help="installed tree to test")
    parser.add_argument("--python", default=sys.executable,
                        help="for the virtual environment (default: this one)")
    parser.add_argument("--groups", metavar="N", type=int, default=18)
    parser.add_argument("--only", metavar="I,...",
                        help="run only these groups, from 1; 0 is none")
    parser.add_argument("--under", metavar="COMMAND", default="",
                        help="start each run by this, such as nice")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    suite = Suite(args, args.folder.resolve())
    groups = groups_of(applications(suite.python, suite.tests), args.groups)
    wanted = [int(i) for i in args.only.split(",")] if args.only else \
        range(1, len(groups) + 1)
    for number in wanted:
        path = suite.folder / ("group-%d.json" % number)
        if number and not path.exists():
            result = suite.group(number, groups[number - 1])
            path.write_text(json.dumps(result, indent=1))
            print("group %d: %s" % (number, json.dumps(result)), flush=True)
    results = []
    for number in range(1, len(groups) + 1):
        path = suite.folder / ("group-%d.json" % number)
        if path.exists():
            result = json.loads(path.read_text())
            result.update(suite.database(number, result["ran"]))
            for problem in result["problems"]:
                print("group %d: %s" % (number, problem))
            results.append(result)
    print(table(results))
    return any(r["only"] or r["problems"] for r in results)


if __name__ == "__main__":
    sys.exit(main())
