# SPDX-License-Identifier: MIT
"""What a program sees of us from inside.  It prints what it finds, bare and
recorded; what differs is on the list, and doc/robustness.md says why."""

import json

from harness import Case, since, until

# Keys of what programs print, whose values are text.
LOOK = """
import atexit, gc, json, os, resource, signal, sys, threading, weakref

def f():
    pass

def depth():
    frame, n = sys._getframe(), 0
    while frame:
        frame, n = frame.f_back, n + 1
    return n

def deepest(n=1):
    try:
        return deepest(n + 1)
    except RecursionError:
        return n

def names(objects):
    found = set()
    for one in objects:
        text = "%s.%s" % (type(one).__module__, type(one).__qualname__)
        if isinstance(one, type):
            text = "%s.%s" % (one.__module__, one.__qualname__)
        elif callable(one):
            text += " " + str(getattr(one, "__name__", ""))
        if "proflite" in text:
            found.add(text)
    return sorted(found)

def handlers():
    return [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())]

def masks():
    with open("/proc/self/status") as status:
        return [line.split() for line in status if line.split(":")[0] in
                ("SigPnd", "SigBlk", "SigIgn", "SigCgt", "Threads")]

def heard():
    sys.addaudithook(lambda event, args: events.append(event))
    f()
    compile("1", "x", "exec")
    f.__code__.co_code
    os.getpid()
    threading.Thread(target=f).start()

def descriptors():
    folder = os.open("/proc/self/fd", os.O_RDONLY)
    try:
        return sorted(int(n) for n in os.listdir(folder) if int(n) != folder)
    finally:
        os.close(folder)

f()
events = []
found = {
    "getprofile": sys.getprofile(), "gettrace": sys.gettrace(),
    "threading": [threading._profile_hook, threading._trace_hook],
    "threads": [t.name for t in threading.enumerate()],
    "frames": [depth(), len(sys._current_frames())],
    "deepest": deepest(),
    "modules": sorted(sys.modules),
    "atexit": atexit._ncallbacks(),
    "flags": [sys.flags, sys.argv, sys.path, sys.warnoptions,
              sys._xoptions, sys.dont_write_bytecode],
    "hooks": [sys.excepthook is sys.__excepthook__,
              sys.unraisablehook is sys.__unraisablehook__,
              sys.displayhook is sys.__displayhook__,
              [getattr(x, "__name__", "") for x in sys.meta_path],
              len(sys.path_hooks), gc.callbacks, gc.isenabled(), gc.get_threshold()],
    "limits": [sys.getrecursionlimit(), sys.getswitchinterval(),
               resource.getrlimit(resource.RLIMIT_NOFILE),
               resource.getrlimit(resource.RLIMIT_FSIZE)],
    "handlers": handlers(), "masks": masks(),
    "timers": [signal.getitimer(n) for n in range(3)],
    "builtin": [repr(sys.setprofile)[:30], sys.setprofile.__self__.__name__,
                sys.setprofile.__doc__, sys.setprofile.__text_signature__,
                sys.setprofile.__module__, sys.setprofile.__reduce__(),
                sys.setprofile == sys.setprofile],
    "tracked": names(gc.get_objects()),
    "weak": weakref.getweakrefcount(f.__code__),
    # What is to be seen:
    "subclasses": names(object.__subclasses__()),
    "references": sys.getrefcount(f.__code__),
    "descriptors": descriptors(),
    "environment": sorted(set(os.environ) - {"COLUMNS", "LINES", "LC_CTYPE"}),
    "tools": [sys.monitoring.get_tool(n) for n in range(6)]
             if hasattr(sys, "monitoring") else [],
}
heard()
found["audit"] = sorted(set(events))
print(json.dumps(found, default=str))
"""

# The same, with a profile function of the program's own.
SET = """
import sys, threading

def see(frame, event, arg):
    name = getattr(arg, "__name__", "") if event[:2] == "c_" else ""
    if frame.f_globals["__name__"] in ("__main__", "threading"):
        seen.append((event, frame.f_code.co_name, name))

def f():
    abs(1)

def direct():
    sys.setprofile(see)
    f()
    sys.setprofile(None)

def by_name():
    sys.setprofile(*[see])
    f()
    sys.setprofile(*(None,))

def all_threads():
    threading.setprofile_all_threads(see)
    f()
    threading.setprofile_all_threads(None)

def in_a_thread():
    threading.setprofile(see)
    t = threading.Thread(target=f)
    t.start()
    t.join()
    threading.setprofile(None)

def wrongly():
    for args, names in ((), {}), ((1, 2), {}), ((see,), {"x": 1}):
        try:
            sys.setprofile(*args, **names)
        except TypeError as e:
            seen.append(str(e))

for how in direct, by_name, all_threads, in_a_thread, wrongly:
    seen = []
    if how is not all_threads or hasattr(threading, "setprofile_all_threads"):
        how()
    print(how.__name__, *seen, sep="\\n")
"""


class Visible(Case):
    def look(self, text, **env):
        """What the program prints, bare and with the variables @env."""
        app = self.script(text)
        bare = self.command([self.py.path, app]).stdout
        return bare, self.command([self.py.path, app], env).stdout

    def differing(self, **env):
        bare, ours = map(json.loads, self.look(LOOK, **env))
        return {key: (bare[key], ours[key]) for key in bare
                if bare[key] != ours[key]}

    def check(self, found, expected):
        self.assertEqual(sorted(found), sorted(expected))
        for key, want in expected.items():
            self.assertEqual(want(*found[key]), True, (key, found[key]))

    # All that may be seen, and how it differs.
    RECORDED = {
        "references": lambda bare, ours: ours - bare == 1,
        "descriptors": lambda bare, ours: set(ours) - set(bare) == {700},
        "environment": lambda bare, ours: set(ours) - set(bare) == {
            "LD_PRELOAD", "PROFLITE_OPTIONS"},
    }

    @until(3, 11)
    def test_from_inside_by_a_hook(self):
        self.check(self.differing(**self.preloading()), self.RECORDED)

    @since(3, 12)
    def test_from_inside_by_monitoring(self):
        self.check(self.differing(**self.preloading()), {
            **self.RECORDED,
            "subclasses": lambda bare, ours: ours == ["proflite._callback"],
            "tools": lambda bare, ours: ours == [
                None, None, None, "proflite", None, None],
        })

    def test_waiting_to_be_attached_to(self):
        """The handler of the signal that attach sends shows in /proc alone."""
        self.check(self.differing(**self.preloading("start=no")), {
            "environment": self.RECORDED["environment"],
            "masks": lambda bare, ours: [
                a[0] for a, b in zip(bare, ours) if a != b] == ["SigCgt:"]})

    def test_profile_functions(self):
        """A profile function has the events that it has without us."""
        bare, ours = self.look(SET, **self.preloading())
        self.assertEqual(ours, bare)
        self.assertIn("('c_call', 'f', 'abs')", bare)

    def test_hashes_outlive_a_start(self):
        """What was a key before recording began is one after."""
        done = self.python([self.script("""
            import _thread, builtins, gc, sys, threading
            import proflite

            functions = [x for x in gc.get_objects()
                         if type(x) is type(len)]
            known = {x: x.__name__ for x in functions}
            hashes = [hash(x) for x in functions]
            proflite.start(out="x.db")
            during = [known.get(x) for x in functions]
            same = hashes == [hash(x) for x in functions]
            proflite.stop()
            after = [known.get(x) for x in functions]
            print(same, None in during, None in after,
                  known.get(sys.setprofile))
            """)])
        self.assertEqual(done.stdout, "True False False setprofile\n")
