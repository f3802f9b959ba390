# SPDX-License-Identifier: MIT
"""Processes: children of every kind are part of the run, and none is lost,
however it ends."""

import os
import signal
import subprocess
from ast import literal_eval

import trees
from harness import LIBRARY, PACKAGE, TOOL, Case, once


class Processes(Case):
    def ncalls(self, function):
        return self.value("select ncalls from pstats where function = ?",
                          function)

    def calls(self, function):
        """Entries of @function in each process that knows it, sorted."""
        return [r for r, in self.rows(
            "select sum(s.calls + s.resumes) from threads t "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id where f.name = ? "
            "group by t.process_id order by 1", function)]

    def processes(self, columns):
        """Of each run, the first process before its children: by the clock a
        child may have begun before, when that has been set back."""
        return self.rows("select %s from processes p order by run_id, "
                         "parent_id is not null, started_ns, id" % columns)

    def recordings(self):
        return [n for n in os.listdir(self.tmp) if "plrec" in n]

    def no_recording_left(self):
        self.assertEqual(self.recordings(), [])

    def until_no_recording_is_left(self):
        self.eventually(self.recordings, lambda found: not found, seconds=300)

    def ready(self, app, options=""):
        """The program, preloaded, when it has said that it is."""
        p = subprocess.Popen(
            [self.py.path, app], cwd=self.tmp, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment(self.preloading(options)))
        self.assertEqual(p.stdout.readline(), b"ready\n")
        return p


