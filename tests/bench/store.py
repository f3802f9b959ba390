# SPDX-License-Identifier: MIT
"""How long does a tree of a million nodes take into SQLite, and out again?

Against the bare insert of the same nodes by one prepared statement in one
transaction, in turn: bench_store.c, which make builds."""

import os
import subprocess
import sys
import tempfile

import common


def main(argv):
    p = common.parser(__doc__)
    p.add_argument("--build", default=str(common.TOP / "build"), metavar="DIR",
                   help="the build folder (default: %(default)s)")
    p.add_argument("--nodes", type=int, default=1000000, metavar="N",
                   help="default: %(default)s")
    p.add_argument("--functions", type=int, default=2000, metavar="N",
                   help="each calls twelve others (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=5, metavar="N",
                   help="default: %(default)s")
    args = p.parse_args(argv)
    if not os.path.exists(os.path.join(args.build, "Makefile")):
        sys.exit("%s: not a build folder; scripts/try makes one, or --build "
                 "names another" % args.build)
    subprocess.run(["make", "-s", "-C", args.build, "bench-store"], check=True)
    common.print_command("store", argv)
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        return common.Setup(args).run(
            [os.path.join(os.path.abspath(args.build), "bench-store"), folder,
             args.nodes, args.functions, args.rounds]).returncode
