# SPDX-License-Identifier: MIT
"""Which process a recording belongs to: uuids after forks, users, namespaces,
environments, and how a process ended."""

import textwrap

from harness import PACKAGE, Case

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