class Fork(Processes):
    APP = """
        import os

        def leaf():
            pass

        def child(n):
            for i in range(n):
                leaf()

        def parent():
            leaf()
            pid = os.fork()
            if not pid:
                child(3)
                %s
            os.waitpid(pid, 0)
            child(2)

        parent()
        leaf()
        """

    def test_child_that_returns(self):
        """The child goes on where the parent forked: its returns match the
        calls that were open, which have no entry of its own."""
        app = self.script(self.APP % "return")
        self.record([app], options="clock=step")
        self.assertEqual(self.processes("forked, end_reason"),
                         [(0, "exit"), (1, "exit")])
        first = trees.load(self, where="not forked")
        second = trees.load(self, where="forked")
        self.assertEqual(
            [trees.text(trees.children(first), n) for n in first
             if n.name == "parent"],
            ["parent 1 13\n"
             "  leaf 1 1\n"
             "  {built-in method posix.fork} 1 1\n"
             "  {built-in method posix.waitpid} 1 1\n"
             "  child 1 5\n"
             "    leaf 2 2"])
        below = trees.children(second)
        roots = below[0]
        self.assertEqual(len(roots), 1)
        # The path that was open, without calls, and the child's own calls.
        module, = [n for n in below[roots[0].id] if n.name == "<module>"]
        self.assertEqual((module.file, module.calls), (str(app), 0))
        names = [(n.name, n.calls) for n in below[module.id]]
        self.assertEqual(names, [("parent", 0), ("leaf", 1)])
        self.assertEqual(
            [(n.name, n.calls, n.total) for n in below[below[module.id][0].id]
             if n.name != "{built-in method posix.fork}"],
            [("child", 1, 7)])
        # Over both processes the counts add up.
        self.assertEqual(self.ncalls("parent"), 1)
        self.assertEqual(self.ncalls("<module>"), 1)
        self.assertEqual(self.ncalls("leaf"), 3 + 1 + 2 + 1 + 1)
        self.assertEqual(self.value("select sum(n_unmatched) from threads"), 0)
        self.no_recording_left()

    def test_child_that_exits_at_once(self):
        app = self.script(self.APP % "os._exit(7)")
        self.record([app], options="clock=step")
        self.assertEqual(self.processes("forked, end_reason, end_status"),
                         [(0, "exit", 0), (1, "_exit", 7)])
        self.assertEqual(self.calls("leaf"), [3, 4])
        self.assertEqual(self.calls("parent"), [0, 1])
        self.no_recording_left()

    def test_child_that_does_nothing(self):
        app = self.script("""
            import ctypes, os
            c = ctypes.CDLL(None)
            pid = os.fork() or c._exit(0)
            os.waitpid(pid, 0)
            """)
        self.record([app])
        self.no_recording_left()

    def test_grandchildren(self):
        app = self.script("""
            import os

            def leaf():
                pass

            def generation(n):
                leaf()
                if n:
                    pid = os.fork()
                    if not pid:
                        generation(n - 1)
                        os._exit(0)
                    os.waitpid(pid, 0)

            generation(4)
            """)
        self.record([app])
        self.assertEqual(self.calls("leaf"), [1] * 5)
        self.assertEqual(self.ncalls("generation"), 5)
        self.assertEqual(self.value(
            "with recursive line (id, depth) as ("
            " select id, 0 from processes where parent_id is null"
            " union all select p.id, depth + 1 from processes p"
            " join line on p.parent_id = line.id)"
            " select group_concat(depth) from line"), "0,1,2,3,4")
        self.assertEqual(self.value(
            "select count(*) from processes c join processes p "
            "on p.id = c.parent_id and p.pid = c.ppid "
            "and p.uuid = c.parent_uuid"), 4)
        self.assertEqual(self.value("select count(distinct run_id) "
                                    "from processes"), 1)

    def test_child_that_starts_others(self):
        """They are its children, not its parent's."""
        app = self.script("""
            import os, subprocess, sys

            def leaf():
                pass

            def start():
                leaf()
                subprocess.run([sys.executable, "-c",
                                "def leaf(): pass\\nleaf()"], check=True)

            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
            start()
            """)
        self.record([app])
        self.assertEqual(self.calls("leaf"), [1] * 4)
        self.assertEqual(self.rows(
            "select p.forked, count(*) from processes c "
            "join processes p on p.id = c.parent_id and c.ppid = p.pid "
            "group by 1 order by 1"), [(0, 2), (1, 1)])

    def test_from_a_thread(self):
        """Only the thread that forks is in the child."""
        app = self.script("""
            import os, threading

            def leaf():
                pass

            def other(event):
                leaf()
                event.wait()

            def forker():
                leaf()
                pid = os.fork()
                if not pid:
                    leaf()
                    os._exit(0)
                os.waitpid(pid, 0)

            event = threading.Event()
            a = threading.Thread(target=other, args=(event,))
            a.start()
            b = threading.Thread(target=forker, name="forker")
            b.start()
            b.join()
            event.set()
            a.join()
            """)
        self.record([app])
        self.assertEqual(self.calls("leaf"), [1, 2])
        self.assertEqual(self.value(
            "select count(*) from threads t join processes p "
            "on p.id = t.process_id where forked"), 1)
        self.assertEqual(self.ncalls("forker"), 1)

    def test_many_that_end_at_once(self):
        """200 processes that all want the database at the same time."""
        app = self.script("""
            import os

            def leaf():
                pass

            r, w = os.pipe()
            children = []
            for i in range(200):
                pid = os.fork()
                if not pid:
                    os.close(w)
                    leaf()
                    os.read(r, 1)
                    os._exit(0)
                children.append(pid)
            os.close(w)
            for pid in children:
                assert os.waitpid(pid, 0)[1] == 0
            """)
        done = self.record([app])
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.ncalls("leaf"), 200)
        self.assertEqual(self.calls("leaf"), [1] * 200)
        self.assertEqual(self.value("select count(*) from processes"), 201)
        self.assertEqual(self.value("select count(*) from runs"), 1)
        self.no_recording_left()

    def test_while_others_are_busy(self):
        """Threads in the middle of everything when one forks: no child finds
        a lock held.  Each has names of its own: of a dictionary that they
        share, CPython 3.13t leaves the lock held in the child."""
        app = self.script("""
            import os, threading

            def leaf():
                pass

            def child():
                leaf()

            def busy(k):
                n = 0
                while not stop:
                    exec("def f%d_%d(): leaf()\\nf%d_%d()" % (k, n, k, n),
                         {"leaf": leaf})
                    n += 1

            stop = False
            threads = [threading.Thread(target=busy, args=(k,))
                       for k in range(3)]
            for t in threads:
                t.start()
            for i in range(40):
                pid = os.fork()
                if not pid:
                    child()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            stop = True
            for t in threads:
                t.join()
            """)
        self.record([app], env={"PYTHONWARNINGS": "ignore"})
        self.assertEqual(self.calls("child"), [1] * 40)
        self.assertEqual(self.value("select count(*) from processes"), 41)
        self.no_recording_left()

    def test_while_a_profile_is_saved(self):
        """By a thread that lets others run, as the middlewares have it: the
        child saves, too, and finds no lock of the store's held."""
        app = self.script("""
            import os, signal, threading
            import proflite

            def profile(n):
                p = proflite.Profile()
                with p:
                    for i in range(n):
                        exec("def f%d(): pass\\nf%d()" % (i, i), {})
                return p

            def save():
                while not stop:
                    large._save("parent.db", "parent", True)
                    os.unlink("parent.db")

            def child():
                signal.alarm(300)
                large.enable()
                large.disable()
                profile(2)._save("child.db", "child")
                os._exit(0)

            stop = False
            large = profile(2000)
            large._save("parent.db", "calibrates")
            thread = threading.Thread(target=save)
            thread.start()
            for i in range(20):
                pid = os.fork()
                if not pid:
                    child()
                status = os.waitpid(pid, 0)[1]
                if status:
                    break
            stop = True
            thread.join()
            assert status == 0, status
            """)
        done = self.python(["-W", "ignore", app])
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.value("select count(*) from runs",
                                    db=self.tmp / "child.db"), 20)

    def test_code_that_goes(self):
        """The parent has seen many functions, whose numbers are not those of
        the child's recording; then the child lets code objects go."""
        app = self.script("""
            import os

            def leaf():
                pass

            def rounds(n):
                for i in range(n):
                    exec("def f(): leaf()\\nf()", {"leaf": leaf})

            for i in range(30_000):
                exec("def f%d(): pass\\nf%d()" % (i, i))
            pid = os.fork()
            if not pid:
                rounds(30_000)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            """)
        self.record([app])
        self.assertEqual(self.calls("rounds"), [1])
        self.assertEqual(self.calls("f"), [30_000])
        self.assertEqual(self.calls("leaf"), [30_000])
        self.no_recording_left()

    def test_that_fails(self):
        app = self.script("""
            import os, resource

            def leaf():
                pass

            leaf()
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            try:
                os.fork()
            except OSError:
                leaf()
            else:
                os._exit(0)
            """)
        self.record([app])
        self.assertGreaterEqual(self.calls("leaf")[0], 1)

    def test_profiles_go_on_in_the_child(self):
        app = self.script("""
            import os
            import proflite

            def leaf():
                pass

            def both():
                leaf()
                pid = os.fork()
                leaf()
                if pid:
                    os.waitpid(pid, 0)

            p = proflite.Profile()
            p.enable()
            both()
            p.disable()
            p.snapshot_stats()
            print(sorted(v[1] for k, v in p.stats.items()
                         if k[2] in ("leaf", "both")), flush=True)
            """)
        done = self.python([app])
        self.assertEqual(done.stdout, "[1, 2]\n" * 2)

    def test_profiles_of_threads_that_are_not_in_the_child(self):
        app = self.script("""
            import os, threading
            import proflite

            def leaf():
                pass

            def other(ready, go):
                leaf()
                ready.set()
                go.wait()

            ready, go = threading.Event(), threading.Event()
            p = proflite.Profile(threads=True)
            p.enable()
            t = threading.Thread(target=other, args=(ready, go))
            t.start()
            ready.wait()
            pid = os.fork()
            leaf()
            if not pid:
                t = threading.Thread(target=leaf)
                t.start()
                t.join()
            else:
                go.set()
                t.join()
                os.waitpid(pid, 0)
            p.disable()
            p.snapshot_stats()
            print({k[2]: v[:2] for k, v in p.stats.items()
                   if k[2] in ("leaf", "_bootstrap")}, flush=True)
            """)
        # Nothing that the other thread had open is open in the child.
        child, parent = map(literal_eval, self.python([app]).stdout.splitlines())
        self.assertEqual(child, {"leaf": (3, 3), "_bootstrap": (2, 2)})
        self.assertEqual(parent, {"leaf": (2, 2), "_bootstrap": (1, 1)})


