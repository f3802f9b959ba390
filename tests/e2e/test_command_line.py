# SPDX-License-Identifier: MIT
"""The `proflite` program as a command among commands: what it refuses and how,
how `record` starts and ends, and that the manual page knows all of it."""

import marshal
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time

from harness import COMMAND_SECONDS, SOURCE, TOOL, Case, once

class Refusals(Case):
    """One clear line on stderr, nothing on stdout, 2 for usage and else 1."""

    def refused(self, status, *words, says, **kwargs):
        done = self.tool(*words, check=status, **kwargs)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertTrue(done.stderr.startswith("proflite"), done.stderr)

    @once
    def test_usage(self):
        for words, says in [
                (["reprot"], '"reprot"'),
                (["help", "reprot"], '"reprot"'),
                (["report", "--colour"], "--colour"),
                (["report", "-z"], "-z"),
                (["report", "--reverse=1"], "--reverse"),
                (["report", "--sort"], "KEY"),
                (["report", "-s", "size"], "cumulative"),
                (["report", "-s", "c"], "ambiguous"),
                (["report", "-n", "x"], "-n x"),
                (["report", "--run", "last"], "--run=last"),
                (["export"], "pstats"),
                (["export", "-f", "svg"], "pstats"),
                (["export", "a.db", "b.db"], "b.db"),
                (["runs", "a.db", "b.db"], "b.db"),
                (["import"], "FILE"),
                (["record"], "command"),
                (["runs", ""], '"" is no database'),
                (["report", "--run"], "--run wants its ID"),
                (["report", "--columns=min,max,min"], "min is there twice"),
                (["export", "-f", "csv", "-o", ""], "--output=: want the name"),
                (["push", "http://"], "such as http://HOST"),
                (["tree", "-n", "0.5"], "-n 0.5: want a whole number"),
                (["tree", "--depth=1e3"], "--depth=1e3: want a whole number"),
                (["tree", "--min-percent=101"], "0 to 100"),
                (["runs", "x.db", "a\nb\x1b[31m\x9b"], "is a?b?[31m??"),
                (["record", "--clock=sun", "true"], "wall, cpu or step"),
                (["record", "--max-nodes=many", "true"], "whole number")]:
            with self.subTest(words):
                self.refused(2, *words, says=says)

    @once
    def test_no_database(self):
        self.refused(1, "report", says="proflite record")
        self.refused(1, "runs", "x.db", says="x.db")
        self.refused(1, "callers", "some/where", says="some/where")
        self.refused(1, "export", "-f", "pstats", "-o", "x", "x.db", says="x.db")
        self.assertEqual(os.listdir(self.tmp), [])

    def foreign(self):
        """Files that are no database of ours: {path: what a line says}"""
        text = self.tmp / "text.db"
        text.write_text("This is no database, but it is long enough. " * 99)
        other = self.tmp / "other.db"
        with sqlite3.connect(other) as c:
            c.execute("create table t (x)")
            c.execute("pragma application_id = 1")
        c.close()
        return [text, other]

    @once
    def test_foreign_databases_are_refused_and_left_alone(self):
        for path in self.foreign():
            before = path.read_bytes()
            self.refused(1, "report", path, says=path.name)
            self.refused(1, "record", "-o", path, "--", "touch", "ran",
                         says=path.name)
            self.assertEqual(path.read_bytes(), before)
        self.assertFalse((self.tmp / "ran").exists())

    @once
    def test_a_newer_database(self):
        self.record(["-c", "pass"])
        with sqlite3.connect(self.db) as c:
            c.execute("pragma user_version = 99")
        c.close()
        self.refused(1, "report", self.db, says=self.db.name)
        self.refused(1, "record", "-o", self.db, "--", "touch", "ran",
                     says=self.db.name)
        self.assertFalse((self.tmp / "ran").exists())

    @once
    def test_a_run_that_is_not_there(self):
        self.record(["-c", "pass"])
        self.refused(1, "report", "--run=7", self.db, says="7")
        self.refused(1, "export", "-f", "pstats", "-o", "x", "--run=7", self.db,
                     says="7")
        self.assertFalse((self.tmp / "x").exists())

    @once
    def test_folders_that_cannot_hold_a_database(self):
        for path in "/proc/x.db", "no/such/x.db", self.tmp:
            self.refused(1, "record", "-o", path, "--", "touch", "ran",
                         says=os.path.dirname(path))
        self.assertEqual(os.listdir(self.tmp), [])

    @once
    def test_commands_that_cannot_run(self):
        plain = self.tmp / "plain"
        plain.write_text("")
        self.refused(127, "record", "--", "./nothing", says="./nothing")
        self.refused(127, "record", "--", "no-such-program", says="no-such")
        self.refused(126, "record", "--", plain, says="plain")
        self.refused(126, "record", "--", self.tmp, says=str(self.tmp))
        self.assertEqual(os.listdir(self.tmp), ["plain"])

    @once
    def test_a_wrong_expression_is_said_beside_the_table(self):
        self.record(["-c", "pass"])
        done = self.tool("report", self.db, "(", check=2)
        self.assertIn("<Invalid regular expression '('>", done.stdout)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    @once
    def test_files_that_are_no_profiles(self):
        good = self.tmp / "good.prof"
        good.write_bytes(marshal.dumps({("a.py", 1, "f"): (1, 1, .1, .1, {})}))
        for name, content in [("empty", b""), ("cut", good.read_bytes()[:-9]),
                              ("text", b"hello"), ("dict", b"{NN0"),
                              ("nested", b"(\1\0\0\0" * 100000)]:
            path = self.tmp / name
            path.write_bytes(content)
            self.refused(1, "import", "-o", self.db, good, path,
                         says=name + " is not a file that cProfile writes")
        self.refused(1, "import", "-o", self.db, "absent.prof", says="absent")
        self.refused(1, "import", "-o", "", good, says='"" names no file')
        self.assertFalse(self.db.exists())


