"""Many call paths: twice as many for each level.  wide.py DEPTH

Depth 16 makes some 130,000 paths, 19 a million, of 2,000 functions."""

import sys

N = 2000
exec("\n".join(
    "def f%d(d):\n    if d: F[%d + d](d - 1); F[%d + d](d - 1)"
    % (i, (i * 7 + 1) % (N - 30), (i * 13 + 5) % (N - 30)) for i in range(N)))
F = [globals()["f%d" % i] for i in range(N)]
F[0](int(sys.argv[1]))
