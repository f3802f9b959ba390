# SPDX-License-Identifier: MIT
"""What takes long says on the terminal how far it is, and takes that back."""

import os
import pty
import subprocess
import time

from harness import TOOL, Case, once

APP = """
    import sys
    sys.setrecursionlimit(10000)
    made = {}
    for i in range(9000):
        exec("def f%d(): pass\\nf%d()" % (i, i), made)
    """


class Progress(Case):
    def on_terminal_only_errors(self, *args):
        """What the terminal sees of `proflite @args | a slow reader`."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [TOOL, *map(str, args)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=theirs, env=self.environment(),
            cwd=self.tmp)
        os.close(theirs)
        text = process.stdout.read(1)
        time.sleep(1.1)         # of the first second nothing is said
        text += process.stdout.read()
        self.assertEqual(process.wait(), 0)
        seen = b""
        try:
            while True:
                seen += os.read(ours, 4096)
        except OSError:         # the other end is closed
            os.close(ours)
        return text, seen.decode()

    @once
    def test_of_what_writes_much(self):
        self.record([self.script(APP)])
        for args, what in ((("tree", "-o", "json"), "tree"),
                           (("tree", "-o", "csv"), "tree"),
                           (("export", "-f", "json", "-o", "-"), "export")):
            with self.subTest(" ".join(args)):
                text, seen = self.on_terminal_only_errors(*args, self.db)
                self.assertGreater(len(text), 300000)
                self.assertRegex(
                    seen, r"^(\rproflite %s: \d+\.\d MB written)+\r\x1b\[K$"
                    % what)
                quiet = self.command([TOOL, *args, self.db])
                self.assertEqual(quiet.stdout, text.decode())
                self.assertEqual(quiet.stderr, "")
