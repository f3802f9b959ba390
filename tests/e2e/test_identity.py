# SPDX-License-Identifier: MIT
"""Which process a recording belongs to: uuids after forks, users, namespaces,
environments, and how a process ended."""

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

from harness import LIBRARY, PACKAGE, TOOL, Case

LEAF = """
    import os, sys
    import proflite

    def leaf():
        pass

    def work(n=1000):
        for _ in range(n):
            leaf()
"""


class Identified(Case):
    def ncalls(self, function, db=None):
        return self.value("select sum(calls) from function_stats s "
                          "join functions f on f.id = s.function_id "
                          "where f.name = ?", function, db=db)

    def recordings(self):
        return sorted(p.name for p in self.tmp.glob("*.plrec"))

    def app(self, text, name="app.py"):
        """A program that has leaf() and work(n)."""
        path = self.script(LEAF, name)
        with open(path, "a") as f:
            f.write(textwrap.dedent(text))
        return path

    def waiting(self, app, **kwargs):
        """Run @app, preloaded but not started."""
        env = {"PYTHONPATH": PACKAGE, **self.preloading("start=no")}
        return self.command([self.py.path, app], env, **kwargs)


class Forks(Identified):
    """Every process has a uuid of its own, whenever it was forked."""

    WORKERS = """
        for i in range(3):
            pid = os.fork()
            if pid == 0:
                proflite.start(out="b.db")
                work()
                proflite.stop()
                os._exit(0)
            os.waitpid(pid, 0)
        """

    def family(self, db):
        """(pid is the parent's, uuid is known, parent_uuid) counts."""
        return self.rows("select count(*), count(distinct uuid), "
                         "count(distinct parent_uuid), count(parent_uuid) "
                         "from processes", db=db)

    def test_that_start_in_the_child(self):
        app = self.app(self.WORKERS)
        self.waiting(app)
        db = self.tmp / "b.db"
        self.assertEqual(self.tool("runs", db).stderr, "")
        self.assertEqual(self.ncalls("leaf", db), 3000)
        # Their parent has not recorded; it has a name all the same.
        self.assertEqual(self.family(db), [(3, 3, 1, 3)])
        self.assertEqual(self.value("select count(*) from runs", db=db), 1)
        self.assertEqual(self.recordings(), [])

    def test_without_the_preload(self):
        app = self.app(self.WORKERS)
        self.python([app])
        db = self.tmp / "b.db"
        self.assertEqual(self.tool("runs", db).stderr, "")
        self.assertEqual(self.ncalls("leaf", db), 3000)
        self.assertEqual(self.family(db), [(3, 3, 0, 0)])

    def test_parent_that_starts_later(self):
        """The children's parent is the recording that their parent begins
        after the fork."""
        app = self.app("""
            def child():
                proflite.start()
                work(10)
                proflite.stop()
                os._exit(0)
            pid = os.fork() or child()
            os.waitpid(pid, 0)
            proflite.start()
            work(5)
            pid = os.fork() or (work(2), os._exit(0))
            os.waitpid(pid, 0)
            """)
        self.waiting(app)
        self.tool("runs", self.db)
        self.assertEqual(self.ncalls("leaf"), 17)
        self.assertEqual(self.rows(
            "select c.parent_uuid = p.uuid, c.parent_id = p.id, "
            "c.ppid = p.pid, p.parent_uuid from processes c, processes p "
            "where c.id <> p.id and p.end_reason = 'exit'"),
            [(1, 1, 1, None)] * 2)

    def test_of_a_parent_that_has_stopped(self):
        """Neither its uuid nor its own parent are the child's."""
        app = self.app("""
            proflite.start()
            work(1)
            proflite.stop()
            for i in range(2):
                pid = os.fork()
                if not pid:
                    proflite.start()
                    work(10)
                    proflite.stop()
                    os._exit(0)
                os.waitpid(pid, 0)
            """)
        for run in self.python, self.waiting:
            run([app] if run == self.python else app)
            db = self.tmp / "proflite.db"
            self.tool("runs", db)
            self.assertEqual(self.ncalls("leaf", db), 21)
            self.assertEqual(self.rows(
                "select p.pid = c.ppid from processes c "
                "left join processes p on p.uuid = c.parent_uuid "
                "where c.end_reason <> 'exit'", db=db), [(1,)] * 2)
            db.unlink()

    def test_grandchildren(self):
        app = self.app("""
            def generation(n):
                if not n:
                    return
                pid = os.fork()
                if not pid:
                    generation(n - 1)
                    proflite.start()
                    work(10)
                    proflite.stop()
                    os._exit(0)
                os.waitpid(pid, 0)
            generation(4)
            """)
        self.waiting(app)
        self.tool("runs", self.db)
        self.assertEqual(self.ncalls("leaf"), 40)
        self.assertEqual(self.value("select count(distinct uuid) "
                                    "from processes"), 4)

    def test_raw_clone(self):
        """fork() without the library's handlers."""
        app = self.app("""
            import ctypes, platform
            number = {"x86_64": 57}.get(platform.machine())
            if number is None:
                print("no fork")
                sys.exit()
            c = ctypes.PyDLL(None)
            for i in range(3):
                pid = c.syscall(number)
                if not pid:
                    proflite.start()
                    work(10)
                    proflite.stop()
                    os._exit(0)
                os.waitpid(pid, 0)
            """)
        done = self.waiting(app)
        if done.stdout == "no fork\n":
            self.skipTest("this processor's kernel has no call named fork")
        self.tool("runs", self.db)
        self.assertEqual(self.ncalls("leaf"), 30)

    def test_profiles_saved_by_both(self):
        """A Profile goes on in the child, as a recording of its own."""
        app = self.app("""
            p = proflite.Profile()
            p.enable()
            work(1)
            pid = os.fork()
            work(10 if pid else 100)
            p.disable()
            if pid:
                os.waitpid(pid, 0)
            p.save("p.db")
            if not pid:
                os._exit(0)
            print(os.getpid(), pid)
            """)
        done = self.python([app])
        parent, child = map(int, done.stdout.split())
        self.assertEqual(self.rows(
            "select p.pid, p.ppid = ?, t.tid, p.forked, s.calls "
            "from processes p join threads t on t.process_id = p.id "
            "join function_stats s on s.thread_id = t.id "
            "join functions f on f.id = s.function_id "
            "where f.name = 'leaf' order by p.pid = ?", parent, child,
            db=self.tmp / "p.db"),
            [(parent, 0, parent, 0, 11), (child, 1, child, 1, 101)])


