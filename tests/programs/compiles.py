# SPDX-License-Identifier: MIT
"""Makes code as it goes, and lets go of it; prints by how much it has grown
meanwhile, in bytes.  Every code object is called three times, and 40 functions
take turns at the addresses that come free."""

ROUNDS = 40000


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def work(first, last):
    for i in range(first, last):
        name = "made_%d" % (i % 40)
        scope = {}
        exec(compile("def %s(): pass" % name, name + ".py", "exec"), scope)
        for _ in range(3):
            scope[name]()


work(0, 8000)
before = resident()
work(8000, ROUNDS)
print(resident() - before)
