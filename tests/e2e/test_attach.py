# SPDX-License-Identifier: MIT
"""`proflite attach`: record a process that is running."""

import os
import re
import shutil
import signal
import subprocess
import time

from harness import LIBRARY, PACKAGE, TOOL, Case, once, since, until

# It comes to a safe point every millisecond; when there is a file "step", it
# makes 100 calls, and says what it looks like then.
PROGRAM = """
    import os, signal, sys, threading, time

    def leaf():
        pass

    def step():
        for _ in range(100):
            leaf()

    def look():
        tools = [sys.monitoring.get_tool(i) for i in range(6)] \\
            if hasattr(sys, "monitoring") else sys.getprofile()
        return repr((
            sorted(sys.modules), sys.path, sorted(sys.path_importer_cache),
            tools, threading.active_count(), sorted(os.listdir("/proc/self/fd")),
            [signal.getsignal(s) for s in signal.valid_signals()]))

    def loop():
        while not os.path.exists("end"):
            if os.path.exists("step"):
                step()
                with open("look.new", "w") as f:
                    f.write(look())
                os.rename("look.new", "look")
                os.unlink("step")
            time.sleep(.001)

    other = threading.Thread(target=lambda: stop.wait())
    stop = threading.Event()
    other.start()
    print(os.getpid(), flush=True)
    loop()
    stop.set()
    """

# Its main thread comes to no safe point until there is a line: to print and to
# wait is one call of C.
WAITS = "import os; input('%d\\n' % os.getpid())"

SECONDS = "300"                 # for an answer that comes

DORMANT = {"LD_PRELOAD": LIBRARY, "PROFLITE_OPTIONS": "start=off"}


