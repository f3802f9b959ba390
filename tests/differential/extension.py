# SPDX-License-Identifier: MIT
"""tests/programs/fires.c, built once for all interpreters."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "programs/fires.c"


def include_of(python):
    folder = Path(subprocess.run(
        [python.path, "-c",
         "import sysconfig; print(sysconfig.get_path('include'))"],
        capture_output=True, text=True, check=True).stdout.strip())
    return folder if (folder / "Python.h").exists() else None


def build(pythons, folder):
    """The folder that has it, to be imported from; None without a compiler or
    Python's headers."""
    ready = SOURCE.with_suffix(".so")       # tests/forky/run has made it
    if ready.exists():
        return ready.parent
    compiler = shutil.which("cc") or shutil.which("gcc")
    includes = [i for i in map(include_of, pythons) if i] if compiler else []
    if not includes:
        return None
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-isystem",
                    includes[-1], "-o", os.path.join(folder, "fires.so"),
                    SOURCE, "-ldl"], check=True)
    return folder
