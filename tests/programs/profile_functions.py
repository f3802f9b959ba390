# SPDX-License-Identifier: MIT
"""Profile functions, set in many ways: what each of them sees."""

import sys
import threading


def events(action):
    seen = []
    def f(frame, event, arg):
        seen.append((event, frame.f_code.co_name,
                     arg.__name__ if event.startswith("c_") else None))
    action(f)
    return seen


def plain(f):
    sys.setprofile(f)
    len([])
    sys.setprofile(None)


def twice(f):
    sys.setprofile(lambda *a: None)
    sys.setprofile(f)
    len([])
    sys.setprofile(None)


def by_map(f):
    list(map(sys.setprofile, [f]))
    len([])
    sys.setprofile(None)


def bad(f):
    try:
        sys.setprofile()
    except TypeError:
        pass
    sys.setprofile(f)
    plain2()
    sys.setprofile(None)


def plain2():
    pass


def in_thread(f):
    t = threading.Thread(target=plain, args=(f,))
    t.start()
    t.join()


def by_threading(f):
    threading.setprofile(f)
    t = threading.Thread(target=plain2)
    t.start()
    t.join()
    threading.setprofile(None)


for a in plain, twice, by_map, bad, in_thread, by_threading:
    print(a.__name__, events(a), sys.getprofile())