class Output(Case):
    @once
    def test_a_full_disk_is_said(self):
        self.record(["-c", "pass"])
        with open("/dev/full", "w") as full:
            for words in ["report"], ["runs"], ["help"], ["export", "-f",
                                                         "pstats"]:
                done = self.tool(*words, check=1, stdout=full)
                self.assertIn("No space left", done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    @once
    def test_a_reader_that_leaves_is_no_failure_worth_a_line(self):
        self.record(["-c", "pass"])
        for words in ["report", "-n0"], ["export", "-f", "pstats"]:
            reader, writer = os.pipe()
            os.close(reader)
            done = self.tool(*words, stdout=writer, check=None,
                             preexec_fn=lambda: signal.signal(
                                 signal.SIGPIPE, signal.SIG_IGN))
            os.close(writer)
            self.assertEqual(done.stderr, "")

    @once
    def test_what_a_signal_interrupts_leaves_nothing(self):
        # A minute's work: every sample is as long as its path.
        self.record([self.script("""
            import sys, threading
            sys.setrecursionlimit(10**6)
            threading.stack_size(2**29)
            def f(n):
                return n and f(n - 1)
            thread = threading.Thread(target=f, args=(100000,))
            thread.start()
            thread.join()
            """)], options="clock=step,builtins=no")
        there = sorted(os.listdir(self.tmp))
        for s in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            p = subprocess.Popen(
                [TOOL, "export", "-o", "out.pb.gz", self.db],
                env=self.environment(), cwd=self.tmp, preexec_fn=lambda:
                signal.signal(s, signal.SIG_DFL))
            while p.poll() is None and sorted(os.listdir(self.tmp)) == there:
                time.sleep(.01)
            p.send_signal(s)
            self.assertEqual(p.wait(), -s)
            self.assertEqual(sorted(os.listdir(self.tmp)), there)
        # So does a limit of file size, which is an error.
        done = self.tool("export", "-o", "out.json", self.db, check=1,
                         preexec_fn=lambda: resource.setrlimit(
                             resource.RLIMIT_FSIZE, (8192, 8192)))
        self.assertRegex(done.stderr, r"^proflite export: cannot write \S*out"
                         r"\.json: File too large\n$")
        self.assertEqual(sorted(os.listdir(self.tmp)), there)

    @once
    def test_a_signal_that_comes_as_soon_as_the_file_is_there(self):
        self.record(["-c", "pass"])
        there = sorted(os.listdir(self.tmp))
        source = self.tmp / "mkstemp.c"
        source.write_text("""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <signal.h>
            static int make(const char *name, char *path)
            {
                int (*real)(char *) = dlsym(RTLD_NEXT, name);
                int fd = real(path);
                raise(SIGTERM);
                return fd;
            }
            int mkstemp(char *path) { return make("mkstemp", path); }
            int mkstemp64(char *path) { return make("mkstemp64", path); }
            """)
        library = self.library(source, "mkstemp.so")
        self.tool("export", "-o", "out.json", self.db,
                  env={"LD_PRELOAD": library}, check=-signal.SIGTERM)
        source.unlink()
        library.unlink()
        self.assertEqual(sorted(os.listdir(self.tmp)), there)

    @once
    def test_an_exported_file_is_replaced_as_a_whole(self):
        self.record(["-c", "pass"])
        out = self.tmp / "out.prof"
        out.write_text("old")
        link = self.tmp / "link.prof"
        link.symlink_to("out.prof")
        self.tool("export", "-o", link, "--run=5", self.db, check=1)
        self.assertEqual(out.read_text(), "old")
        self.tool("export", "-o", link, self.db)
        self.assertTrue(link.is_symlink())
        self.assertIn("<string>", {file for file, line, name in
                                   marshal.loads(out.read_bytes())})
        self.assertEqual(sorted(os.listdir(self.tmp)),
                         ["link.prof", "out.prof", "proflite.db"])
        self.assertEqual(self.tool("export", "-f", "pstats", "-o-", self.db,
                                   stdout=open(self.tmp / "x", "wb")).stdout,
                         None)
        self.assertEqual((self.tmp / "x").read_bytes(), out.read_bytes())


class Record(Case):
    """The command is run as if we were not there."""

    @once
    def test_exit_status_and_output(self):
        app = self.script("import sys; print('out'); sys.exit(3)\n")
        done = self.record([app], check=3)
        self.assertEqual((done.stdout, done.stderr), ("out\n", ""))

    @once
    def test_input(self):
        app = self.script("import sys; print(sys.stdin.read().upper())\n")
        self.assertEqual(self.record([app], input="abc").stdout, "ABC\n")

    @once
    def test_death_by_signal(self):
        for name in "SIGKILL", "SIGTERM", "SIGSEGV", "SIGINT":
            app = self.script("""
                import os, signal, sys
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.kill(os.getpid(), signal.%s)
                """ % name)
            done = self.record([app], check=-getattr(signal, name))
            self.assertEqual((done.stdout, done.stderr), ("", ""))
        ends = self.rows("select end_status from processes order by id")
        self.assertEqual(ends, [(9,), (15,), (11,), (2,)])
        self.assertNotIn("core", os.listdir(self.tmp))

    @once
    def test_signals_reach_the_command(self):
        app = self.script("""
            import signal, sys, time
            seen = []
            # It does not raise: 3.13 and later lose an exception of a handler
            # now and then while anything uses sys.monitoring, cProfile too.
            for s in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
                signal.signal(s, lambda number, frame: seen.append(number))
            print("ready", flush=True)
            while not seen:     # a pause() might begin just after the signal
                time.sleep(.05)
            # One that is sent to the whole group comes from record as well,
            # and would end Python by its default action while it finalises.
            signal.signal(seen[0], signal.SIG_IGN)
            sys.exit(seen[0])
            """)

        def not_ignored():      # as it is where nohup runs the tests
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

        for s, whole_group in [(signal.SIGTERM, False), (signal.SIGHUP, False),
                               (signal.SIGINT, True)]:
            p = subprocess.Popen(
                [TOOL, "record", "-o", self.db, "--", self.py.path, app],
                stdout=subprocess.PIPE, env=self.environment(), cwd=self.tmp,
                start_new_session=True, preexec_fn=not_ignored)
            self.assertEqual(p.stdout.readline(), b"ready\n")
            (os.killpg if whole_group else os.kill)(p.pid, s)
            self.assertEqual(p.wait(COMMAND_SECONDS), s)
            p.stdout.close()

    @once
    def test_signal_dispositions_are_passed_on(self):
        app = self.script("""
            import signal
            print([signal.getsignal(s) for s in range(1, 32)
                   if s not in (9, 19)], signal.pthread_sigmask(0, []))
            """)
        def set_up():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        plain = self.command([self.py.path, app], preexec_fn=set_up)
        done = self.record([app], preexec_fn=set_up)
        self.assertEqual(done.stdout, plain.stdout)

    @once
    def test_children_left_behind_are_not_waited_for(self):
        done = self.tool("record", "-o", self.db, "--", "sh", "-c",
                         "sleep 3600 >/dev/null 2>&1 & echo $!; exit 4",
                         check=4)
        os.kill(int(done.stdout), 0)            # it is there

    @once
    def test_what_is_preloaded_already_stays(self):
        done = self.tool("record", "-o", self.db, "--", "sh", "-c",
                         'echo "$LD_PRELOAD"',
                         env={"LD_PRELOAD": "libc.so.6"})
        self.assertRegex(done.stdout, r"^/.*libproflite\.so[^:]*:libc\.so\.6$")

    @once
    def test_options_reach_the_recording(self):
        self.record(["-c", "len('')"], ["--clock=step", "--no-builtins",
                                        "--label=a, b\\c", "--max-nodes=9999"])
        self.assertEqual(self.rows("""
            select label, clock, builtins, max_nodes
            from runs join processes on run_id = runs.id"""),
            [("a, b\\c", "step", 0, 9999)])

    @once
    def test_runs_are_added(self):
        for i in range(3):
            self.record(["-c", "pass"], ["--label=run %d" % i])
        lines = self.tool("runs").stdout.splitlines()
        self.assertEqual(len(lines), 4)
        for i, line in enumerate(lines[1:]):
            self.assertRegex(line, r"^ *%d  .* exit 0 .*run %d" % (i + 1, i))

    @once
    def test_report_at_the_end(self):
        app = self.script("def f(): pass\nf()\nprint('out')\n")
        done = self.record([app], ["--report"])
        self.assertEqual(done.stdout, "out\n" + self.tool("report").stdout)

    @once
    def test_a_run_that_goes_on_is_listed(self):
        app = self.script("""
            import sys
            print("ready", flush=True)
            sys.stdin.read()
            """)
        p = subprocess.Popen(
            [TOOL, "record", "-o", self.db, "--", self.py.path, app],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.tmp,
            env=self.environment(), start_new_session=True)
        self.assertEqual(p.stdout.readline(), b"ready\n")
        # A run that is over, or there would be no database to list.
        self.record(["-c", "pass"])
        lines = self.tool("runs").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[2], r"recording \(pid \d+\).*app\.py")
        p.communicate(b"")
        self.assertEqual(p.returncode, 0)
        self.assertEqual(len(self.tool("runs").stdout.splitlines()), 3)


