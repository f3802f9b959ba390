# SPDX-License-Identifier: MIT
"""What bash completes of a command line of proflite."""

import re

from harness import STAGE, TOOL, Case, once

FILE = STAGE / "share/bash-completion/completions/proflite"


class Bash(Case):
    def complete(self, *words):
        script = (". '%s'; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
                  "_proflite; printf '%%s\\n' \"${COMPREPLY[@]}\"" % FILE)
        return self.command(["bash", "-c", script, "bash", TOOL, *words]
                            ).stdout.split()

    def commands(self):
        listed = self.tool("help").stdout.split("commands:\n")[1]
        return re.findall(r"^  (\w+) ", listed.split("\n\n")[0], re.M)

    @once
    def test_commands(self):
        self.assertEqual(self.complete(""), self.commands())
        self.assertEqual(self.complete("rep"), ["report"])
        self.assertEqual(self.complete("help", "opt"), ["options"])
        self.assertEqual(self.complete("nothing", ""), [])

    @once
    def test_options_of_every_command(self):
        for command in self.commands():
            if command == "help":
                continue
            said = re.findall(r"^ +(?:-., )?(--[a-z-]+)", self.tool(
                "help", command).stdout, re.M)
            self.assertEqual(self.complete(command, "--"), said, command)

    @once
    def test_is_known_to_bash(self):
        done = self.command(["bash", "-c", ". '%s'; complete -p proflite" % FILE])
        self.assertEqual(done.stdout, "complete -o default -F _proflite proflite\n")
