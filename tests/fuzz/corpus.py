#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the seeds of the fuzz targets, with the proflite of @stage:

    python3 tests/fuzz/corpus.py --stage build/stage

writes tests/fuzz/corpus/TARGET/seed-*.  What a fuzzer has found lies beside
them under other names and stays.
"""

import argparse
import cProfile
import marshal
import os
import platform
import profile
import sqlite3
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CELL = 64
N_CELLS = 104                   # where the header of a recording has it

PROGRAMS = {
    "small": ("", "def a():\n  pass\nfor i in range(3): a()"),
    "recursive": ("", "def f(n):\n  return n and f(n - 1)\nf(9)"),
    "threads": ("builtins=no", """
import _thread
def work(lock):
  lock.release()
for i in range(3):
  lock = _thread.allocate_lock()
  lock.acquire()
  _thread.start_new_thread(work, (lock,))
  lock.acquire()
"""),
    "folded": ("builtins=no,max_nodes=4", """
def f(n, m):
  return n and f(n - 1, m) or m and f(0, m - 1)
f(5, 5)"""),
    "killed": ("builtins=no", """
import os
import platform
def down(n):
  if n: down(n - 1)
  os.kill(os.getpid(), 9)
down(20)"""),
    "cpu": ("clock=cpu,all_calls", "list(map(str, range(3)))"),
    "resumed": ("", "def g():\n  yield 1\n  yield 2\nlist(g())"),
}

# Columns whose sums and differences are taken.
STATS = "calls resumes primitive self_ns cum_ns min_ns max_ns comp_self_ns " \
    "comp_cum_ns"
FIGURES = {
    "runs": "started_ns", "processes": "ended_ns",
    "threads": "duration_ns n_calls",
    "nodes": "calls resumes total_ns self_ns min_ns max_ns",
    "function_stats": STATS, "call_stats": STATS,
}

OPTIONS = [
    "", "out=/a b/c.db,clock=cpu,builtins=no", ",,clock=step,",
    "out=a\\,b\\\\c,label=x=y", "max_nodes=4294967295,all_calls,start=off",
    "run=000102030405060708090a0b0c0d0e0f,parent=,ingest=no",
    "label=\xe4\u2028,clock=wall", "nonsense=1", "max_nodes=-1", "out=",
]

EXPRESSIONS = [
    "rfoo.*\\.py\0/a/foo/b.py", "r(?i)[a-z_]+\\d{2,3}$\0MAIN_12",
    "r(?P<x>a|b)(?P=x)\0aa", "r\\bx\\B\\u1234\\Z\0x", "r[[:alpha:]-\\]]\0a",
    "r(?<=a)b(?!c)(?#note)\0ab", "r(a+)+$\0aaaaaaaaaaaaaaaaaaaaaab",
    "r(?x) a # note\n b\0ab", "r{,3}a{1,}\0{a", "r\\x41\\101\\0\\N{DASH}\0A",
    "gncalls > +0%", "gtottime > +10% and > 5ms or calls == 12",
    "gcumtime>=-1999\xb5s", "gprimcalls != 1e300%", "mtottime", "mpcalls",
]


def write(target, name, data):
    host = platform.node().encode()
    if host:
        data = data.replace(host, b"h" * len(host))
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("seed-" + name)).write_bytes(data)


def recordings(stage, tmp):
    """The file of each program, without what is only reserved of it."""
    for name, (options, text) in PROGRAMS.items():
        subprocess.run(
            [sys.executable, "-S", "-c", text], cwd=tmp, env={
                "LD_PRELOAD": str(stage / "lib/libproflite.so"),
                "PROFLITE_OPTIONS": "out=%s.db,ingest=no,clock=step%s" % (
                    name, options and "," + options)},
            stderr=subprocess.PIPE)
        path, = Path(tmp).glob(name + ".db.*.plrec")
        data = path.read_bytes()
        n_cells, = struct.unpack_from("=I", data, N_CELLS)
        write("recording", name, data[:n_cells * CELL])
        yield name


def databases(stage, tmp, names):
    for name in names:
        db = Path(tmp) / (name + ".db")
        subprocess.run([stage / "bin/proflite", "runs", db], check=True,
                       stdout=subprocess.DEVNULL)
        with sqlite3.connect(db) as connection:
            connection.executescript("PRAGMA page_size = 512; VACUUM")
        connection.close()
        if name in ("small", "threads", "folded"):
            write("database", name, db.read_bytes())
        if name == "folded":
            for kind, value in ("most", 2**63 - 1), ("least", -2**63):
                fill(db, value)
                write("database", kind, db.read_bytes())


def fill(db, value):
    """Make every figure of @db the number @value."""
    with sqlite3.connect(db) as connection:
        for table, columns in FIGURES.items():
            connection.execute("update %s set %s" % (table, ", ".join(
                column + " = :value" for column in columns.split())),
                {"value": value})
    connection.close()


# Of a file that is nowhere: profiles name where theirs lies.
WORK = compile("""\
def work(n):
    return n and work(n - 1) + len(str(n))
""", "app.py", "exec")


def profiles():
    space = {}
    exec(WORK, space)
    for name, module in ("cprofile", cProfile), ("profile", profile):
        p = module.Profile()
        p.runcall(space["work"], 3)
        p.create_stats()
        for version in 2, 4:
            write("pstats", "%s-%d" % (name, version),
                  marshal.dumps(p.stats, version))
    label = ("a\udcff.py", 1, "f")
    write("pstats", "odd", marshal.dumps({
        label: (1 << 40, 1 << 70, 1e300, float("nan"), {label: (1, 1, 0, 0)}),
        ("~", 0, "<x>"): (0, 0, -1.0, float("inf"), {label: 3})}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", type=Path, required=True)
    stage = parser.parse_args().stage.resolve()
    os.environ.pop("LD_PRELOAD", None)
    with tempfile.TemporaryDirectory() as tmp:
        databases(stage, tmp, list(recordings(stage, tmp)))
    profiles()
    for target, texts in (("options", OPTIONS), ("expressions", EXPRESSIONS)):
        for i, text in enumerate(texts):
            write(target, "%02d" % i, text.encode("utf-8"))


if __name__ == "__main__":
    main()
