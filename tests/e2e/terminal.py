# SPDX-License-Identifier: MIT
"""Run a command with a terminal for its standard output."""

import fcntl
import os
import pty
import struct
import subprocess
import termios


def run(argv, columns=80, lines=24, env=None, cwd=None, timeout=300,
        typed=b""):
    """What @argv prints on a terminal of that size, and its exit status.
    @typed: what it finds typed there."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen([str(a) for a in argv], stdin=theirs,
                               stdout=theirs, stderr=subprocess.STDOUT,
                               env=env, cwd=cwd, start_new_session=True)
    os.close(theirs)
    text = b""
    try:
        while True:
            part = os.read(ours, 65536)
            if not part:
                break
            text += part
    except OSError:             # the other end is closed
        pass
    status = process.wait(timeout)
    os.close(ours)
    return text.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape"), \
        status