class Manual(Case):
    """The pages name every command, option, key and format, and no other."""

    def page(self, name="proflite"):
        text = (SOURCE / "doc" / (name + ".1")).read_text(encoding="utf-8")
        return re.sub(r"\\f[BIR]", "", text.replace("\\-", "-"))

    def section(self, name):
        """From .SH @name to the next one."""
        match = re.search(r"^\.SH %s\n(.*?)(?=^\.SH |\Z)" % name,
                          self.page(), re.M | re.S)
        self.assertTrue(match, "no section %s" % name)
        return match.group(1)

    def commands(self):
        return re.findall(r"^  (\w+) +[a-z]", self.tool("help").stdout.split(
            "commands:")[1], re.M)

    @once
    def test_names_every_command(self):
        commands = sorted(c for c in self.commands() if c != "help")
        for section in "COMMANDS", "SEE ALSO":
            self.assertEqual(
                sorted(re.findall(r"^\.BR proflite-(\w+) \(1\)",
                                  self.section(section), re.M)), commands)
        self.assertEqual(sorted(p.stem for p in (SOURCE / "doc").glob("*.1")),
                         ["proflite"] + ["proflite-" + c for c in commands])

    @once
    def test_each_page_says_what_help_says(self):
        summaries = re.findall(r"^  (\w+) +([a-z].*)$", self.tool(
            "help").stdout.split("commands:")[1], re.M)
        for command, summary in summaries:
            if command == "help":
                continue
            page = self.page("proflite-" + command)
            self.assertIn("\nproflite-%s - %s\n" % (command, summary), page)
            self.assertIn("\n.TH PROFLITE-%s 1 " % command.upper(), page)
            self.assertIn("\n.B proflite %s\n" % command, page)

    @once
    def test_names_every_option(self):
        for command in self.commands():
            if command == "help":
                continue
            said = set(re.findall(r"--[a-z][a-z-]*",
                                  self.tool("help", command).stdout))
            manual = set(re.findall(
                r"(?<![\w\"])--[a-z][a-z-]*",
                re.sub(r"^\.BR? \"proflite.*$", "", self.page(
                    "proflite-" + command), flags=re.M)))
            if command in ("callers", "callees"):
                self.assertEqual(manual, set())
                report = set(re.findall(r"--[a-z][a-z-]*",
                                        self.tool("help", "report").stdout))
                self.assertEqual(said | {"--callers", "--callees"}, report)
            else:
                self.assertEqual(said, manual, command)

    @once
    def test_names_every_sort_key(self):
        keys = re.search(r"^KEY:.*?\n(.*?)\n\n", self.tool("help", "report")
                         .stdout, re.M | re.S).group(1)
        listed = set(re.findall(r"^  (\w+)", keys, re.M)) | set(
            re.findall(r"also: (-?\d)", keys))
        heads = re.findall(r"^\.TP\n\.BR? (.*)$", self.section("SORT KEYS"),
                           re.M)
        self.assertEqual({w for h in heads for w in re.findall(r"-?\w+", h)},
                         listed)

    @once
    def test_names_every_format(self):
        formats = self.tool("help", "export").stdout.split("FORMAT:\n")[1]
        for name, suffix in re.findall(r"^  (\w+) +(\.\S+)", formats, re.M):
            self.assertRegex(self.page("proflite-export"),
                             r"\.BR %s \" \(\" %s " % (name, re.escape(suffix)))

    @once
    def test_help_fits_a_terminal(self):
        commands = [c for c in self.commands() if c != "help"]
        for words in [["help"], ["help", "options"],
                      *[["help", c] for c in commands],
                      *[[c, "--help"] for c in commands]]:
            for line in self.tool(*words).stdout.splitlines():
                self.assertLessEqual(len(line), 80, line)
                self.assertEqual(line, line.rstrip())
