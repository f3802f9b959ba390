# SPDX-License-Identifier: MIT
"""The plugin for pytest: doc/pytest.md says what it does.

Each test's call is a scope of its own in one profile of the process, which is
saved when the session ends; workers of pytest-xdist are processes of the
controller's run.  The engine is imported by the first test that wants it.
"""

import json
import os
import sys
import uuid

import pytest

from . import _tool

DEFAULT_DB = "proflite.db"
# A recording in memory is not to grow with the number of tests.  What is saved
# on the way becomes a process row of its own.
FLUSH_BYTES = 64 << 20

# pytest loads us wherever we are installed: what is too old for us still has to
# run as ever, as long as we are not asked for anything.
try:
    _around = pytest.hookimpl(wrapper=True, trylast=True)
    _is_too_old = False
except TypeError:               # of pluggy before 1.2
    _around = pytest.hookimpl(trylast=True)
    _is_too_old = True


def _need_wrappers(what):
    if _is_too_old:
        raise pytest.UsageError(
            "%s wants pytest 8, or one with pluggy 1.2: this is pytest %s"
            % (what, pytest.__version__))


def pytest_addoption(parser):
    group = parser.getgroup("proflite", "calls and times of each test")
    group.addoption(
        "--proflite", dest="proflite_db", nargs="?", const=DEFAULT_DB,
        metavar="DB", help="profile each test, into this database (default: "
        "%s), and print the slowest functions" % DEFAULT_DB)
    group.addoption(
        "--proflite-label", metavar="LABEL", help="name the run")
    group.addoption(
        "--proflite-compare", metavar="LABEL",
        help="fail unless the tests call no function more often than the runs "
        "of that label do (DB:LABEL: in another database)")
    group.addoption(
        "--proflite-fail-if", metavar="EXPR", action="append",
        help="what --proflite-compare fails on, as in `proflite diff "
        "--fail-if' (default: 'ncalls > +0%%'); may be repeated")
    group.addoption(
        "--proflite-only", metavar="RE",
        help="compare only functions that match, as in `proflite diff --only'")
    group.addoption(
        "--proflite-lines", metavar="N", type=int, default=10,
        help="how many functions to print, 0 for all (default: 10)")


def _database(config):
    """The database asked for, or None; usage errors end the session."""
    option = config.getoption
    # Of a variable that is not set, say: no gate is to pass for that.
    for name, what in (("", "database"), ("-compare", "label"),
                       ("-only", "regular expression")):
        if option("--proflite" + name) == "":
            raise pytest.UsageError("--proflite%s=: want a %s" % (name, what))
    if option("proflite_lines") < 0:
        raise pytest.UsageError("--proflite-lines=%d: want a whole number, 0 "
                                "for all" % option("proflite_lines"))
    base = option("proflite_compare")
    db = option("proflite_db") or (DEFAULT_DB if base else None)
    if not db:
        for name in "label", "fail_if", "only":
            if option("proflite_" + name):
                raise pytest.UsageError("--proflite-%s needs --proflite"
                                        % name.replace("_", "-"))
        return None
    # argparse gives us the next word, whatever it is.
    if os.path.isdir(db) or db.endswith(".py") or "::" in db:
        raise pytest.UsageError(
            "--proflite=%s: that is no database but a test; write "
            "--proflite=%s %s" % (db, DEFAULT_DB, db))
    if not base and (option("proflite_fail_if") or option("proflite_only")):
        raise pytest.UsageError("--proflite-fail-if and --proflite-only need "
                                "--proflite-compare")
    if base and base == option("proflite_label"):
        raise pytest.UsageError("--proflite-compare=%s: the run would be "
                                "compared with itself: give it another "
                                "--proflite-label, or none" % base)
    return os.path.join(str(config.invocation_params.dir), db)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "proflite(max_ncalls={'name' or 'file:name': n}): fail if "
        "the test calls a function more than n times")
    db = _database(config)
    if not db:
        return
    _need_wrappers("--proflite")
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.pluginmanager.register(
            Recording(config, db, uuid.uuid4().hex), "proflite-recording")
    elif "proflite" in worker:
        config.pluginmanager.register(
            Recording(config, *worker["proflite"]), "proflite-recording")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    # Without a marked test not even a hook of ours is called for each of them.
    # The last one registered is the innermost: least of pytest is in a scope.
    manager = config.pluginmanager
    if (any(item.get_closest_marker("proflite") for item in items) and
            not manager.has_plugin("proflite-budgets")):
        _need_wrappers("the mark proflite")
        manager.register(Budgets(), "proflite-budgets")
    recording = manager.get_plugin("proflite-recording")
    if recording and not manager.has_plugin("proflite-scopes"):
        manager.register(Scopes(recording), "proflite-scopes")


# ------------------------------------------------------------------ budgets --

def _budget_of(item):
    """{name: most calls} of a test, from all of its marks; the nearest wins."""
    budget = {}
    for mark in reversed(list(item.iter_markers("proflite"))):
        most = mark.kwargs.get("max_ncalls")
        if (mark.args or set(mark.kwargs) != {"max_ncalls"} or
                not isinstance(most, dict) or
                not all(isinstance(name, str) and isinstance(n, int) and n >= 0
                        for name, n in most.items())):
            pytest.fail("mark proflite: want max_ncalls={'name' or "
                        "'file:name': number of calls}", pytrace=False)
        budget.update(most)
    return budget