class Ends(Identified):
    """How a process ended, with and without the preload, under the tool."""

    ENDS = [
        # program, preloaded alone, imported, by proflite record
        ("work()", "exit", "exit", "exit"),
        ("work(); proflite.stop()", "exit", "exit", "exit"),
        ("work(); sys.exit(3)", "exit", "exit", "exit"),
        ("work(); os._exit(3)", "_exit", "_exit", "_exit"),
        ("work(); proflite.stop(); os._exit(3)",
         "_exit", "stopped", "_exit"),
        ("work(); proflite.stop(); proflite.start(); os._exit(3)",
         "_exit", "_exit", "_exit"),
        ("work(); c._exit(3)", "_exit", "killed", "_exit"),
        ("work(); proflite.stop(); c._exit(3)",
         "_exit", "stopped", "_exit"),
        ("work(); os.kill(os.getpid(), 9)", "killed", "killed", "signal"),
        ("work(); proflite.stop(); os.kill(os.getpid(), 9)",
         "stopped", "stopped", "signal"),
        ("work(); os.kill(os.getpid(), 15)", "killed", "killed", "signal"),
        ("work(); os.abort()", "killed", "killed", "signal"),
        ("work(); os.execv('/bin/true', ['true'])", "exec", "exec", "exec"),
        ("work(); os.execve('/bin/true', ['true'], {})",
         "exec", "exec", "exec"),
        ("work(); os.execvp('true', ['true'])", "exec", "exec", "exec"),
        ("work(); proflite.stop(); os.execv('/bin/true', ['true'])",
         "exec", "stopped", "exec"),
        ("work(); c.execl(b'/bin/true', b'true', None)",
         "exec", "killed", "exec"),
        ("work(); c.execlp(b'true', b'true', None)",
         "exec", "killed", "exec"),
        ("work(); in_thread(os._exit, 3)", "_exit", "_exit", "_exit"),
        ("work(); in_thread(os.execv, '/bin/true', ['true'])",
         "exec", "exec", "exec"),
        ("work(); in_thread(os.kill, os.getpid(), 9)",
         "killed", "killed", "signal"),
        ("work(); daemon()", "exit", "exit", "exit"),
        ("work(); os.fork() or os._exit(0); os.wait()",
         "exit", "exit", "exit"),
        ("work(); os.fork() or c._exit(0); os.wait()",
         "exit", "exit", "exit"),
        ("work(); os.fork() or os.execv('/bin/true', ['true']); os.wait()",
         "exit", "exit", "exit"),
    ]

    HELPERS = """
        import ctypes, threading, time
        c = ctypes.CDLL(None)

        def in_thread(f, *args):
            t = threading.Thread(target=f, args=args)
            t.start()
            t.join()

        def daemon():
            lock = threading.Lock()
            lock.acquire()
            threading.Thread(target=lock.acquire, daemon=True).start()

        proflite.start()
        """

    def reason(self, db):
        """Of the first process; a child of a fork may have begun."""
        return self.rows("select p.end_reason, p.end_status "
                         "from processes p where not forked", db=db)

    def test_all_of_them(self):
        said = []
        for number, (text, *_) in enumerate(self.ENDS):
            app = self.app(textwrap.dedent(self.HELPERS) + text + "\n",
                           "app%d.py" % number)
            dbs = [self.tmp / ("%s%d.db" % (how, number))
                   for how in ("preloaded", "imported", "recorded")]
            path = {"PYTHONPATH": PACKAGE}
            self.preload([app], db=dbs[0], env=path, check=None)
            self.script(app.read_text().replace(
                "proflite.start()\n", "proflite.start(out=%r)\n"
                % str(dbs[1]), 1), "imported.py")
            self.python([self.tmp / "imported.py"], check=None)
            self.record([app], db=dbs[2], env=path, check=None)
            found = []
            for db in dbs:
                self.tool("runs", db)
                (reason, status), = self.reason(db)
                found.append(reason)
                if reason == "signal":
                    self.assertIn(status, (9, 15, 6))
            said.append((text, *found))
        self.assertEqual(said, self.ENDS)


