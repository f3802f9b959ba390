# SPDX-License-Identifier: MIT
"""Install and build what the benchmarks need, once: the programs, the other
profilers (requirements.txt) and the floor (floor.c)."""

import shutil
import subprocess
import sys
import sysconfig

import common
import pythons
from common import HERE


def pins(name):
    lines = (HERE / name).read_text().splitlines()
    words = [line.split("#")[0].strip() for line in lines]
    return {w.split("==")[0]: w for w in words if w}


def pip(python, target, requirement, *options):
    """Install for @python, with its own pip if it has one."""
    own = python.path and not subprocess.run(
        [python.path, "-m", "pip", "--version"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode
    argv = [python.path if own else sys.executable, "-m", "pip", "install",
            "-q", "--disable-pip-version-check", "--target", str(target),
            "--only-binary=:all:", *options, requirement]
    if not own:
        argv[4:4] = ["--python-version", python.name, "--implementation", "cp"]
    return subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def install_programs(setup):
    target = setup.work / "programs"
    if setup.programs.is_dir():
        return
    me = pythons.Python(sys.executable, sys.version_info[:3], False)
    done = pip(me, target, pins("requirements.txt")["pyperformance"],
               "--no-deps")
    if done.returncode:
        sys.exit("cannot install pyperformance:\n" + done.stdout)


def install_peers(setup, python):
    """What there is for this version; a list of what there is not."""
    site = setup.site(python)
    wanted = pins("requirements.txt")
    wanted.update(pins("requirements-3.9.txt")
                  if python.version < (3, 10) else {})
    del wanted["pyperformance"]
    stamp = site / ".installed"
    text = "\n".join(wanted.values())
    if stamp.exists() and stamp.read_text() == text:
        return []
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    missing = []
    for requirement in wanted.values():
        if pip(python, site, requirement).returncode:
            missing.append(requirement)
    stamp.write_text(text)
    return missing


def install_pytest(setup, python):
    """The folder with pytest, its plugins and suites to run, for all versions:
    all of it is pure Python."""
    site = setup.work / "pytest"
    if (site / ".installed").exists():
        return site
    for name in "../consumers/pytest.txt", "requirements-pytest.txt":
        done = pip(python, site, str(HERE / name), "--no-deps", "-r")
        if done.returncode:
            sys.exit("cannot install %s:\n%s" % (name, done.stdout))
    (site / ".installed").touch()
    return site


def headers():
    for python in pythons.found():
        done = subprocess.run(
            [python.path, "-c", "import sysconfig, os\n"
             "p = sysconfig.get_path('include')\n"
             "print(p if os.path.exists(p + '/Python.h') else '')"],
            stdout=subprocess.PIPE, text=True)
        if done.stdout.strip():
            return done.stdout.strip()
    sys.exit("no Python here has its headers: install python3-dev")


def build_floor(setup):
    source, out = HERE / "floor.c", setup.work / "floor.so"
    if out.exists() and out.stat().st_mtime > source.stat().st_mtime:
        return
    cc = shutil.which("gcc") or shutil.which("cc")
    if not cc:
        sys.exit("a C compiler is missing: install gcc")
    subprocess.run([cc, "-O2", "-shared", "-fPIC", "-I" + headers(),
                    "-o", str(out), str(source), "-ldl"], check=True)


def prepare(setup, interpreters):
    setup.work.mkdir(parents=True, exist_ok=True)
    install_programs(setup)
    build_floor(setup)
    for python in interpreters:
        for requirement in install_peers(setup, python):
            print("%s: no %s for this version" % (python.name, requirement))


def main(argv):
    p = common.parser(__doc__)
    p.add_argument("--for", action="append", metavar="3.N", dest="versions",
                   help="install for an interpreter of this version that is "
                        "not here (in a chroot, say)")
    args = p.parse_args(argv)
    absent = [pythons.Python(None, tuple(map(int, v.split("."))), False)
              for v in args.versions or []]
    found = () if absent and not args.python else \
        common.interpreters(args.python)
    setup = common.Setup(args)
    prepare(setup, [*found, *absent])
    install_pytest(setup, [*found, *absent][0])
    return 0