class Exec(Processes):
    def test_another_python(self):
        self.script("def second(): pass\nsecond()\n", "second.py")
        app = self.script("""
            import os, sys
            def first():
                os.execv(sys.executable, [sys.executable, "second.py"])
            first()
            """)
        for attempt in self.record, self.preload:
            self.db = self.tmp / (attempt.__name__ + ".db")
            attempt([app], options="clock=step")
            # What could not write itself into the database is taken in here.
            self.tool("runs", self.db)
            self.assertEqual(self.processes("end_reason"),
                             [("exec",), ("exit",)])
            self.assertEqual(self.ncalls("first"), 1)
            self.assertEqual(self.ncalls("second"), 1)
            self.assertEqual(self.value(
                "select count(distinct pid) from processes"), 1)
            self.assertEqual(self.value(
                "select count(distinct run_id) from processes"), 1)
            self.assertEqual(self.rows(
                "select p.end_reason from processes c "
                "join processes p on p.id = c.parent_id"), [("exec",)])
            self.no_recording_left()

    def test_another_program(self):
        app = self.script("""
            import os
            def first():
                os.execvp("echo", ["echo", "replaced"])
            first()
            """)
        done = self.record([app])
        self.assertEqual(done.stdout, "replaced\n")
        self.assertEqual(self.processes("end_reason"), [("exec",)])
        self.assertEqual(self.ncalls("first"), 1)

    def test_into_a_program_that_lives_on(self):
        """Its recording is taken in while the pid still lives."""
        app = self.script("""
            import os
            def first():
                os.execvp("cat", ["cat"])
            first()
            """)
        p = subprocess.Popen(
            [self.py.path, app], cwd=self.tmp, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=self.environment({
                "LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": ""}))
        p.stdin.write(b"x\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"x\n")
        self.tool("runs", self.db)
        self.assertEqual(self.processes("end_reason"), [("exec",)])
        self.assertEqual(self.ncalls("first"), 1)
        self.no_recording_left()
        p.communicate()

    def test_that_fails(self):
        app = self.script("""
            import os
            def first():
                try:
                    os.execv("/nowhere/at/all", ["x"])
                except OSError as e:
                    print(e)
            first()
            """)
        plain = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(self.processes("end_reason"), [("exit",)])
        self.assertEqual(self.calls("first"), [1])

    def test_of_a_run_whose_label_is_like_an_option(self):
        """Children are told the run by the environment, behind the label."""
        child = "import subprocess, sys; subprocess.run([sys.executable, '-c', '0'])"
        for label in ("dry-run=" + "0123456789abcdef" * 3,
                      r"a\,run=" + "0123456789abcdef" * 2,
                      "parent=" + "0123456789abcdef" * 2):
            with self.subTest(label):
                done = self.preload(["-c", child], options="label=" + label)
                self.assertEqual(done.stderr, "")
                self.assertEqual(self.rows(
                    "select label, count(*) from runs join processes on "
                    "run_id = runs.id group by runs.id"),
                    [(label.replace("\\", ""), 2)])
                self.db.unlink()

    def test_with_an_environment_of_its_own(self):
        """An empty environment is followed; one that names LD_PRELOAD without
        us is not."""
        self.script("def second(): pass\nsecond()\n", "second.py")
        for env, ends in ({}, [("exec",), ("exit",)]), (
                {"LD_PRELOAD": ""}, [("exec",)]):
            app = self.script("""
                import os, sys
                def first():
                    os.execve(sys.executable, [sys.executable, "second.py"],
                              %r)
                first()
                """ % env)
            done = self.record([app])
            self.assertEqual(done.stderr, "")
            self.assertEqual(self.processes("end_reason"), ends)
            self.db.unlink()


class Subprocess(Processes):
    def test_children_of_subprocess(self):
        child = self.script("""
            import sys
            def work():
                pass
            for i in range(int(sys.argv[1])):
                work()
            """, "child.py")
        app = self.script("""
            import subprocess, sys
            for n in 2, 3:
                subprocess.run([sys.executable, %r, str(n)], check=True)
            print(subprocess.check_output("%s %s 5; echo done", shell=True,
                                          text=True), end="")
            try:
                subprocess.run(["/nowhere/at/all"])
            except FileNotFoundError as e:
                print(e)
            print(subprocess.run([sys.executable, "-c",
                                  "raise SystemExit(9)"]).returncode)
            """ % (str(child), self.py.path, child))
        plain = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(self.calls("work"), [2, 3, 5])
        self.assertEqual(self.value("select count(*) from processes"), 5)
        self.assertEqual(self.value("select count(distinct run_id) "
                                    "from processes"), 1)
        # A shell in between does not matter.
        self.assertEqual(self.value(
            "select count(*) from processes c join processes p "
            "on p.id = c.parent_id where p.parent_id is null"), 4)
        self.no_recording_left()

    def test_programs_that_are_not_there(self):
        """The child's _exit, which may run in its parent's memory (vfork), is
        not the end of the parent."""
        app = self.script("""
            import subprocess

            def leaf():
                pass

            for i in range(3):
                try:
                    subprocess.run(["/nowhere/at/all"])
                except FileNotFoundError:
                    leaf()
            """)
        self.record([app])
        self.assertEqual(self.calls("leaf"), [3])
        self.assertEqual(self.processes("end_reason"), [("exit",)])

    def test_preexec_and_close_fds(self):
        app = self.script("""
            import os, subprocess, sys
            def before():
                os.setpgid(0, 0)
            print(subprocess.check_output(
                [sys.executable, "-c", "def work(): print('x')\\nwork()"],
                preexec_fn=before, text=True, pass_fds=[2]), end="")
            """)
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), ("x\n", ""))
        self.assertEqual(self.calls("work"), [1])

    def test_posix_spawn(self):
        app = self.script("""
            import os, sys
            pid = os.posix_spawn(sys.executable, [
                sys.executable, "-c", "def work(): pass\\nwork()"], os.environ)
            print(os.waitpid(pid, 0)[1])
            """)
        self.assertEqual(self.record([app]).stdout, "0\n")
        self.assertEqual(self.calls("work"), [1])
        self.assertEqual(self.value(
            "select count(*) from processes where parent_id"), 1)

    def test_daemon_that_lives_on(self):
        """It is not waited for, and comes into the database by itself."""
        app = self.script("""
            import os, select

            def work():
                pass

            if os.fork():
                os._exit(0)
            os.setsid()
            if os.fork():
                os._exit(0)
            # As daemons do, it closes what it does not know.
            os.closerange(0, 4096)
            for fd in 0, 1, 2:
                os.open("/dev/null", os.O_RDWR)
            work()
            os.mkfifo("went")
            os.rename("went", "gone")
            # Until the test says so.
            go = os.open("go", os.O_RDONLY | os.O_NONBLOCK)
            select.select([go], [], [], 600)
            work()
            """)
        os.mkfifo(self.tmp / "go")
        self.record([app])
        self.eventually((self.tmp / "gone").exists, seconds=300)
        # It lives, though it holds neither its recording nor a lock on it.
        self.assertIn("recording (pid", self.tool("runs", self.db).stdout)
        with open(self.tmp / "go", "wb") as go:
            go.write(b"!")
        self.until_no_recording_is_left()
        self.tool("runs", self.db)
        self.assertEqual(self.calls("work"), [2])
        self.assertEqual(self.value("select count(distinct run_id) "
                                    "from processes"), 1)