class Environments(Identified):
    """Children with an environment of their own are recorded, and find that
    environment as it was given."""

    CHILD = """
        import os
        def second():
            pass
        second()
        print(sorted(os.environ.items()), os.environb.get(b"A"))
        """

    WAYS = """
        import ctypes, subprocess, sys, os
        c = ctypes.CDLL(None, use_errno=True)
        me, argv = sys.executable, [sys.executable, "child.py"]
        b = [os.fsencode(w) for w in argv]
        empty = (ctypes.c_char_p * 1)()
        one = (ctypes.c_char_p * 2)(b"A=b")
        words = (ctypes.c_char_p * 3)(*b)
        fd = os.open(me, os.O_RDONLY)

        def forked(f, *args):
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                f(*args)
                os._exit(1)
            assert os.waitpid(pid, 0)[1] == 0, (f, args)

        def spawned(f, *args):
            pid = ctypes.c_int()
            assert f(ctypes.byref(pid), *args) == 0
            assert os.waitpid(pid.value, 0)[1] == 0

        def cleared(f, *args):
            os.environ.clear()
            f(*args)

        forked(os.execve, me, argv, {})
        forked(os.execvpe, me, argv, {"A": "b"})
        forked(cleared, os.execv, me, argv)
        forked(cleared, os.execvp, me, argv)
        forked(os.execve, fd, argv, {})
        forked(c.execve, b[0], words, empty)
        forked(c.execve, b[0], words, None)
        forked(c.execvpe, b[0], words, one)
        forked(c.fexecve, fd, words, empty)
        forked(c.execle, b[0], b[0], b[1], None, one)
        forked(cleared, c.execl, b[0], b[0], b[1], None)
        forked(cleared, c.execlp, b[0], b[0], b[1], None)
        spawned(c.posix_spawn, b[0], None, None, words, empty)
        spawned(c.posix_spawnp, b[0], None, None, words, one)
        os.waitpid(os.posix_spawn(me, argv, {}), 0)
        subprocess.run(argv, env={}, check=True)
        subprocess.run(argv, env={}, check=True, preexec_fn=lambda: None)
        subprocess.run(argv, env={"A": "b"}, check=True)
        subprocess.run(["env", "-i", *argv], check=True)
        subprocess.run(["sh", "-c", 'exec env -i "$0" "$1"', *argv], check=True)
        subprocess.run(["env", "-i", "env"], check=True)
        """

    def test_that_are_cleaned(self):
        self.script(self.CHILD, "child.py")
        app = self.script(self.WAYS)
        bare = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), (bare.stdout, ""))
        # One line a child, and none of `env`.
        self.assertEqual(len(done.stdout.splitlines()), 20)
        self.assertNotIn("PROFLITE", done.stdout)
        self.assertEqual(self.ncalls("second"), 20)
        self.assertEqual(self.rows(
            "select count(*), count(distinct p.run_id), count(p.parent_id) "
            "from processes p where command like '%child.py'"), [(20, 1, 20)])
        self.assertEqual(self.recordings(), [])

    def test_that_are_cleaned_time_and_again(self):
        """What has been handed down unseen is handed on."""
        self.script(self.CHILD, "child.py")
        app = self.script("""
            import os, subprocess, sys
            n = int(sys.argv[1])
            subprocess.run([sys.executable, "app.py", str(n - 1)] if n else
                           [sys.executable, "child.py"], env={}, check=True)
            """)
        self.record([app, "3"])
        self.assertEqual(self.value("select count(*) from processes"), 5)
        self.assertEqual(self.ncalls("second"), 1)
        self.assertEqual(self.value(
            "with recursive line (id, n) as (select id, 0 from processes "
            "where parent_id is null union all select p.id, n + 1 from line "
            "join processes p on p.parent_id = line.id) "
            "select max(n) from line"), 4)

    def test_that_say_no(self):
        """An environment that names one of the variables is left alone."""
        self.script(self.CHILD, "child.py")
        app = self.script("""
            import os, subprocess, sys
            argv = [sys.executable, "child.py"]
            subprocess.run(argv, env={"LD_PRELOAD": ""}, check=True)
            env = dict(os.environ)
            env.pop("LD_PRELOAD", None)
            subprocess.run(argv, env=env, check=True,
                           stdout=subprocess.DEVNULL)
            """)
        bare = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), (bare.stdout, ""))
        self.assertIn("('LD_PRELOAD', '')", done.stdout)
        self.assertEqual(self.value("select count(*) from processes"), 1)

    def test_failures_are_the_same(self):
        app = self.script("""
            import ctypes, os, subprocess, sys
            c = ctypes.CDLL(None, use_errno=True)
            empty = (ctypes.c_char_p * 1)()
            for f, args in ((c.execve, (b"/nowhere", empty, empty)),
                            (c.execvpe, (b"nowhere", empty, empty)),
                            (c.execle, (b"/nowhere", b"x", None, empty)),
                            (c.execl, (b"/nowhere", b"x", None)),
                            (c.execlp, (b"nowhere", b"x", None)),
                            (c.fexecve, (99, empty, empty)),
                            (c.posix_spawn, (None, b"/nowhere", None, None,
                                             empty, empty))):
                ctypes.set_errno(0)
                print(f.__name__, f(*args), ctypes.get_errno())
            for env in {}, {"A": "b"}:
                try:
                    subprocess.run(["/nowhere"], env=env)
                except OSError as e:
                    print(e)
            """)
        bare = self.command([self.py.path, app])
        done = self.record([app])
        self.assertEqual((done.stdout, done.stderr), (bare.stdout, ""))
        self.assertEqual(self.rows("select end_reason from processes"),
                         [("exit",)])

    def test_library_that_the_child_cannot_load(self):
        """In another root it is not there: the loader would complain."""
        if os.geteuid():
            self.skipTest("only root can change the root folder")
        app = self.script("""
            import os, shutil, subprocess, sys
            os.makedirs("root/bin")
            shutil.copy(sys.argv[1], "root/bin/ld.so")
            def enter():
                os.chroot("root")
            done = subprocess.run(["/bin/ld.so", "--version"], env={},
                                  preexec_fn=enter, capture_output=True)
            print(done.returncode, done.stderr)
            # One program that is linked with nothing but the C library.
            for n in sys.argv[2:]:
                os.makedirs("root" + os.path.dirname(n), exist_ok=True)
                shutil.copy(n, "root" + n)
            done = subprocess.run(["/bin/true"], env={}, preexec_fn=enter,
                                  capture_output=True)
            print(done.returncode, done.stderr)
            """)
        libraries = [word for word in self.command(
            ["ldd", "/bin/true"]).stdout.split() if word.startswith("/")]
        done = self.record([app, libraries[-1], "/bin/true", *libraries])
        self.assertEqual((done.stdout, done.stderr),
                         ("0 b''\n0 b''\n", ""))


