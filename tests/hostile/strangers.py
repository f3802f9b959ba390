# SPDX-License-Identifier: MIT
"""Files of other users, and what they would plant."""

import os
import sqlite3
import struct

from harness import LIBRARY, PACKAGE, TOOL, Case, once

__all__ = ["ALICE", "NOBODY", "LIBRARY", "PACKAGE", "TOOL", "Hostile", "once"]

ALICE = 12345                   # a user without a name
NOBODY = 65534

TRUST = "if you trust that user, add --trust"
MAGIC = bytes.fromhex("d9d505f920a163d7")

# A program of 100 calls of f().
APP = """
    import os
    def f(): pass
    for _ in range(100): f()
    """


def journal(super_journal="", pages=(), page_size=4096):
    """A rollback journal that SQLite takes for one left by a killed writer.
    @pages: (number, bytes).  See "The Rollback Journal" in SQLite's documents."""
    nonce, sector = 7, 512
    data = MAGIC + struct.pack(">5I", len(pages), nonce, 0 if not pages else
                               pages[0][0], sector, page_size)
    data = data.ljust(sector, b"\0")
    for number, content in pages:
        total = nonce + sum(content[i] for i in range(page_size - 200, 0, -200))
        data += struct.pack(">I", number) + content + struct.pack(
            ">I", total & 0xffffffff)
    if super_journal:
        name = os.fsencode(super_journal)
        pending_page = 0x40000000 // page_size + 1
        data += struct.pack(">I", pending_page) + name + struct.pack(
            ">2I", len(name), sum(name)) + MAGIC
    return data


class Hostile(Case):
    def setUp(self):
        os.chmod(self.tmp, 0o755)
        self.shared = self.tmp / "shared"       # as the temporary folder
        self.shared.mkdir()
        os.chmod(self.shared, 0o1777)
        self.app = self.script(APP)

    def make(self, path):
        """A database of one run, with 100 calls of f."""
        self.record([self.app], db=path)
        return path

    def calls(self, path):
        return self.rows("select ncalls from pstats where function = 'f'",
                         db=path)

    def plant(self, path, data=b"", owner=ALICE, mode=0o644):
        path.write_bytes(data)
        self.give(path, owner, mode)
        return path

    def give(self, path, owner=ALICE, mode=None):
        if mode is not None:
            os.chmod(path, mode)
        os.chown(path, owner, owner, follow_symlinks=False)

    def change(self, path, *statements):
        db = sqlite3.connect(path)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def refused(self, *args, line, **kwargs):
        """`proflite @args` fails with that one line on stderr."""
        done = self.tool(*args, check=1, **kwargs)
        self.assertEqual((done.stdout, done.stderr), ("", "proflite %s: %s\n" % (
            args[0], line)))

    def recording(self, path, owner=ALICE, app=None):
        """A recording for the database @path whose process is gone."""
        self.preload([app or self.app], options="ingest=no", db=path)
        found = [p for p in path.parent.iterdir() if
                 p.name.startswith(path.name + ".") and p.suffix == ".plrec"]
        self.assertEqual(len(found), 1)
        self.give(found[0], owner)
        return found[0]