class Nested(Processes):
    def test_a_recording_within_a_recording(self):
        """The inner one has it."""
        app = self.script("def work(): print('x')\nwork()\n")
        inner = self.tmp / "inner.db"
        done = self.tool("record", "-o", self.db, "--", TOOL, "record", "-o",
                         inner, "--", self.py.path, app)
        self.assertEqual(done.stdout, "x\n")
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'work'", db=inner), 1)
        self.assertFalse(self.db.exists())


class Multiprocessing(Processes):
    APP = """
        import multiprocessing
        import sys

        def leaf(n):
            return n

        def task(n):
            return sum(map(leaf, range(n)))

        if __name__ == "__main__":
            multiprocessing.set_start_method(sys.argv[1])
            with multiprocessing.Pool(3) as pool:
                print(sum(pool.map(task, range(20), 1)))
                pool.close()
                pool.join()
            p = multiprocessing.Process(target=task, args=(7,))
            p.start()
            p.join()
            print(p.exitcode)
        """

    def check(self, method):
        app = self.script(self.APP)
        done = self.record([app, method])
        self.assertEqual((done.stdout, done.stderr), ("1140\n0\n", ""))
        self.assertEqual(self.ncalls("leaf"), 190 + 7)
        self.assertEqual(self.ncalls("task"), 21)
        self.assertEqual(self.value("select count(distinct run_id) "
                                    "from processes"), 1)
        self.no_recording_left()
        # All come from the first one, whatever server is in between.
        self.assertEqual(self.value(
            "select count(*) from processes where parent_id is null"), 1)

    def test_fork(self):
        self.check("fork")

    def test_spawn(self):
        self.check("spawn")

    def test_forkserver(self):
        self.check("forkserver")

    def test_terminated_pool(self):
        """Workers that are killed by SIGTERM have their calls in it."""
        app = self.script("""
            import multiprocessing

            def task(n):
                return n

            if __name__ == "__main__":
                multiprocessing.set_start_method("fork")
                with multiprocessing.Pool(2) as pool:
                    print(sum(pool.map(task, range(20))))
                # __exit__ terminates it
            """)
        self.assertEqual(self.record([app]).stdout, "190\n")
        self.assertEqual(self.ncalls("task"), 20)
        self.no_recording_left()

    def test_process_pool_of_futures(self):
        app = self.script("""
            from concurrent.futures import ProcessPoolExecutor

            def task(n):
                return n

            if __name__ == "__main__":
                with ProcessPoolExecutor(2) as pool:
                    print(sum(pool.map(task, range(20))))
            """)
        self.assertEqual(self.record([app]).stdout, "190\n")
        self.assertEqual(self.ncalls("task"), 20)
        self.no_recording_left()


