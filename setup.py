# SPDX-License-Identifier: MIT
"""The wheel and the source archive, for pip and `python -m build`.

setuptools makes the archives; what is in them is said by the makefiles alone.
The wheel has what `make stage` installs, the source archive what `make dist`
releases: a new file goes into the local.mk of its folder, and nowhere else.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.editable_wheel import editable_wheel
from setuptools.command.sdist import sdist
from setuptools.errors import ExecError, OptionError

SOURCE = Path(__file__).resolve().parent
BUILD = Path("build/wheel")     # below the folder that scripts/check builds in
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def version():
    text = (SOURCE / "configure.ac").read_text(encoding="utf-8")
    return re.search(r"^AC_INIT\(\[proflite\], \[(.*)\]\)$", text, re.M)[1]


def run(*command, folder, env=None):
    try:
        subprocess.run(command, cwd=folder, check=True,
                       env={**os.environ, **(env or {})})
    except FileNotFoundError:
        raise ExecError("%s is not installed; doc/hacking.md says what a build "
                        "needs" % command[0]) from None
    except subprocess.CalledProcessError:
        raise ExecError("%s failed; see its output above" % command[0]) from None


def is_configured():
    """Whether somebody ran ./configure in the source folder."""
    return (SOURCE / "config.status").exists()


def source():
    """The folder to configure from.  From one that is configured itself,
    configure refuses to build elsewhere: then it is a copy, made as a release
    is."""
    if not is_configured():
        return SOURCE
    copy_of = (BUILD / "source").resolve()
    shutil.rmtree(copy_of, ignore_errors=True)
    release(copy_of)
    return copy_of


def release(folder):
    """Make @folder the tree of the release archive."""
    make(SOURCE if is_configured() else (BUILD / "sdist").resolve(),
         "distdir", "distdir=" + str(folder))


def configure(folder):
    """Make @folder a build folder, unless it is one."""
    if (folder / "Makefile").exists():
        return
    top = source()
    # A source release has it; autoreconf makes Makefile.in last.
    if not (top / "Makefile.in").exists():
        run("autoreconf", "-i", folder=top)
    folder.mkdir(parents=True, exist_ok=True)
    # Not the one of pip's build environment, which is gone afterwards.
    python = getattr(sys, "_base_executable", sys.executable)
    run(top / "configure", "--quiet", "--enable-static-libraries",
        *(["--with-python=" + python] if FREE_THREADED else []),
        folder=folder, env={"CFLAGS": os.environ.get("CFLAGS", "-O2"),
                            "PYTHON": python})


def make(folder, *words):
    configure(folder)
    run("make", "-j%d" % len(os.sched_getaffinity(0)), "--no-print-directory",
        *words, folder=folder)


def copy(path, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)      # a symbolic link becomes its file


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


class Stage(build_ext):
    """Build the whole of it, and put it into the package."""

    def run(self):
        if self.inplace:
            raise OptionError(NO_EDITABLE)
        folder = Path(self.build_temp).resolve()
        make(folder, "stage")
        stage = folder / "stage"
        package = Path(self.build_lib, "proflite")
        shutil.rmtree(package, ignore_errors=True)
        for path in files(stage / "lib/proflite/python/proflite"):
            # Python's name for what serves every version.
            name = {"_proflite.so": "_proflite.abi3.so"}.get(path.name)
            path_in = path.relative_to(stage / "lib/proflite/python/proflite")
            copy(path, package / path_in.with_name(name or path.name))
        # The stub finds the engine, and the program the stub, beside itself.
        copy(stage / "lib/libproflite.so", package / "libproflite.so")
        copy(stage / "bin/proflite", package / "proflite")
        copy(stage / "include/proflite.h", package / "include/proflite.h")
        # Manual pages: share/man beside the bin of a venv is where man looks.
        by_folder = {}
        for path in files(stage / "share"):
            by_folder.setdefault(path.parent, []).append(path)
        self.distribution.data_files = [
            (str(f.relative_to(stage)), [os.path.relpath(p) for p in paths])
            for f, paths in by_folder.items()]

    def get_outputs(self):
        return [str(p) for p in files(Path(self.build_lib, "proflite"))]


class Release(sdist):
    """The files of the release archive, whose list is the makefiles'."""

    def make_release_tree(self, base_dir, files):
        release(Path(base_dir).resolve())
        self.distribution.metadata.write_pkg_info(base_dir)


NO_EDITABLE = ("an editable install would not see what is built: "
               "work with build/stage, as doc/hacking.md says")


class NoEditable(editable_wheel):
    def run(self):
        raise OptionError(NO_EDITABLE)


BUILD.mkdir(parents=True, exist_ok=True)
setup(
    version=version(),
    # What makes it a wheel for a machine; Stage builds it.
    ext_modules=[Extension("proflite._proflite", [],
                           py_limited_api=not FREE_THREADED)],
    cmdclass={"build_ext": Stage, "sdist": Release,
              "editable_wheel": NoEditable},
    options={
        "build": {"build_base": str(BUILD)},
        "egg_info": {"egg_base": str(BUILD)},
        "bdist_wheel": {} if FREE_THREADED else {"py_limited_api": "cp39"},
    },
)
