# SPDX-License-Identifier: MIT
"""Bad input and bad circumstances: one clear line, and the program runs as it
would without us. What the `proflite` program itself refuses is tested in
test_command_line.py."""

import os
import re
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

from harness import LIBRARY, STAGE, TOOL, Case, once, since

APP = """
    import sys
    def f():
        print("out")
        print("err", file=sys.stderr)
    f()
    sys.exit(3)
    """


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+|started \d+", "", text)


class Unprofiled(Case):
    """Under LD_PRELOAD, trouble of ours never becomes the program's."""

    def runs_on(self, options, *says, files=("app.py",), env=None):
        """The program's own output and status, and one line of ours that has
        all of @says in it."""
        app = self.script(APP)
        done = self.command([self.py.path, app], {
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": options, **(env or {})},
            check=3)
        self.assertEqual(done.stdout, "out\n")
        ours = [l for l in done.stderr.splitlines() if l != "err"]
        self.assertEqual(len(ours), 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertTrue(ours[0].startswith("proflite: "), ours)
        for word in says:
            self.assertIn(word, ours[0])
        self.assertEqual(sorted(os.listdir(self.tmp)), sorted(files))

    def test_nonsense_in_the_options(self):
        for options, says in [
                ("clock=sun", ("clock=sun", "wall, cpu or step")),
                ("colour=red", ('"colour"', "out, clock")),
                ("!!", ('"!!"', "out, clock")),
                ("builtins=maybe", ("builtins=maybe", "yes or no")),
                ("max_nodes=many", ("max_nodes=many", "whole number")),
                ("max_nodes=99999999999", ("max_nodes", "4294967295")),
                ("out=", ("out=", "file name")),
                ("run=123", ("run=123", "32 hexadecimal digits")),
                ("out=" + "x" * 5000, ("out=", "too long")),
                ("label=" + "x" * 300, ("label=", "too long"))]:
            with self.subTest(options[:30]):
                self.runs_on(options, *says)

    def test_bytes_that_are_no_text(self):
        self.runs_on(os.fsdecode(b"\xff\xfe=\x01"), "out, clock")

    def test_database_of_another_application(self):
        other = self.tmp / "other.db"
        with sqlite3.connect(other) as c:
            c.execute("create table t (x)")
            c.execute("pragma application_id = 1")
        c.close()
        before = other.read_bytes()
        text = self.tmp / "text.db"
        text.write_text("This is no database, but it is long enough. " * 99)
        for path in other, text:
            app = self.script(APP)
            done = self.command([self.py.path, app], {
                "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % path},
                check=3)
            self.assertEqual(done.stdout, "out\n")
            ours = [l for l in done.stderr.splitlines() if l != "err"]
            self.assertEqual(len(ours), 1, done.stderr)
            self.assertIn(str(path), ours[0])
            # Nothing is lost: it says where the recording is.
            recording, = self.tmp.glob(path.name + ".*.plrec")
            self.assertIn(str(recording), ours[0])
        self.assertEqual(other.read_bytes(), before)

    def test_newer_database(self):
        self.record(["-c", "pass"])
        with sqlite3.connect(self.db) as c:
            c.execute("pragma user_version = 99")
        c.close()
        before = self.db.read_bytes()
        app = self.script(APP)
        done = self.preload([app], check=3)
        ours = [l for l in done.stderr.splitlines() if l != "err"]
        self.assertEqual(len(ours), 1, done.stderr)
        self.assertIn(str(self.db), ours[0])
        self.assertIn("newer", ours[0])
        self.assertEqual(self.db.read_bytes(), before)

    def test_folder_that_is_not_there(self):
        """The recording lies elsewhere then, and says so."""
        fallback = self.tmp / "run"
        fallback.mkdir(mode=0o700)
        app = self.script(APP)
        done = self.command([self.py.path, app], {
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=no/such/x.db",
            "XDG_RUNTIME_DIR": str(fallback)}, check=3)
        self.assertEqual(done.stdout, "out\n")
        ours = [l for l in done.stderr.splitlines() if l != "err"]
        self.assertGreaterEqual(len(ours), 1)
        self.assertLessEqual(len(ours), 2, done.stderr)
        self.assertIn("no/such", ours[0])
        # Put right what was wrong, and the next command takes it in.
        (self.tmp / "no/such").mkdir(parents=True)
        self.tool("runs", self.tmp / "no/such/x.db",
                  env={"XDG_RUNTIME_DIR": str(fallback)})
        self.assertEqual(self.value("select ncalls from pstats where function "
                                    "= 'f'", db=self.tmp / "no/such/x.db"), 1)
        self.assertEqual(list(fallback.rglob("*.plrec")), [])

    def test_without_the_engine(self):
        """An installation that has lost a part."""
        broken = self.tmp / "broken"
        shutil.copytree(STAGE / "lib", broken, symlinks=True)
        (broken / "proflite/python/proflite/_proflite.so").unlink()
        app = self.script(APP)
        env = {"LD_PRELOAD": str(broken / "libproflite.so"),
               "PROFLITE_OPTIONS": "out=%s" % self.db}
        done = self.command([self.py.path, app], env, check=3)
        self.assertEqual(done.stdout, "out\n")
        self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.assertIn("engine", done.stderr)
        self.assertFalse(self.db.exists())

    def test_without_the_store(self):
        broken = self.tmp / "broken"
        shutil.copytree(STAGE / "lib", broken, symlinks=True)
        (broken / "proflite/python/proflite/_store.so").unlink()
        app = self.script(APP)
        env = {"LD_PRELOAD": str(broken / "libproflite.so"),
               "PROFLITE_OPTIONS": "out=%s" % self.db}
        done = self.command([self.py.path, app], env, check=3)
        self.assertEqual(done.stdout, "out\n")
        self.assertEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.tool("runs", self.db)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)


class Unwritable(Case):
    """Run by a user who may not write where the database is to be."""

    def become_another(self):
        if os.getuid() or not shutil.which("setpriv"):
            self.skipTest("only root can become another user")
        for folder in [self.tmp, *STAGE.parents, STAGE,
                       *Path(self.py.path).parents]:
            if not os.stat(folder).st_mode & stat.S_IXOTH and \
                    folder != self.tmp:
                self.skipTest("another user cannot get into %s" % folder)
        os.chmod(self.tmp, 0o755)

    AS = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    @once
    def test_folder(self):
        self.become_another()
        app = self.script(APP)
        done = self.command([*self.AS, TOOL, "record", "-o", self.db, "--",
                             self.py.path, app], check=1)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(str(self.tmp), done.stderr)

    @once
    def test_folder_under_the_preload(self):
        self.become_another()
        app = self.script(APP)
        with tempfile.TemporaryDirectory() as runtime:
            os.chown(runtime, 65534, 65534)
            done = self.command([*self.AS, self.py.path, app], {
                "LD_PRELOAD": LIBRARY,
                "PROFLITE_OPTIONS": "out=%s" % self.db,
                "XDG_RUNTIME_DIR": runtime}, check=3)
            self.assertEqual(done.stdout, "out\n")
            ours = [l for l in done.stderr.splitlines() if l != "err"]
            self.assertLessEqual(len(ours), 2, done.stderr)
            self.assertIn(str(self.db), ours[0])
        self.assertEqual(os.listdir(self.tmp), ["app.py"])

    @once
    def test_file(self):
        self.become_another()
        self.record(["-c", "pass"])
        os.chmod(self.db, 0o644)
        before = self.db.read_bytes()
        app = self.script(APP)
        done = self.command([*self.AS, TOOL, "record", "-o", self.db, "--",
                             self.py.path, app], check=1)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(self.db.read_bytes(), before)

    @once
    def test_database_that_may_not_be_read(self):
        self.become_another()
        self.record(["-c", "pass"])
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o600)
        done = self.command([*self.AS, TOOL, "report", self.db], check=1)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(str(self.db), done.stderr)

    @once
    def test_command_that_may_not_be_read(self):
        self.become_another()
        secret = self.script("#!/bin/sh\n", "secret")
        os.chmod(secret, 0o700)
        os.chmod(self.tmp, 0o777)
        done = self.command([*self.AS, TOOL, "record", "-o", self.db, "--",
                             secret], check=126)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(str(secret), done.stderr)


class Foreign(Case):
    """What is no Python, and shell scripts that pick one."""

    def check_same(self, *argv, made=(), **kwargs):
        plain = self.command(argv, check=None, **kwargs)
        before = sorted(os.listdir(self.tmp))
        loaded = self.command(argv, check=None, env={
            "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % self.db},
            **kwargs)
        self.assertEqual((plain.returncode, plain.stdout, plain.stderr),
                         (loaded.returncode, loaded.stdout, loaded.stderr))
        self.assertEqual(sorted(os.listdir(self.tmp)), sorted(
            {*before, *made}))

    @once
    def test_programs(self):
        """Many kinds of program, by way of many kinds of start."""
        for argv in (["/bin/true"], ["/bin/false"], ["sh", "-c", "ls /"],
                     ["ls", "/nowhere"], ["sh", "-c", "kill -9 $$"], ["sh", "-c", "exit 77"],
                     ["bash", "-c", "echo $(echo a; (echo b)); exec cat"],
                     ["sh", "-c", "yes | head -3; false"], ["gcc", "--version"],
                     ["awk", "BEGIN { print 1 / 3; exit 4 }"], ["sort"],
                     ["perl", "-e", "print qq(x\\n); fork; exit 2"],
                     ["no-such-program-here"]):
            if not shutil.which(argv[0]):
                continue
            with self.subTest(argv):
                self.check_same(*argv)

    def test_shim(self):
        """pyenv and its like: a shell script under the name of python."""
        shim = self.script("""\
            #!/usr/bin/env bash
            set -e
            [ -n "$PYENV_DEBUG" ] && set -x
            program="${0##*/}"
            export PYENV_ROOT="/some/where"
            exec "%s" "$@"
            """ % self.py.path, "python3")
        shim.chmod(0o755)
        app = self.script(APP)
        self.check_same(shim, app, made=["proflite.db"])
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)
        self.assertEqual(self.value("select count(*) from processes"), 1)
        done = self.tool("record", "-o", self.db, "--", shim, app, check=3)
        self.assertEqual((done.stdout, done.stderr), ("out\n", "err\n"))
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), 2)

    def test_python_that_runs_nothing(self):
        for argv in ["--version"], ["-h"], ["--no-such-option"]:
            with self.subTest(argv):
                self.check_same(self.py.path, *argv)

    def test_python_that_finds_nothing_to_run(self):
        for argv in (["no-such-file.py"], ["-m", "no_such_module"],
                     ["-c", "def f(:"], ["-c", ""], ["/"]):
            with self.subTest(argv):
                self.check_same(self.py.path, *argv, made=["proflite.db"])