class Base(Case):
    def program(self, env=None, args=None, flags=()):
        """Start PROGRAM, or @args; sets self.process."""
        args = args or [self.script(PROGRAM)]
        self.process = subprocess.Popen(
            [self.py.path, *flags, *args], env=self.environment(env),
            cwd=self.tmp, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.assertEqual(int(self.process.stdout.readline()), self.process.pid)
        return self.process.pid

    def end(self):
        process = self.process
        if process.returncode is None:
            process.kill()
            process.communicate()

    def finish(self):
        """The program ends as if nothing had been."""
        (self.tmp / "end").touch()
        out, err = self.process.communicate("\n")
        self.assertEqual((out, err, self.process.returncode), ("", "", 0))

    def step(self):
        (self.tmp / "step").touch()
        while (self.tmp / "step").exists():
            self.assertIsNone(self.process.poll())
            time.sleep(.001)
        return (self.tmp / "look").read_text()

    def attach(self, *args, env=None, **popen):
        tool = subprocess.Popen(
            [TOOL, "attach", "-o", self.db, "-t", SECONDS, *args,
             str(self.process.pid)],
            env=self.environment(env), cwd=self.tmp, stderr=subprocess.PIPE,
            text=True, **popen)
        self.addCleanup(tool.stderr.close)
        return tool

    def attached(self, *args):
        """`proflite attach`, when it records."""
        return self.records(self.attach(*args))

    def records(self, tool):
        self.assertEqual(tool.stderr.readline(), "proflite attach: recording "
                         "process %d until Ctrl-C\n" % self.process.pid)
        return tool

    def detach(self, tool, sig=signal.SIGINT):
        tool.send_signal(sig)
        self.assertEqual((tool.wait(), tool.stderr.read()), (0, ""))

    def refused(self, *args, status=1, tool=TOOL, **kwargs):
        done = self.command([tool, "attach", "-o", self.db, *args],
                            check=status, **kwargs)
        self.assertFalse(self.db.exists())
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def leaves(self):
        return self.rows("select run_id, ncalls from pstats where "
                         "function = 'leaf' order by run_id")

    def check_attach(self):
        before = self.step()
        first = self.attached("--label=first")
        self.step()
        self.detach(first)
        self.assertEqual(self.step(), before)
        self.assertEqual(self.leaves(), [(1, 100)])
        second = self.attached("--no-builtins")
        self.step()
        self.step()
        self.detach(second, signal.SIGTERM)
        self.assertEqual(self.step(), before)
        self.assertEqual(self.leaves(), [(1, 100), (2, 200)])
        self.assertEqual(self.rows("select label, count(*) from runs join "
                                   "processes on run_id = runs.id "
                                   "group by runs.id"),
                         [("first", 1), (None, 1)])
        self.assertEqual(self.rows(
            "select distinct end_reason, pid from processes"),
            [("stopped", self.process.pid)])
        self.assertRegex(self.tool("report", self.db, "leaf").stdout,
                         r"(?m)^ +200 .*\(leaf\)$")
        self.finish()
        self.assertEqual(sorted(p.name for p in self.tmp.glob("*.plrec")), [])


class Dormant(Base):
    def test_a_dormant_process_is_recorded_for_a_while(self):
        self.program(DORMANT)
        self.check_attach()

    @once
    def test_for_so_many_seconds(self):
        pid = self.program(DORMANT)
        done = self.tool("attach", "-d", "0.2", "-t", SECONDS, "-o", self.db,
                         pid)
        self.assertEqual(done.stderr, "proflite attach: recording process %d\n"
                         % pid)
        # It may have had no turn meanwhile, and so no calls.
        self.assertEqual(self.rows("select end_reason, pid from processes"),
                         [("stopped", pid)])
        self.finish()

    def test_interpreters_that_come_and_go_meanwhile(self):
        """Their code is not let go of by another one, which would give memory
        back to an allocator that it is not of."""
        self.program(DORMANT, [self.script("""
            import os
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters

            CODE = '''
            for i in range(100):
                names = {}
                exec("def f(): return %d" % i, names)
                names["f"]()
            '''.replace("\\n            ", "\\n")

            def step():
                id = interpreters.create()
                interpreters.run_string(id, CODE)
                interpreters.destroy(id)

            print(os.getpid(), flush=True)
            while not os.path.exists("end"):
                if os.path.exists("step"):
                    step()
                    open("look", "w").close()
                    os.unlink("step")
            """)])
        for i in range(3):
            tool = self.attached()
            self.step()
            self.detach(tool)
        self.finish()
        self.assertEqual(self.rows(
            "select ncalls from pstats where function = 'step'"), [(1,)] * 3)
        if self.py.version >= (3, 12):
            self.assertEqual(self.rows(
                "select ncalls from pstats where function = 'f'"),
                [(100,)] * 3)

    @once
    def test_one_that_is_killed_meanwhile(self):
        self.program(DORMANT)
        tool = self.attached()
        self.step()
        self.process.kill()
        self.assertEqual((tool.wait(), tool.stderr.read()), (0, ""))
        self.assertEqual(self.leaves(), [(1, 100)])

    @once
    def test_one_that_ends_meanwhile(self):
        self.program(DORMANT)
        tool = self.attached()
        self.step()
        self.finish()
        self.assertEqual((tool.wait(), tool.stderr.read()), (0, ""))
        self.assertEqual(self.leaves(), [(1, 100)])

    @once
    def test_two_at_once_are_refused(self):
        pid = self.program(DORMANT)
        tool = self.attached()
        second = self.tool("attach", "-t", SECONDS, "-o", "other.db", pid,
                           check=1)
        self.assertEqual(second.stderr, "proflite attach: process %d says: it "
                         "is being recorded already\n" % pid)
        self.detach(tool)
        self.finish()

    @once
    def test_signals_that_are_blocked_for_a_moment(self):
        """As while a thread is being made: it looks again."""
        helper = self.script("""
            #include <stdlib.h>
            #include <unistd.h>
            int nanosleep(const void *time, void *left)
            {
                static int said;

                if (!said++ && write(atoi(getenv("ASKS")), "?", 1) != 1)
                    abort();
                return usleep(1000);
            }
            """, "nanosleep.c")
        library = self.library(helper, "nanosleep.so")
        app = self.script("""
            import os, signal
            signals = signal.valid_signals()
            signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            print(os.getpid(), flush=True)
            input()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            while not os.path.exists("end"):
                pass
            """)
        self.program(DORMANT, [app])
        asks, theirs = os.pipe()
        self.addCleanup(os.close, asks)
        tool = self.attach(env={"LD_PRELOAD": library, "ASKS": str(theirs)},
                           pass_fds=[theirs])
        os.close(theirs)
        self.assertEqual(os.read(asks, 1), b"?")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.detach(self.records(tool))
        self.finish()

    def mark(self, pid):
        with open("/proc/%d/maps" % pid) as f:
            return re.findall(r"/memfd:proflite-dormant-(\d+)", f.read())

    @once
    def test_the_program_has_its_signals(self):
        app = self.script("""
            import os, signal, sys
            print(os.getpid(), flush=True)
            number = int(input())
            assert signal.getsignal(number) == signal.SIG_DFL
            assert signal.signal(number, lambda *a: print("mine")) == \\
                signal.SIG_DFL
            print("set", flush=True)
            input()
            os.kill(os.getpid(), number)
            """)
        pid = self.program(DORMANT, [app])
        [number] = self.mark(pid)
        self.process.stdin.write(number + "\n")
        self.process.stdin.flush()
        self.assertEqual(self.process.stdout.readline(), "set\n")
        self.assertEqual(self.mark(pid), [])
        out, err = self.process.communicate("\n")
        self.assertEqual((out, err, self.process.returncode), ("mine\n", "", 0))

    @once
    def test_the_signal_from_elsewhere_does_what_it_does(self):
        pid = self.program(DORMANT)
        [number] = self.mark(pid)
        os.kill(pid, int(number))
        self.process.communicate()
        self.assertEqual(self.process.returncode, -int(number))

    @once
    def test_no_safe_point(self):
        pid = self.program(DORMANT, ["-c", WAITS])
        self.assertRegex(self.refused("-t", "0.2", pid),
                         r"did not come to a safe point within 0.2 s")
        self.finish()
        self.assertFalse(self.db.exists())

    @once
    def test_not_dormant(self):
        pid = self.program({"LD_PRELOAD": LIBRARY})
        self.assertEqual(self.mark(pid), [])
        self.finish()


class Remote(Base):
    """By PEP 768: what was started with nothing of ours."""

    @since(3, 14)
    def test_a_process_is_recorded_for_a_while(self):
        self.program()
        self.check_attach()

    @since(3, 14)
    def test_one_that_has_imported_us(self):
        self.program({"PYTHONPATH": PACKAGE}, ["-c", "import proflite\n"
                     "exec(open(%r).read())" % str(self.script(PROGRAM))])
        self.check_attach()

    @since(3, 14)
    def test_no_remote_debugging(self):
        for env, flags in (({}, ["-X", "disable-remote-debug"]),
                           ({"PYTHON_DISABLE_REMOTE_DEBUG": "1"}, [])):
            pid = self.program(env, flags=flags)
            self.assertEqual(
                self.refused(pid), "proflite attach: process %d does not let "
                "itself be debugged: it was started with -X "
                "disable-remote-debug or PYTHON_DISABLE_REMOTE_DEBUG\n" % pid)
            self.end()

    @since(3, 14)
    def test_no_safe_point(self):
        pid = self.program(args=["-c", WAITS])
        self.assertRegex(self.refused("-t", "0.2", pid),
                         r"did not come to a safe point within 0.2 s")
        self.finish()
        self.assertFalse(self.db.exists())

    @until(3, 13)
    def test_an_old_one_is_refused(self):
        pid = self.program()
        self.assertRegex(self.refused(pid), r"^proflite attach: process %d is "
                         r"Python %d\.%d: before 3\.14 it has to be started "
                         r"with LD_PRELOAD=libproflite\.so and "
                         r"PROFLITE_OPTIONS=start=off\n$" % (
                             (pid,) + self.py.version[:2]))
        self.finish()


class Refused(Base):
    @once
    def test_what_is_no_number(self):
        for word in "x", "0", "-1", "12x", "99999999999":
            self.assertIn("want the number of a process",
                          self.refused(word, status=2))
        self.assertIn("which process?", self.refused(status=2))
        self.assertIn("want seconds", self.refused("-d", "0", "1", status=2))

    @once
    def test_no_process(self):
        # The kernel's numbers end below that.
        self.assertEqual(self.refused(1 << 22),
                         "proflite attach: no process 4194304\n")

    @once
    def test_no_python(self):
        process = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while os.readlink("/proc/%d/exe" % process.pid).count("python"):
            time.sleep(.001)
        self.assertRegex(self.refused(process.pid), r"^proflite attach: "
                         r"process %d \(\w+\) is no Python\n$" % process.pid)

    @once
    def test_no_permission(self):
        if os.geteuid():
            self.assertIn("no permission", self.refused(1))
            return
        # As nobody; who may not look into our folders either.
        pid = self.program(DORMANT)
        tool = self.tmp / "proflite"
        shutil.copy(TOOL, tool)
        self.tmp.chmod(0o755)
        self.assertEqual(
            self.refused(pid, tool=tool, user=65534),
            "proflite attach: no permission to look into process %d of root: "
            "be that user, or root\n" % pid)
        self.finish()