class Users(Identified):
    """The user at the end is not the user at the start."""

    APP = """
        import signal
        %s
        for i in range(3):
            pid = os.fork()
            if not pid:
                work()
                %s
            os.waitpid(pid, 0)
        """
    DROP = "os.setgid(NOBODY); os.setuid(NOBODY)"
    DIE = "os.kill(os.getpid(), signal.SIGKILL)"

    def setUp(self):
        self.db = self.tmp / "users.db"
        if os.geteuid():
            self.skipTest("only root can become another user")
        # Another one in each test that runs at the same time, for this user's
        # folder is the same in all of them.
        self.nobody = 10 ** 6 + os.getpid()
        self.folder = Path("/tmp/proflite-%d" % self.nobody)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def dropping(self, drop=DROP, end=DIE):
        return self.script(textwrap.dedent(LEAF).replace(
            "import proflite\n", "NOBODY = %d\n" % self.nobody) +
            textwrap.dedent(self.APP) % (drop, end))

    def foreign(self):
        """What is left for this test's database in the other user's folder."""
        found = self.folder.iterdir() if self.folder.exists() else ()
        return [p.name for p in found if p.name.startswith(self.db.name + ".")
                and str(self.db).encode() in p.read_bytes()]

    def check_all_arrived(self, processes=4):
        self.assertEqual(self.ncalls("leaf"), 3000)
        self.assertEqual(self.rows(
            "select count(*), count(distinct run_id), count(parent_id) "
            "from processes"), [(processes, 1, processes - 1)])
        self.assertEqual(self.foreign(), [])
        self.assertEqual(self.recordings(), [])

    def test_workers_that_are_killed(self):
        done = self.record([self.dropping()])
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.check_all_arrived()

    def test_workers_that_exit(self):
        """The database is not theirs to open: the launcher comes after them,
        and nothing is said."""
        for end in "sys.exit()", "os._exit(0)":
            done = self.record([self.dropping(end=end)])
            self.assertEqual((done.stdout, done.stderr), ("", ""))
            self.check_all_arrived()
            self.db.unlink()

    def test_effective_user_only(self):
        """A process that is root at heart leaves root's folder alone."""
        done = self.record([self.dropping("os.seteuid(NOBODY)")])
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.check_all_arrived()
        if os.path.exists("/tmp/proflite-0"):
            self.assertEqual(os.stat("/tmp/proflite-0").st_uid, 0)

    def test_runtime_folder_of_the_first_user(self):
        runtime = self.tmp / "runtime"
        runtime.mkdir(mode=0o700)
        done = self.record([self.dropping()],
                           env={"XDG_RUNTIME_DIR": runtime})
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.check_all_arrived()
        self.assertEqual(list(runtime.iterdir()), [])

    def test_without_a_launcher(self):
        """Each process reports in one line where its recording is, and root's
        next command takes them in."""
        for end in self.DIE, "sys.exit()":
            done = self.preload([self.dropping(end=end)])
            *lines, last = done.stderr.splitlines()
            self.assertRegex(last, "^proflite: cannot (open|load) .*; the "
                             "recording stays in %s" % self.db)
            self.assertEqual(len(lines), 3, lines)
            for line in lines:
                self.assertRegex(line, r"^proflite: cannot create \S+: "
                                 r"Permission denied; recording in "
                                 r"%s/\S+ instead$" % self.folder)
            self.assertEqual(len(self.foreign()), 3)
            self.assertEqual(self.tool("runs", self.db).stderr, "")
            self.check_all_arrived()
            self.db.unlink()

    def refused(self, n):
        done = self.tool("runs", self.db)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), n, done.stderr)
        for line in lines:
            self.assertRegex(line, r"%s/\S+ is left out: it belongs to user "
                             "%d, and not to a run that is in the database$"
                             % (self.folder, self.nobody))
        self.assertEqual(len(self.foreign()), n)

    def test_planted_recordings(self):
        """What another user has put there, of a run that root has not begun,
        stays out of root's database."""
        self.record(["-c", "pass"])
        self.preload([self.dropping()])
        for name in self.recordings():
            (self.tmp / name).unlink()
        self.addCleanup(self.remove_foreign)
        self.refused(3)
        self.assertEqual(self.value("select count(*) from processes"), 1)
        # Nor does a run let in those of another.
        self.record(["-c", "pass"])
        self.refused(3)
        self.assertEqual(self.value("select count(*) from processes"), 2)

    def test_database_that_others_can_read(self):
        """They know its runs."""
        self.preload([self.dropping(end="os._exit(0)")])
        self.addCleanup(self.remove_foreign)
        kept = [self.folder / n for n in self.foreign()]
        text = [p.read_bytes() for p in kept]
        self.tool("runs", self.db)
        self.check_all_arrived()
        os.chmod(self.db, 0o644)
        for path, data in zip(kept, text):
            path.write_bytes(data)
            os.chown(path, self.nobody, self.nobody)
        self.refused(3)

    def remove_foreign(self):
        for name in self.foreign():
            (self.folder / name).unlink()

    def test_folder_that_is_a_link(self):
        """It is not followed: it would lead anywhere."""
        self.preload([self.dropping()])
        folder = Path("/tmp/proflite-%d" % (10 ** 7 + self.nobody))
        names = self.foreign()
        self.assertEqual(len(names), 3)
        away = self.tmp / "away"
        away.mkdir(mode=0o700)
        for name in names:
            os.rename(self.folder / name, away / name)
        os.chown(away, self.nobody, self.nobody)
        folder.symlink_to(away)
        self.addCleanup(folder.unlink)
        self.tool("runs", self.db)
        self.assertEqual(self.value("select count(*) from processes"), 1)
        self.assertEqual(sorted(os.listdir(away)), sorted(names))

    def test_program_that_another_user_starts(self):
        """No process of the run is root's."""
        other = ["setpriv", "--reuid=%d" % self.nobody,
                 "--regid=%d" % self.nobody, "--clear-groups"]
        if subprocess.run([*other, self.py.path, "-c", "pass"],
                          env=self.environment({"LD_PRELOAD": LIBRARY}),
                          capture_output=True).stderr:
            self.skipTest("another user cannot read this Python, or proflite")
        app = self.dropping(drop="")
        os.chmod(self.tmp, 0o711)
        done = self.command([TOOL, "record", "-o", self.db, "--", *other,
                             self.py.path, app])
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        self.check_all_arrived()


