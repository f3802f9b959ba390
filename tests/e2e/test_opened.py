# SPDX-License-Identifier: MIT
"""Programs that open libpython with dlopen: those that PyInstaller makes,
mod_wsgi, PL/Python, editors."""

import json
import os

from harness import Case

HOW = """
import json, os, sysconfig
v = sysconfig.get_config_vars()
folders = [v["LIBDIR"], os.path.join(v["LIBDIR"], v.get("MULTIARCH") or "")]
print(json.dumps([path for path in (
    os.path.join(folder, v["INSTSONAME"]) for folder in folders)
    if v["INSTSONAME"].startswith("libpython") and ".so" in v["INSTSONAME"]
    and os.path.exists(path)]))
"""

APP = """
def square(n):
    return n * n
def work(n):
    return sum(map(square, range(n)))
work(10)
"""


class Opened(Case):
    def setUp(self):
        found = json.loads(self.command([self.py.path, "-c", HOW]).stdout)
        if not found:
            self.skipTest("Python %s has no shared library" % self.py.name)
        self.library = found[0]
        self.command([self.compiler(), "-Wall", "-Werror", "-o", "opens",
                      self.program("opens.c"), "-ldl"])
        self.home = {"PYTHONHOME": self.command(
            [self.py.path, "-c", "import sys; print(sys.base_prefix)"]
            ).stdout.strip()}
        self.script(APP, "app.txt")
        self.python(["-c", "import marshal; open('app.bin', 'wb').write("
                     "marshal.dumps(compile(open('app.txt').read(), 'app', "
                     "'exec')))"])

    def check(self, scope, kind, times, recorded):
        words = ["./opens", self.library, scope, kind, times,
                 "app.txt" if kind == "source" else "app.bin"]
        plain = self.command(words, self.home)
        done = recorded(words)
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertEqual(self.rows("select end_reason from processes"),
                         [("exit",)] * times)
        self.assertEqual(self.rows(
            "select function, ncalls from pstats "
            "where function in ('work', 'square') order by 1"),
            [("square", 10 * times), ("work", times)])
        self.db.unlink()
        self.assertEqual([n for n in os.listdir(self.tmp) if "plrec" in n], [])

    def test_each_way(self):
        for scope in "global", "local":
            for kind in "source", "frozen":
                with self.subTest(scope=scope, kind=kind):
                    self.check(scope, kind, 1, lambda words: self.command(
                        words, {**self.preloading("clock=step"),
                                **self.home}))
                    self.check(scope, kind, 1, lambda words: self.tool(
                        "record", "-o", self.db, "--", *words, env=self.home))

    def test_twice(self):
        for kind in "source", "frozen":
            self.check("global", kind, 2, lambda words: self.tool(
                "record", "-o", self.db, "--", *words, env=self.home))

    def test_library_that_stays_unused(self):
        """Opened and closed, and no Python in it is run."""
        (self.tmp / "plain.c").write_text("""
            #include <dlfcn.h>
            #include <pthread.h>
            #include <stdio.h>
            int main(int argc, char **argv)
            {
                pthread_key_t key;
                void *p = dlopen(argv[1], RTLD_NOW);
                pthread_key_create(&key, NULL);
                for (int i = 0; i < 1000; i++)
                    pthread_setspecific(key, &key);
                dlclose(p);
                puts(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) ? "is" : "gone");
                return 3;
            }
            """)
        self.command([self.compiler(), "-w", "-o", "plain", "plain.c", "-ldl",
                      "-pthread"])
        plain = self.command(["./plain", self.library], check=3)
        done = self.command(["./plain", self.library], self.preloading(),
                            check=3)
        self.assertEqual((done.stdout, done.stderr),
                         (plain.stdout, plain.stderr))
        self.assertFalse(self.db.exists())
