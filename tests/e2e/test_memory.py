# SPDX-License-Identifier: MIT
"""The memory of a command is in proportion to what it reads."""

import os
import struct

from harness import TOOL, Case, once

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