class Invisible(Case):
    """What a program can see of itself is what it sees without us."""

    LOOK = """
        import atexit, gc, os, resource, signal, sys, threading
        print(sorted(sys.modules))
        print(sys.path, sys.argv, sys.flags, sys.meta_path, sys.path_hooks)
        print(sys.getprofile(), sys.gettrace(), sys.getrecursionlimit(),
              sys.getswitchinterval(), sys.excepthook, sys.displayhook)
        print(threading.enumerate(), gc.get_threshold(), gc.isenabled())
        print([signal.getsignal(n) for n in range(1, 32) if n not in (9, 19)])
        print([resource.getrlimit(getattr(resource, n)) for n in dir(resource)
               if n.startswith("RLIMIT_")])
        print(atexit._ncallbacks(), os.getcwd(), os.umask(0o22), os.getppid() > 1)
        print(os.open("/dev/null", os.O_RDONLY))
        print(sorted(k for k in os.environ if not k.startswith(
            ("LD_PRELOAD", "PROFLITE"))))
        def f(n):
            return f(n - 1) if n else [sys._getframe(i).f_code.co_name
                                       for i in range(3)]
        print(f(3))
        class C:
            pass
        c = C()
        print(sys.getrefcount(c), sys.getrefcount(f.__code__) < 10)
        """

    def test_it_looks_the_same(self):
        app = self.script(self.LOOK)
        for how in self.preload, self.record:
            plain = self.command([self.py.path, app])
            done = how([app])
            self.assertEqual(without_addresses(done.stdout),
                             without_addresses(plain.stdout))
            self.assertEqual(done.stderr, plain.stderr)

    def test_without_the_variable_it_does_nothing(self):
        app = self.script(APP)
        plain = self.command([self.py.path, app], check=3)
        done = self.command([self.py.path, app], {"LD_PRELOAD": LIBRARY},
                            check=3)
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(os.listdir(self.tmp), ["app.py"])

    def test_modules_imported_are_the_same(self):
        """-v tells of every one."""
        app = self.script(APP)
        plain = self.command([self.py.path, "-v", app], check=3)
        done = self.preload(["-v", app], check=3)
        ours, theirs = ([without_addresses(line)
                         for line in result.stderr.splitlines()
                         if line.startswith("import ")]
                        for result in (done, plain))
        self.assertGreater(len(theirs), 10)
        self.assertEqual(ours, theirs)


