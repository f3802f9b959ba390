# SPDX-License-Identifier: MIT
"""The profilers, each behind start(), stop() and finish().

A tool may be started and stopped several times; finish() then writes what it
has, and returns the paths of what it wrote.  One that is not installed raises
ImportError when it is made.
"""

import os
import sys


class Tool:
    def __init__(self, folder, program):
        self.folder = folder    # where to write
        self.program = program  # globals of the program

    def start(self):
        pass

    def stop(self):
        pass

    def finish(self):
        return []

    def path(self, name):
        return os.path.join(self.folder, name)


class Bare(Tool):
    pass


class Floor(Tool):
    """Callbacks that do nothing; c_calls: for C functions as well."""
    c_calls, clock = True, False

    def __init__(self, *args):
        super().__init__(*args)
        import floor
        self.floor = floor

    def start(self):
        self.floor.start(self.c_calls, self.clock)

    def stop(self):
        self.floor.stop()


class FloorPython(Floor):
    c_calls = False


class Clock(Floor):
    """Callbacks that read the clock and do nothing else."""
    clock = True


class ClockPython(FloorPython):
    clock = True


class Proflite(Tool):
    options = {}

    def __init__(self, *args):
        super().__init__(*args)
        import proflite
        self.proflite = proflite
        self.db = self.path("proflite.db")

    def start(self):
        self.proflite.start(out=self.db, **self.options)

    def stop(self):
        self.proflite.stop()

    def finish(self):
        self.proflite.save()
        return [self.db]


class ProflitePython(Proflite):
    options = {"builtins": False}


class ProfliteCpu(Proflite):
    options = {"clock": "cpu"}


class CProfile(Tool):
    options = {}

    def __init__(self, *args):
        super().__init__(*args)
        import cProfile
        self.profile = cProfile.Profile(**self.options)

    def start(self):
        self.profile.enable()

    def stop(self):
        self.profile.disable()

    def finish(self):
        self.profile.dump_stats(self.path("c.prof"))
        return [self.path("c.prof")]


class CProfilePython(CProfile):
    options = {"builtins": False}


class Count(CProfile):
    """Counts the calls of a program, by kind."""

    def calls(self):
        python = c = 0
        for entry in self.profile.getstats():
            if isinstance(entry.code, str):
                c += entry.callcount
            else:
                python += entry.callcount
        return {"python": python, "c": c}


class Yappi(Tool):
    def __init__(self, *args):
        super().__init__(*args)
        import yappi
        self.yappi = yappi
        yappi.set_clock_type("wall")

    def start(self):
        self.yappi.start(builtins=True)

    def stop(self):
        self.yappi.stop()

    def finish(self):
        self.yappi.get_func_stats().save(self.path("yappi.prof"), type="pstat")
        return [self.path("yappi.prof")]


class VizTracer(Tool):
    def __init__(self, *args):
        super().__init__(*args)
        import viztracer
        self.tracer = viztracer.VizTracer(verbose=0,
                                          output_file=self.path("viz.json"))

    def start(self):
        self.tracer.start()

    def stop(self):
        self.tracer.stop()

    def finish(self):
        self.tracer.save()
        return [self.path("viz.json")]


class Trace0(Tool):
    """It writes while it runs, and can't be started twice."""

    def __init__(self, *args):
        super().__init__(*args)
        import trace0
        self.tracer = trace0.Tracer(self.path("trace0.pb"))
        self.on = False

    def start(self):
        if not self.on:
            self.tracer.__enter__()
            self.on = True

    def finish(self):
        self.tracer.__exit__(None, None, None)
        return [self.path("trace0.pb")]


class PyInstrument(Tool):
    """A sampler: it sees no calls, and its cost does not follow them."""

    def __init__(self, *args):
        super().__init__(*args)
        import pyinstrument
        self.profiler = pyinstrument.Profiler()

    def start(self):
        self.profiler.start()

    def stop(self):
        self.profiler.stop()

    def finish(self):
        with open(self.path("pyinstrument.json"), "w") as f:
            f.write(self.profiler.output_text())
        return [f.name]


class LineProfiler(Tool):
    """Lines of the functions of the benchmark file itself, and no others."""

    def __init__(self, *args):
        super().__init__(*args)
        import line_profiler
        self.profiler = line_profiler.LineProfiler()
        for thing in list(self.program.values()):
            for f in [thing, *vars(thing).values()] if isinstance(
                    thing, type) else [thing]:
                code = getattr(f, "__code__", None)
                if code and code.co_filename == self.program["__file__"]:
                    self.profiler.add_callable(f)

    def start(self):
        self.profiler.enable_by_count()

    def stop(self):
        self.profiler.disable_by_count()

    def finish(self):
        self.profiler.dump_stats(self.path("lines.lprof"))
        return [self.path("lines.lprof")]


TOOLS = {
    "bare": Bare,
    "floor": Floor,
    "floor-py": FloorPython,
    "clock": Clock,
    "clock-py": ClockPython,
    "proflite": Proflite,
    "proflite-py": ProflitePython,
    "proflite-cpu": ProfliteCpu,
    "cProfile": CProfile,
    "cProfile-py": CProfilePython,
    "count": Count,
    "yappi": Yappi,
    "viztracer": VizTracer,
    "trace0": Trace0,
    "pyinstrument": PyInstrument,
    "line_profiler": LineProfiler,
}
