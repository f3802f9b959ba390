# SPDX-License-Identifier: MIT
"""The memory of a command is in proportion to what it reads."""

import os
import sqlite3
import struct

from harness import TOOL, Case, once
from test_big import Big as Timed

MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


class Memory(Case):
    def peak(self, *argv):
        """Megabytes that @argv had at most."""
        done = self.command([self.py.path, "-c", MEASURE, *argv])
        status, megabytes = map(int, done.stdout.split())
        self.assertEqual(status, 0, done.stderr)
        return megabytes, done.stderr


N_CELLS, CELL, PAGE = 104, 64, 4096
CHUNK = struct.Struct("=III")           # magic, kind, cells
MAGIC, FUNCS = 0x4b4e4843, 3


class Sparse(Memory):
    @once
    def test_a_chunk_that_claims_200_gigabytes(self):
        self.preload([self.script("def f(): pass\nf()")],
                     options="ingest=no,clock=step")
        path, = self.tmp.glob("proflite.db.*.plrec")
        data = path.read_bytes()
        n_cells, = struct.unpack_from("=I", data, N_CELLS)
        most = 0xffffffc0
        with open(path, "r+b") as f:
            f.seek(n_cells * CELL)
            f.write(CHUNK.pack(MAGIC, FUNCS, most - n_cells))
            f.seek(N_CELLS)
            f.write(struct.pack("=I", most))
            f.truncate(most * CELL)
        self.assertLess(os.stat(path).st_blocks * 512, 100 << 20)
        megabytes, said = self.peak(TOOL, "runs", self.db)
        self.assertLess(megabytes, 150)
        self.assertIn("is sparse", said)
        self.assertEqual(self.value("select ncalls from pstats where "
                                    "function = 'f'"), 1)


N = 300_000
# A million functions may take 300 MB.
MOST_MEGABYTES = 15 + 300 * N // 1_000_000

COMMANDS = [
    ("report",), ("report", "--callers", "f1"), ("report", "-o", "json"),
    ("report", "-s", "nfl"), ("report", "--strip-dirs"), ("report", "f77"),
    ("callees", "-o", "csv"), ("tree",), ("tree", "--unfold"),
    *(("export", "-o", "/dev/null", "-f", format) for format in (
        "callgrind", "chrome", "collapsed", "csv", "dot", "html", "json",
        "pprof", "pstats", "speedscope"))]


class Functions(Memory):
    """A run of N functions, as a program makes that compiles as it goes."""

    def make(self):
        self.record([self.script("def main():\n    len('x')\nmain()")],
                    options="clock=step")
        c = sqlite3.connect(self.db)
        thread, root, last = c.execute(
            "select id, first_node, last_node from threads").fetchone()
        main, = c.execute("select id from functions where name = 'main'") \
            .fetchone()
        functions, = c.execute("select max(id) from functions").fetchone()
        each = "with recursive i(i) as (select 1 union all select i + 1 from " \
            "i where i < %d) insert into " % N
        figures = "1, 0, 1, i % 97, i % 97, i % 97, i % 97"
        for table, columns, values in (
                ("functions", "?1 + i, 'python', '<string>', 1, 'f' || i, "
                 "'f' || i, null", (functions,)),
                ("nodes", "?1 + i, ?2, ?3, ?1 + i, ?4 + i, 0, 1, 0, i % 97, "
                 "i % 97, i % 97, i % 97", (last, thread, root, functions)),
                ("function_stats", "?1, ?2 + i, %s, null, null" % figures,
                 (thread, functions)),
                ("call_stats", "?1, ?2, ?3 + i, %s, null, null" % figures,
                 (thread, main, functions))):
            c.execute(each + "%s select %s from i" % (table, columns), values)
        c.execute("update nodes set last_id = last_id + ? where id = ?",
                  (N, root))
        c.execute("update threads set last_node = last_node + ?, n_calls = "
                  "n_calls + ?", (N, N))
        c.commit()
        c.close()

    @once
    def test_memory_is_bounded(self):
        self.make()
        for args in COMMANDS:
            with self.subTest(" ".join(args)):
                megabytes, _ = self.peak(TOOL, *args)
                self.assertLess(megabytes, MOST_MEGABYTES)

    @once
    def test_time_is_bounded(self):
        self.make()
        self.check(*COMMANDS)

    check, seconds = Timed.check, Timed.seconds


del Timed