class Death(Processes):
    """What ends without a word leaves its recording, and the next command
    takes it in."""

    def dies(self, text, signo):
        app = self.script("""
            import ctypes, os, resource, signal

            def leaf():
                pass

            def work():
                for i in range(1000):
                    leaf()
                die()

            def die():
                %s

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            work()
            """ % text)
        plain = self.command([self.py.path, app], check=None)
        self.assertEqual(plain.returncode, -signo)
        # By hand: the recording lies beside the database until a command
        # comes.
        done = self.preload([app], options="clock=step", check=-signo)
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        recording, = [n for n in os.listdir(self.tmp) if "plrec" in n]
        self.assertEqual(os.stat(self.tmp / recording).st_mode & 0o777, 0o600)
        self.tool("runs", self.db)
        self.no_recording_left()
        self.tool("runs", self.db)
        self.assertEqual(self.calls("leaf"), [1000])
        self.assertEqual(self.rows(
            "select f.name, n.calls, n.flags from nodes n join functions f "
            "on f.id = n.function_id where f.name in ('work', 'leaf', 'die') "
            "order by n.id"),
            [("work", 1, 2), ("leaf", 1000, 0), ("die", 1, 2)])
        self.assertEqual(self.value("select cumtime * 1e9 >= 2001 from pstats "
                                    "where function = 'work'"), 1)
        self.assertEqual(self.processes("end_reason"), [("killed",)])
        # Recorded: everything is there when the command has ended.
        self.record([app], check=-signo)
        self.assertEqual(self.calls("leaf"), [1000, 1000])
        self.assertEqual(self.processes("end_reason, end_status")[1],
                         ("signal", signo))
        self.no_recording_left()

    def test_sigkill(self):
        self.dies("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL)

    def test_sigterm(self):
        self.dies("os.kill(os.getpid(), signal.SIGTERM)", signal.SIGTERM)

    def test_segmentation_fault(self):
        self.dies("ctypes.string_at(0)", signal.SIGSEGV)

    def test_abort(self):
        self.dies("os.abort()", signal.SIGABRT)

    def test_exit_from_a_signal_handler_of_c(self):
        """_exit() where nothing may be locked: marked, and taken in later."""
        app = self.script("""
            import ctypes, os, signal
            def leaf():
                pass
            c = ctypes.CDLL(None)
            c.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
            c.signal(signal.SIGUSR1, ctypes.cast(c._exit, ctypes.c_void_p))
            leaf()
            os.kill(os.getpid(), signal.SIGUSR1)
            """)
        self.preload([app], check=signal.SIGUSR1)
        self.tool("runs", self.db)
        self.assertEqual(self.processes("end_reason, end_status"),
                         [("_exit", signal.SIGUSR1)])
        self.assertEqual(self.calls("leaf"), [1])
        self.no_recording_left()

    def test_exit_from_a_signal_handler_in_the_middle_of_us(self):
        """The signal comes while a thread's recorder is made, under a lock."""
        helper = self.tmp / "raise.c"
        helper.write_text(r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <signal.h>
            #include <string.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            static void end(int sig) { _exit(sig); }
            long stand_in(long n, long a, long b, long c, long d, long e,
                          long f) __asm__("syscall");
            long stand_in(long n, long a, long b, long c, long d, long e,
                          long f)
            {
                static long (*real)(long, ...);
                static int calls;
                Dl_info info;

                if (!real)
                    *(void **)&real = dlsym(RTLD_NEXT, "syscall");
                if (n == SYS_gettid &&
                    dladdr(__builtin_return_address(0), &info) &&
                    strstr(info.dli_fname, "_proflite") && calls++) {
                    signal(SIGTERM, end);
                    raise(SIGTERM);
                }
                return real(n, a, b, c, d, e, f);
            }
            """)
        app = self.script("""
            import threading
            def leaf():
                pass
            leaf()
            thread = threading.Thread(target=leaf)
            thread.start()
            thread.join()
            """)
        library = self.library(helper, "raise.so")
        self.preload([app], options="calibrate=no", check=signal.SIGTERM,
                     env={"LD_PRELOAD": "%s %s" % (library, LIBRARY)})
        self.tool("runs", self.db)
        self.assertEqual(self.processes("end_reason, end_status"),
                         [("_exit", signal.SIGTERM)])
        self.assertEqual(self.calls("leaf"), [1])
        self.no_recording_left()

    def test_exit_from_a_signal_handler_after_a_profile(self):
        """A thread that waits has had no event since one that covered it, and
        was before the process's, went."""
        app = self.script("""
            import ctypes, os, proflite, signal, threading

            def other():
                global profile
                while not is_waiting():
                    pass
                profile.disable()
                del profile
                signal.pthread_kill(main, signal.SIGUSR1)

            def is_waiting():
                with open("/proc/self/task/%d/wchan" % os.getpid()) as f:
                    return "futex" in f.read()

            c = ctypes.CDLL(None)
            c.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
            c.signal(signal.SIGUSR1, ctypes.cast(c._exit, ctypes.c_void_p))
            main = threading.get_ident()
            profile = proflite.Profile(threads=True)
            profile.enable()
            proflite.start()
            lock = threading.Lock()
            lock.acquire()
            threading.Thread(target=other, daemon=True).start()
            lock.acquire()
            """)
        self.preload([app], options="start=no", check=signal.SIGUSR1,
                     env={"PYTHONPATH": PACKAGE})
        self.tool("runs", self.db)
        self.assertEqual(self.processes("end_reason, end_status"),
                         [("_exit", signal.SIGUSR1)])
        self.no_recording_left()

    def test_os_exit(self):
        app = self.script("""
            import os
            def leaf():
                pass
            leaf()
            os._exit(6)
            """)
        self.preload([app], check=6)
        self.assertEqual(self.processes("end_reason, end_status"),
                         [("_exit", 6)])
        self.no_recording_left()

    def test_a_damaged_recording_is_said(self):
        """Whichever command takes it in says so, and that it is one."""
        app = self.script("def f(): pass\nf()\n")
        for command in ["runs", self.db], ["record", "-o", self.db, "true"]:
            self.preload([app], options="ingest=no")
            path, = self.tmp.glob("*.plrec")
            os.truncate(path, 3000)
            said = self.tool(*command).stderr.splitlines()[0]
            self.assertRegex(said, "^proflite %s: warning: %s is in the "
                             "database as far as it could be read: the "
                             "recording is cut off: 3000 of [0-9]+ bytes are "
                             "there$" % (command[0], path))
            self.no_recording_left()
        # From then on it is known of the run.
        table = self.tool("runs", self.db)
        self.assertRegex(table.stderr, "^" + "".join(
            "proflite runs: note: run %d: 1 recording is not whole: the "
            "recording is cut off: 3000 of [0-9]+ bytes are there\n" % run
            for run in (1, 2)) + "$")
        self.assertNotIn("imported", table.stdout)
        self.assertEqual(table.stdout.count(" exit"), 2)

    def test_main_thread_that_has_ended(self):
        """The process lives on with the others, and is not taken for dead
        when it shows no lock, either."""
        app = self.script("""
            import ctypes, os, threading

            def leaf():
                pass

            def other():
                while state() != "Z":
                    pass
                print("ready", flush=True)
                input()
                leaf()
                os._exit(0)

            def state():
                with open("/proc/%d/stat" % os.getpid()) as f:
                    return f.read().rpartition(")")[2].split()[0]

            os.closerange(3, 4096)
            threading.Thread(target=other).start()
            ctypes.CDLL(None).pthread_exit(None)
            """)
        self.record(["-c", "pass"])
        p = self.ready(app)
        self.assertIn("recording (pid %d)" % p.pid,
                      self.tool("runs", self.db).stdout)
        p.communicate(b"\n")
        self.assertEqual(p.returncode, 0)
        self.assertEqual(self.calls("leaf"), [1])
        self.assertEqual(self.processes("end_reason"), [("exit",), ("_exit",)])
        self.no_recording_left()

    def test_killed_while_it_works(self):
        """From outside, at any moment: what was counted until then is there,
        and the tree is sound."""
        app = self.script("""
            import threading

            def leaf():
                pass

            def branch(n):
                if n:
                    branch(n - 1)
                leaf()

            def work():
                n = 0
                while True:
                    branch(n % 50)
                    exec("def f%d(): leaf()\\nf%d()" % (n, n), globals())
                    n += 1
                    if n == 200:
                        print("ready", flush=True)

            threading.Thread(target=work, daemon=True).start()
            work()
            """)
        for i in range(3):
            p = self.ready(app)
            p.kill()
            p.communicate()
        # While one lives, it is not taken in.
        p = self.ready(app)
        done = self.tool("runs", self.db)
        self.assertIn("recording (pid %d)" % p.pid, done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.value("select count(*) from processes"), 3)
        p.kill()
        p.communicate()
        self.tool("runs", self.db)
        self.tool("runs", self.db)
        self.no_recording_left()
        self.assertEqual(self.processes("end_reason, damage"),
                         [("killed", None)] * 4)
        self.assertEqual(len(self.calls("branch")), 4)
        self.assertGreaterEqual(min(self.calls("branch")), 200)
        self.assertEqual(self.value(
            "select count(*) from nodes where total_ns < 0 or calls < 0 or "
            "max_ns < min_ns"), 0)

    def test_the_tool_is_killed(self):
        """The program goes on, and writes its own end."""
        app = self.script("""
            import sys

            def leaf():
                pass

            print("ready", flush=True)
            sys.stdin.read()
            leaf()
            print("done", flush=True)
            """)
        p = subprocess.Popen(
            [TOOL, "record", "-o", self.db, "--", self.py.path, app],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.tmp,
            env=self.environment())
        self.assertEqual(p.stdout.readline(), b"ready\n")
        p.kill()
        p.wait()
        self.assertEqual(p.communicate()[0], b"done\n")
        self.until_no_recording_is_left()
        self.assertEqual(self.calls("leaf"), [1])
        self.assertEqual(self.processes("end_reason"), [("exit",)])

    @once
    def test_killed_before_the_first_call(self):
        """What has no more than a beginning is cleared away without a word:
        an empty file, one without its magic, one without its run."""
        self.record(["-c", "pass"])
        self.preload(["-c", "import os; os.kill(os.getpid(), 9)"], check=-9)
        recording, = self.tmp.glob("*.plrec")
        page = bytearray(recording.read_bytes()[:4096])
        recording.unlink()
        page[40:56] = bytes(16)                         # run_uuid
        page[104:108] = (64).to_bytes(4, "little")      # n_cells
        for i, content in enumerate([page, b"", bytes(8) + page[8:]]):
            path = self.tmp / ("proflite.db.9-%d.plrec" % i)
            path.write_bytes(content)
            os.utime(path, (1, 1))
        done = self.tool("runs", self.db)
        self.assertEqual(done.stderr, "")
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.no_recording_left()
        self.assertEqual(self.value("select count(*) from processes"), 1)

    def test_taken_in_by_many_at_once(self):
        app = self.script("import os\ndef leaf(): pass\nleaf()\n"
                          "os.kill(os.getpid(), 9)\n")
        for i in range(8):
            self.preload([app], check=-9)
        commands = [subprocess.Popen([TOOL, "runs", self.db], cwd=self.tmp,
                                     env=self.environment(),
                                     stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
                    for i in range(6)]
        for c in commands:
            said = c.communicate()[1].decode()
            # Who waits for the others for a second leaves it to them.
            self.assertRegex(said, r"\A(proflite runs: (warning: what was "
                             r"recorded last is not in yet: )?[^\n]* is "
                             r"(locked|empty: nothing)[^\n]*\n)*\Z")
            self.assertTrue(said or not c.returncode)
        self.tool("runs", self.db)
        self.assertEqual(self.calls("leaf"), [1] * 8)
        self.assertEqual(self.value("select count(*) from processes"), 8)
        self.no_recording_left()


class Locked(Processes):
    """The database cannot be written at the end: nothing is lost."""

    def test_locked_by_another(self):
        app = self.script("def leaf(): pass\nleaf()\nprint('ok')\n")
        self.record([app])
        import sqlite3
        lock = sqlite3.connect(self.db)
        lock.execute("begin exclusive")
        try:
            done = self.preload([app])
        finally:
            lock.rollback()
            lock.close()
        self.assertEqual(done.stdout, "ok\n")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertRegex(done.stderr, r"^proflite: .*proflite\.db.*plrec")
        self.assertEqual(self.calls("leaf"), [1])
        self.tool("runs", self.db)
        self.assertEqual(self.calls("leaf"), [1, 1])
        self.assertEqual(self.processes("end_reason"), [("exit",)] * 2)
        self.no_recording_left()

    def test_recording_that_was_removed(self):
        app = self.script("""
            import glob, os
            def leaf():
                pass
            leaf()
            for name in glob.glob("*.plrec"):
                os.unlink(name)
            for i in range(3000):
                exec("def f%d(): leaf()\\nf%d()" % (i, i), globals())
            print("ok")
            """)
        done = self.preload([app])
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
        # It comes into the database out of memory.
        self.assertEqual(self.calls("leaf"), [3001])
        self.no_recording_left()

    def test_recording_that_another_takes_in_at_the_same_time(self):
        """A command comes when the process has said that it ends, and before
        it has opened its recording to read it."""
        helper = self.tmp / "open.c"
        helper.write_text(r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <fcntl.h>
            #include <stdarg.h>
            #include <stdlib.h>
            #include <string.h>
            static void meanwhile(const char *path, int flags)
            {
                static int done;

                if (!strstr(path, ".plrec") || flags & O_RDWR || done++)
                    return;
                unsetenv("LD_PRELOAD");
                if (system(getenv("MEANWHILE")))
                    abort();
            }
            static int open_it(const char *name, const char *path, int flags,
                               int mode)
            {
                int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);

                meanwhile(path, flags);
                return real(path, flags, mode);
            }
            #define OPEN(name) \
                int name(const char *path, int flags, ...) \
                { \
                    va_list ap; \
                    va_start(ap, flags); \
                    int mode = va_arg(ap, int); \
                    va_end(ap); \
                    return open_it(#name, path, flags, mode); \
                }
            OPEN(open)
            OPEN(open64)
            """)
        app = self.script("def leaf(): pass\nleaf()\n")
        library = self.library(helper, "open.so")
        for n, command in enumerate([
                "%s runs %s >runs" % (TOOL, self.db),
                "rm %s.*.plrec" % self.db]):
            done = self.preload([app], env={
                "LD_PRELOAD": "%s %s" % (library, LIBRARY),
                "MEANWHILE": command})
            self.assertEqual(done.stderr, "")
            self.assertEqual(self.calls("leaf"), [1] * (n + 1))
            self.no_recording_left()
        self.assertIn(" exit", (self.tmp / "runs").read_text())
        self.assertEqual(self.processes("end_reason"), [("exit",)] * 2)

    def test_recording_that_ends_while_it_is_looked_at(self):
        """A command has opened that of a living process, which goes on and
        ends before the command asks whether it lives."""
        helper = self.tmp / "lock.c"
        helper.write_text(r"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <fcntl.h>
            #include <stdarg.h>
            #include <stdlib.h>
            #include <unistd.h>
            static int lock(const char *name, int fd, int cmd, void *arg)
            {
                int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
                char c;

                if (cmd == F_GETLK &&
                    write(atoi(getenv("ASKS")), "?", 1) == 1)
                    read(0, &c, 1);
                return real(fd, cmd, arg);
            }
            #define LOCK(name) \
                int name(int fd, int cmd, ...) \
                { \
                    va_list ap; \
                    va_start(ap, cmd); \
                    void *arg = va_arg(ap, void *); \
                    va_end(ap); \
                    return lock(#name, fd, cmd, arg); \
                }
            LOCK(fcntl)
            LOCK(fcntl64)
            """)
        app = self.script("""
            def leaf():
                pass
            leaf()
            print("ready", flush=True)
            input()
            for i in range(3000):
                exec("def f%d(): leaf()\\nf%d()" % (i, i), globals())
            """)
        library = self.library(helper, "lock.so")
        program = self.ready(app, "ingest=no")
        asks, theirs = os.pipe()
        command = subprocess.Popen(
            [TOOL, "runs", self.db], cwd=self.tmp, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=[theirs], env=self.environment({
                "LD_PRELOAD": library, "ASKS": str(theirs)}))
        os.close(theirs)
        self.assertEqual(os.read(asks, 1), b"?")
        program.communicate(b"\n")
        self.assertEqual(command.communicate(b"!" * 9)[1], b"")
        os.close(asks)
        self.assertEqual((program.returncode, command.returncode), (0, 0))
        self.assertEqual(self.processes("end_reason, damage"),
                         [("exit", None)])
        self.assertEqual(self.calls("leaf"), [3001])
        self.no_recording_left()

    def test_folder_that_was_removed(self):
        folder = self.tmp / "folder"
        folder.mkdir()
        app = self.script("""
            import shutil
            def leaf():
                pass
            leaf()
            shutil.rmtree("folder")
            print("ok")
            """)
        done = self.preload([app], db=folder / "x.db")
        self.assertEqual(done.stdout, "ok\n")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("x.db", done.stderr)

    def test_database_that_is_deleted_meanwhile(self):
        """What was in it is gone with it; this run is not."""
        app = self.script("""
            import os
            def leaf():
                pass
            leaf()
            for name in os.listdir("."):
                if name.startswith("proflite.db") and "plrec" not in name:
                    os.unlink(name)
            leaf()
            """)
        self.record([app])
        self.assertEqual(self.record([app]).stderr, "")
        self.assertEqual(self.calls("leaf"), [2])
        self.no_recording_left()

    @once
    def test_clock_that_is_set_back(self):
        """By a year, in the middle of it: times are of the clock that nobody
        sets."""
        source = self.script("""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <time.h>
            static long back;
            void set_back(void) { back = 365L * 86400; }
            int clock_gettime(clockid_t id, struct timespec *ts)
            {
                static int (*real)(clockid_t, struct timespec *);
                if (!real)
                    real = dlsym(RTLD_NEXT, "clock_gettime");
                int rc = real(id, ts);
                if (id == CLOCK_REALTIME)
                    ts->tv_sec -= back;
                return rc;
            }
            """, "clock.c")
        library = self.library(source, "clock.so")
        app = self.script("""
            import ctypes, time
            def leaf():
                pass
            before = time.time()
            leaf()
            ctypes.CDLL(None).set_back()
            assert time.time() < before - 1e7
            leaf()
            """)
        done = self.preload([app], env={
            "LD_PRELOAD": "%s %s" % (library, LIBRARY)})
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.calls("leaf"), [2])
        self.assertEqual(self.value(
            "select ended_ns between started_ns and started_ns + 600e9 "
            "from processes"), 1)
        self.assertEqual(self.value(
            "select count(*) from nodes where total_ns < 0 or total_ns > 600e9"),
            0)

    @once
    def test_full_disk(self):
        """A folder with next to no room: the program runs on."""
        if os.getuid():
            self.skipTest("only root can mount a small file system")
        small = self.tmp / "small"
        small.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300k", "none", small],
            stderr=subprocess.DEVNULL)
        if mounted.returncode:
            self.skipTest("no file system can be mounted here")
        try:
            app = self.script("""
                def leaf():
                    pass
                for i in range(20000):
                    exec("def f%d(): leaf()\\nf%d()" % (i, i), globals())
                print("ok")
                """)
            done = self.preload([app], db=small / "x.db")
            self.assertEqual(done.stdout, "ok\n")
            self.assertLessEqual(len(done.stderr.splitlines()), 1, done.stderr)
        finally:
            subprocess.run(["umount", small], check=True)