class Budgets:
    @_around
    def pytest_runtest_call(self, item):
        budget = _budget_of(item)
        if not budget:
            return (yield)
        from . import Profile, _budget

        with Profile(threads=True) as profile:
            result = yield
        profile.create_stats()
        found = [*_budget.over(profile.stats, budget),
                 *_budget.unknown(profile.stats, budget, [
                     str(item.config.rootpath),
                     str(item.config.invocation_params.dir), *sys.path])]
        if found:
            pytest.fail("\n".join(found), pytrace=False)
        return result


# ---------------------------------------------------------------- recording --

class Scopes:
    def __init__(self, recording):
        self.recording = recording

    @_around
    def pytest_runtest_call(self, item):
        recording = self.recording
        # Of many tests only the first has to say what is wrong.
        if not recording.troubles:
            recording.guard(recording.begin, item.nodeid)
        try:
            return (yield)
        finally:
            recording.end()


class Recording:
    """What is recorded of this process, and at the end, but not in a worker,
    what is said about the run."""

    def __init__(self, config, db, run):
        self.config, self.db, self.run = config, db, run
        self.profile = None
        self.has_scope = False          # something to save
        self.troubles = []
        self.sections = []              # (title, text, color) to print

    def is_worker(self):
        return hasattr(self.config, "workerinput")

    # ------------------------------------------------------------- scopes --

    def begin(self, nodeid):
        from . import Profile

        if self.profile is None:
            self.profile = Profile(threads=True)
            self.profile._join(
                self.run, self.config.getoption("proflite_label") or "")
        size = self.profile._scope(nodeid.encode("utf-8", "surrogatepass"))
        if self.has_scope and size > FLUSH_BYTES:
            self.save()
            return self.begin(nodeid)
        self.profile.enable()
        self.has_scope = True

    def save(self):
        profile, self.profile, self.has_scope = self.profile, None, False
        profile.save(self.db)

    def guard(self, function, *args):
        """The tests go on whatever is wrong with us."""
        try:
            function(*args)
        except Exception as e:
            text = str(e)
            self.troubles.append(text if self.db in text else
                                 "%s: %s" % (self.db, text))

    def end(self):
        if self.profile is not None:
            self.profile.disable()

    # ------------------------------------------------------------ workers --

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        node.workerinput["proflite"] = self.db, self.run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        output = getattr(node, "workeroutput", None)
        if output is None:
            self.troubles.append("worker %s crashed: the profile lacks what "
                                 "it had not written" % node.gateway.id)
        else:
            self.troubles += output.get("proflite", ())

    # ---------------------------------------------------------------- end --

    # Around it: xdist waits for its workers within, and the terminal's summary
    # comes after us.
    @_around
    def pytest_sessionfinish(self, session):
        result = yield
        if self.has_scope:
            self.guard(self.save)
        if self.is_worker():
            self.config.workeroutput["proflite"] = self.troubles
        else:
            self.guard(self.conclude, session)
        return result

    def number(self):
        """The run's in the database; None: there is none."""
        if not os.path.exists(self.db):
            return None
        status, text = _tool.run("runs", "-o", "json", self.db)
        if status:
            raise OSError(text.strip().removeprefix("proflite runs: "))
        runs = {row["uuid"]: row["run"] for row in json.loads(text)}
        return runs.get(self.run)

    def conclude(self, session):
        number = self.number()
        if number is not None:
            self.summarise(number)
        if self.config.getoption("proflite_compare"):
            self.compare(session, number)

    def summarise(self, number):
        status, text = _tool.run(
            "report", "--strip-dirs", "--run", str(number),
            "-n", str(self.config.getoption("proflite_lines")), self.db)
        self.sections.append((
            "slowest functions", "%s\n\nproflite report --run %d %s" % (
                text.strip("\n"), number, os.path.relpath(self.db)), {}))

    def compare(self, session, number):
        if session.exitstatus:
            why = "not compared: the tests did not pass"
        elif number is None:
            why = "not compared: there is no profile of this run"
        elif self.troubles:
            why = "not compared: the profile of this run is not whole"
        else:
            why = self.gate(number)
        if why and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.sections.append((
            "compared with " + self.config.getoption("proflite_compare"),
            why or "no function is worse", {"red": True} if why else {}))

    def gate(self, number):
        """What `proflite diff` finds; "" when nothing is worse."""
        option = self.config.getoption
        base = option("proflite_compare")
        if ":" not in base and not base.endswith(".db"):
            base = "%s:%s" % (self.db, base)
        args = ["--fail-if=" + e
                for e in option("proflite_fail_if") or ["ncalls > +0%"]]
        if option("proflite_only"):
            args.append("--only=" + option("proflite_only"))
        status, text = _tool.run("diff", "-q", *args, base,
                                 "%s:%d" % (self.db, number))
        return text.strip("\n") or "proflite diff: status %d" % status \
            if status else ""

    def pytest_terminal_summary(self, terminalreporter):
        for title, text, color in self.sections:
            terminalreporter.section("proflite: " + title, **color)
            terminalreporter.write_line(text)
        for trouble in dict.fromkeys(self.troubles):
            terminalreporter.write_line("proflite: " + trouble, yellow=True)