class Namespaces(Identified):
    """Whether a process lives is known in every pid namespace."""

    INSIDE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

    APP = """
        import ctypes, glob, os, shutil, sys

        def leaf():
            pass

        def work():
            for _ in range(1000):
                leaf()

        def backup():
            for name in glob.glob("*.plrec"):
                shutil.copy(name, "copy")
            os.closerange(3, 5000)

        def drop_lock():
            # The page that holds the lock; and the word that there was one.
            for line in open("/proc/self/maps"):
                if "---s" in line and ".plrec" in line:
                    begin, end = (int(n, 16) for n in
                                  line.split()[0].split("-"))
                    ctypes.CDLL(None).munmap(ctypes.c_void_p(begin),
                                             ctypes.c_size_t(end - begin))
            name, = glob.glob("*.plrec")
            with open(name, "r+b") as f:
                f.seek(108)
                flags = int.from_bytes(f.read(4), sys.byteorder)
                f.seek(108)
                f.write((flags & ~(1 << 9)).to_bytes(4, sys.byteorder))

        work()
        %s()
        while True:
            print("ready", flush=True)
            if not sys.stdin.readline():
                break
            work()
        """

    def setUp(self):
        # Of that name nothing else is in the fallback folders.
        self.db = self.tmp / "namespaces.db"
        if os.geteuid():
            self.skipTest("only root can make a pid namespace")
        done = self.command([*self.INSIDE, "true"], check=None)
        if done.returncode:
            self.skipTest("no pid namespace can be made: " + done.stderr)

    def start(self, trick, *prefix):
        """The writer, once it has done @trick."""
        app = self.script(self.APP % trick)
        p = subprocess.Popen(
            [*prefix, self.py.path, str(app)], cwd=self.tmp,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=self.environment(self.preloading()))
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stdin.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline(), b"ready\n")
        return p

    def more(self, p):
        p.stdin.write(b"\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"ready\n")

    def is_alive(self, *prefix):
        """What a command says, and that it leaves the recording alone."""
        before = self.recordings()
        done = self.command([*prefix, TOOL, "report", self.db], check=1)
        self.assertIn("1 process is still recorded for it", done.stderr)
        self.assertEqual(self.recordings(), before)
        self.assertEqual(len(before), 1)

    def end(self, p):
        p.kill()
        p.wait()

    def has_all(self, n, end="killed"):
        self.assertEqual(self.ncalls("leaf"), n)
        self.assertEqual(self.rows("select end_reason from processes"),
                         [(end,)])

    def test_container_that_copies_its_recording(self):
        p = self.start("backup", *self.INSIDE)
        self.is_alive()
        self.is_alive(*self.INSIDE)
        self.more(p)
        self.is_alive()
        self.end(p)
        self.eventually(self.gone)
        self.has_all(2000)

    def gone(self):
        # unshare is dead; its child is a moment later.
        self.tool("runs", self.db, check=None)
        return not self.recordings()

    def test_reader_in_a_container(self):
        """That it sees no process means nothing; that the lock is free does."""
        p = self.start("backup")
        self.is_alive(*self.INSIDE)
        self.more(p)
        self.end(p)
        self.command([*self.INSIDE, TOOL, "runs", self.db])
        self.has_all(2000)
        self.assertEqual(self.recordings(), [])

    def test_container_without_a_lock(self):
        """The host sees the processes of the container."""
        p = self.start("drop_lock", *self.INSIDE)
        self.is_alive()
        self.more(p)
        self.is_alive()
        self.end(p)

    def test_reader_in_a_container_without_a_lock(self):
        """It cannot tell: the database gets what there is, and the recording
        stays for whoever can."""
        p = self.start("drop_lock")
        for n in 1, 2, 3:
            done = self.command([*self.INSIDE, TOOL, "runs", self.db])
            self.assertEqual(done.stderr, "")
            self.has_all(1000 * n, "running")
            self.assertEqual(len(self.recordings()), 1)
            self.more(p)
        self.end(p)
        self.command([*self.INSIDE, TOOL, "runs", self.db])
        self.has_all(4000, "running")
        self.assertEqual(len(self.recordings()), 1)
        self.tool("runs", self.db)
        self.has_all(4000)
        self.assertEqual(self.recordings(), [])

    def test_new_namespace_with_the_old_proc(self):
        """The numbers in /proc are not those that its processes have."""
        p = self.start("drop_lock", "unshare", "--pid", "--fork",
                       "--kill-child")
        self.is_alive()
        self.is_alive("unshare", "--pid", "--fork")
        self.end(p)