class Hostile(Case):
    """Programs that do what makes life hard."""

    def same(self, text, args=(), status=0, calls=1, env=None, flags=(),
             **kwargs):
        app = self.script(text)
        plain = self.command([self.py.path, *flags, app, *args], env,
                             check=status, **kwargs)
        done = self.preload([*flags, app, *args], env=env, check=status,
                            **kwargs)
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.tool("runs", self.db)
        self.assertEqual(self.value("select sum(ncalls) from pstats "
                                    "where function = 'f'"), calls)
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_debug_allocators(self):
        for env, flags in (({"PYTHONMALLOC": "debug"}, []),
                           ({"PYTHONMALLOC": "malloc"}, []),
                           ({"PYTHONMALLOC": "malloc_debug"}, []),
                           ({"PYTHONDEVMODE": "1"}, []), ({}, ["-X", "dev"])):
            for status in 0, 3:
                with self.subTest((env, flags, status)):
                    self.same("def f(): pass\nf()\nraise SystemExit(%d)\n"
                              % status, env=env, flags=flags, status=status)
                    self.db.unlink()

    def test_all_descriptors_closed(self):
        self.same("""
            import os
            def f():
                os.closerange(3, 5000)
            f()
            # The numbers are free for the program's own files.
            print(os.open("app.py", os.O_RDONLY) < 5)
            for i in range(3000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            """)

    def test_life_is_shown_again_after_that(self):
        """The lock goes with the descriptor; whoever sees no pid of ours, as in
        a container, would take the recording for one of the dead."""
        look = self.script("""
            import fcntl, sys
            with open(sys.argv[1], "r+b") as f:
                try:
                    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                except OSError:
                    print("locked")
            """, "look.py")
        app = self.script("""
            import glob, os, subprocess, sys
            os.closerange(3, 5000)
            for i in range(3000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            mine, = glob.glob("*.%d-*.plrec" % os.getpid())
            subprocess.check_call([sys.executable, sys.argv[1], mine])
            """)
        self.assertEqual(self.preload([app, look]).stdout, "locked\n")

    def test_descriptor_taken_over(self):
        """Another file gets our number: it is not ours to write to."""
        self.same("""
            import os, glob
            def f():
                names = {}
                for n in os.listdir("/proc/self/fd"):
                    try:
                        names[int(n)] = os.readlink("/proc/self/fd/" + n)
                    except OSError:
                        pass
                mine = os.open("mine", os.O_RDWR | os.O_CREAT)
                for n, name in names.items():
                    if n > 2:
                        os.dup2(mine, n)
            f()
            for i in range(5000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            print(os.path.getsize("mine"))
            os.unlink("mine")
            """)

    def test_folder_and_mask_changed(self):
        os.mkdir(self.tmp / "other")
        self.same("""
            import os
            def f():
                os.chdir("other")
                os.umask(0)
            f()
            """)
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.tmp / "other"), [])

    def test_recording_is_for_its_user_alone(self):
        app = self.script("""
            import glob, os
            print([oct(os.stat(n).st_mode) for n in glob.glob("*.plrec")])
            """)
        done = self.preload([app])
        self.assertEqual(done.stdout, "['0o100600']\n")

    def test_environment_cleared(self):
        self.same("""
            import os, subprocess, sys
            def f():
                os.environ.clear()
            f()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            """)

    def test_everything_is_limited(self):
        self.same("""
            import resource
            def f():
                for name in "AS", "NOFILE", "STACK":
                    soft, hard = resource.getrlimit(
                        getattr(resource, "RLIMIT_" + name))
                    low = {"AS": 1 << 30, "NOFILE": 32, "STACK": 1 << 20}[name]
                    resource.setrlimit(getattr(resource, "RLIMIT_" + name),
                                       (low, hard))
            f()
            for i in range(3000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            """)

    def test_little_address_space(self):
        """Most of what there is, is the program's."""
        app = self.script("""
            def f():
                return b"x" * (400 << 20)
            print(len(f()))
            """)
        words = ["sh", "-c", "ulimit -v 600000; exec %s %s" % (
            self.py.path, app)]
        plain = self.command(words)
        done = self.command(words, {"LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS":
                                    "out=%s" % self.db})
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)

    def test_limited_file_size(self):
        """Past the limit the program would be killed, were we to write on."""
        app = self.script("""
            import resource, signal
            def f():
                pass
            f()
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, -1))
            for i in range(30000):
                exec("def g%d(): f()\\ng%d()" % (i, i), globals())
            print("ok")
            """)
        done = self.preload([app])
        self.assertEqual(done.stdout, "ok\n")

    def test_deep_recursion(self):
        self.same("""
            import sys, threading

            def f():
                try:
                    down(0)
                except RecursionError:
                    pass
                deep(20000)

            def down(n):
                down(n + 1)

            def deep(n):
                sys.setrecursionlimit(50000)
                def go(n):
                    return go(n - 1) if n else 0
                return go(n)

            threading.stack_size(256 << 20)
            t = threading.Thread(target=f)
            t.start()
            t.join()
            """)
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'go'"), 20001)

    def test_recursion_limit_is_the_same(self):
        """As deep as without us, and every call of it counted."""
        app = self.script("""
            import sys
            def down(n):
                global depth
                depth = n
                down(n + 1)
            def f():
                try:
                    down(1)
                except RecursionError:
                    pass
                print(depth, sys.getrecursionlimit())
            f()
            """)
        plain = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual(done.stdout, plain.stdout)
        depth = int(done.stdout.split()[0])
        self.assertIn(self.value("select ncalls from pstats "
                                 "where function = 'down'"),
                      (depth, depth + 1))
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)

    def test_monitoring_tools_all_taken(self):
        if self.py.version < (3, 12):
            return
        app = self.script("""
            import sys
            for i in range(6):
                if sys.monitoring.get_tool(i) is None:
                    sys.monitoring.use_tool_id(i, "mine %d" % i)
            import proflite
            try:
                proflite.start()
            except Exception as e:
                print(e)
            """)
        done = self.python([app])
        self.assertIn("tool ids", done.stdout)
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_errno_and_exceptions_are_left_alone(self):
        self.same("""
            import ctypes
            c = ctypes.CDLL(None, use_errno=True)
            def f():
                ctypes.set_errno(0)
                assert c.close(-1) == -1
                for i in range(300):
                    exec("def g%d(): pass\\ng%d()" % (i, i))
                return ctypes.get_errno()
            print(f())
            class Strange:
                @property
                def __name__(self):
                    raise ValueError
                __module__ = __doc__ = None
                def __repr__(self):
                    raise KeyError("no repr")
                def __call__(self):
                    return 1
            print(Strange()())
            try:
                raise KeyError
            except KeyError:
                Strange()()
                import sys
                print(sys.exc_info()[0])
            """)

    def test_profile_functions_see_the_same(self):
        """The end of the call that sets one is for us alone, and none of the
        program's calls goes without."""
        app = self.program("profile_functions.py")
        plain = self.command([self.py.path, app])
        for how in self.record, self.preload:
            done = how([app])
            self.assertEqual((done.stdout, done.stderr),
                             (plain.stdout, plain.stderr))
            self.assertEqual(self.value(
                "select ncalls from pstats where function = 'plain2'"), 2)
            self.db.unlink()

    def test_profile_of_the_library(self):
        """It asserts that calls and returns match."""
        app = self.script("def f(): return len([])\nf()\n")
        if self.py.version >= (3, 17):
            self.skipTest("Python %s has no profile" % self.py.name)
        done = self.record(["-W", "ignore", "-m", "profile", app])
        self.assertIn("(f)", done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'f'"), 1)

    def test_signals_during_the_end(self):
        """Interrupted system calls while the database is written. The handler
        is one of C: Python's go before the end."""
        self.same("""
            import ctypes, signal
            def f():
                pass
            f()
            c = ctypes.CDLL(None)
            c.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
            c.signal(signal.SIGALRM, ctypes.cast(c.abs, ctypes.c_void_p))
            c.siginterrupt(signal.SIGALRM, 1)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for i in range(2000):
                exec("def g%d(): pass\\ng%d()" % (i, i))
            """)

    def test_collector_allocations_and_fault_handler(self):
        """What watches the interpreter sees the program, and not us."""
        text = """
            import faulthandler, gc, sys, tracemalloc

            def f():
                faulthandler.dump_traceback(sys.stdout, all_threads=False)
                sys.stdout.flush()
                keep.append([bytearray(1000) for i in range(100)])

            class Node:
                pass

            def cycle():
                a, b = Node(), Node()
                a.b, b.a = b, a

            keep, seen = [], []
            gc.collect()
            gc.callbacks.append(lambda phase, info: seen.append(
                (phase, info["generation"], info["collected"])))
            gc.disable()
            for i in range(10):
                cycle()
            gc.collect()
            print(seen)
            tracemalloc.start()
            before = tracemalloc.take_snapshot()
            f()
            after = tracemalloc.take_snapshot()
            for snapshot in before, after:
                print(sum(t.size // 1000 for t in snapshot.filter_traces(
                    [tracemalloc.Filter(True, __file__)]).traces
                    if t.size > 900))
            """
        for flags in [], ["-X", "faulthandler"], ["-X", "tracemalloc"], \
                ["-X", "dev"]:
            with self.subTest(flags):
                self.same(text, flags=flags)
                self.db.unlink()

    @once
    def test_program_with_more_rights_than_its_user(self):
        """It is left alone, and writes nothing."""
        real = Path("/usr/bin/python3")
        if os.getuid() or not shutil.which("setpriv") or not real.exists():
            self.skipTest("wants root, setpriv and a Python in /usr/bin")
        program = self.tmp / "program"
        shutil.copy(real.resolve(), program)
        os.chmod(program, 0o4755)
        os.chmod(self.tmp, 0o777)
        done = self.command(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             program, "-I", "-c", "import os; print(os.getuid(), os.geteuid())"],
            {"LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "out=%s" % self.db},
            check=None)
        if done.stdout == "65534 65534\n":
            self.skipTest("the file system knows no setuid")
        self.assertEqual(done.stdout, "65534 0\n", done.stderr)
        self.assertEqual(os.listdir(self.tmp), ["program"])

    def test_variables_of_ours_are_not_seen_by_isolated_pythons(self):
        """-I and -E are about PYTHON* variables, and change nothing here."""
        for flags in ["-I"], ["-E"], ["-S", "-E"], ["-s", "-I", "-X", "dev"]:
            with self.subTest(flags):
                self.same("def f(): pass\nf()\n", flags=flags)
                self.db.unlink()

    def test_functions_behind_the_last_module(self):
        """What is finalised last of all has no sys.modules any more; the
        program's name makes us look for greenlet in there."""
        app = self.script("""
            import sys

            class Last:
                def __del__(self):
                    def f():
                        pass
                    f()

            class First:
                def __init__(self, modules):
                    self.modules = modules
                def __del__(self, Last=Last):
                    self.modules["last"] = Last()

            sys.modules["first"] = First(sys.modules)
            """, "greenlets.py")
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.assertEqual(self.rows("select function, ncalls from pstats where "
                                   "function = 'f'"), [("f", 1)])

    def test_sub_interpreters(self):
        app = self.script("""
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            def f():
                pass
            for i in range(2):
                id = interpreters.create()
                interpreters.run_string(id, "def g(): pass\\ng()\\ng()")
                f()
                interpreters.destroy(id)
            f()
            print("ok")
            """)
        plain = self.command([self.py.path, app], check=None)
        if plain.returncode:
            self.skipTest("no sub-interpreters in Python %s" % self.py.name)
        done = self.preload([app])
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(self.rows("select ncalls from pstats "
                                   "where function = 'f'"), [(3,)])
        if self.py.version >= (3, 12):
            self.assertEqual(self.rows("select ncalls from pstats "
                                       "where function = 'g'"), [(4,)])

    @since(3, 12)
    def test_sub_interpreters_with_locks_of_their_own(self):
        """At the same time, each in a thread."""
        app = self.script("""
            import os, threading
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters

            CODE = \'\'\'if True:
                import os
                def g(n):
                    return n and g(n - 1)
                os.write(%d, b"x")
                os.read(%d, 1)
                for i in range(200):
                    g(4)
                \'\'\'

            N = 3
            here, there = os.pipe(), os.pipe()

            def f():
                id = interpreters.create()
                interpreters.run_string(id, CODE % (here[1], there[0]))
                interpreters.destroy(id)

            threads = [threading.Thread(target=f) for i in range(N)]
            for t in threads:
                t.start()
            for i in range(N):      # all of them are in the middle of it
                os.read(here[0], 1)
            os.write(there[1], b"x" * N)
            for t in threads:
                t.join()
            print("ok")
            """)
        done = self.preload([app])
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
        self.assertEqual(self.rows("select function, ncalls from pstats where "
                                   "function in ('f', 'g') order by 1"),
                         [("f", 3), ("g", 3000)])
        self.assertEqual(self.value("select sum(n_lost) from threads"), 0)

    @since(3, 14)
    def test_interpreters_of_the_library(self):
        app = self.script("""
            from concurrent import interpreters
            from concurrent.futures import InterpreterPoolExecutor

            def task(n):
                return sum(map(leaf, range(n)))

            def leaf(n):
                return n

            if __name__ == "__main__":
                with InterpreterPoolExecutor(2) as pool:
                    print(sum(pool.map(task, range(20))))
                i = interpreters.create()
                print(i.call(task, 5))
                i.close()
            """)
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), ("1140\n10\n", ""))
        self.assertEqual(self.rows("select function, ncalls from pstats where "
                                   "function in ('task', 'leaf') order by 1"),
                         [("leaf", 195), ("task", 21)])
