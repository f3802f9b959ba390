#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check what a compiler does not: who includes whom, what the shared objects
export, and that lists and documents say what the sources say."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import runner

if __name__ == "__main__":
    sys.exit(runner.main("lint", HERE))
