# SPDX-License-Identifier: MIT
"""What shells complete of a command line of proflite."""

import re

import consumers
import terminal
from harness import STAGE, TOOL, Case, once


class Shell(Case):
    """complete_all(lines): what the shell offers at the end of each line."""

    def commands(self):
        listed = self.tool("help").stdout.split("commands:\n")[1]
        return re.findall(r"^  (\w+) ", listed.split("\n\n")[0], re.M)

    def complete(self, *words):
        return self.complete_all([words])[0]

    def check_commands(self):
        self.assertEqual(sorted(self.complete("")), sorted(self.commands()))
        self.assertEqual(self.complete("rep"), ["report"])
        self.assertEqual(self.complete("help", "opt"), ["options"])

    def check_options(self):
        """Of every command."""
        commands = [c for c in self.commands() if c != "help"]
        offered = self.complete_all([(c, "--") for c in commands])
        for command, options in zip(commands, offered):
            said = re.findall(r"^ +(?:-., )?(--[a-z-]+)", self.tool(
                "help", command).stdout, re.M)
            self.assertEqual(sorted(options), sorted(said), command)

    def check_files(self):
        (self.tmp / "zebra.db").touch()
        self.assertEqual(self.complete("report", "ze"), ["zebra.db"])

    def answers(self, text):
        """Of a text with a line "> LINE" in front of what is offered there."""
        return [part.splitlines()[1:] for part in re.split(
            r"(?m)^(?=> )", text)[1:]]


class Bash(Shell):
    FILE = STAGE / "share/bash-completion/completions/proflite"

    def complete_all(self, lines):
        script = (". '%s'; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
                  "_proflite; printf '%%s\\n' \"${COMPREPLY[@]}\""
                  % self.FILE)
        return [self.command(["bash", "-c", script, "bash", TOOL, *words]
                             ).stdout.split() for words in lines]

    @once
    def test_commands(self):
        self.check_commands()
        self.assertEqual(self.complete("nothing", ""), [])

    @once
    def test_options(self):
        self.check_options()

    @once
    def test_is_known_to_bash(self):
        done = self.command(["bash", "-c", ". '%s'; complete -p proflite"
                             % self.FILE])
        self.assertEqual(done.stdout, "complete -o default -F _proflite proflite\n")


class Zsh(Shell):
    # The shell as it is used, at its first prompt: the line editor completes
    # each line, and what is added there is written down.
    ZSHRC = r"""
        unsetopt automenu autolist
        fpath=($PL_FUNCTIONS $fpath)
        autoload -Uz compinit
        compinit -u -D

        compadd()
        {
            local pl_word
            local -a pl_hits

            for pl_word; do
                [[ $pl_word == (-|--) ]] && break
                # It asks, and adds nothing.
                [[ $pl_word =~ '^-[a-zA-Z0-9]*[OAD]' ]] || continue
                builtin compadd "$@"
                return
            done
            builtin compadd -O pl_hits "$@"
            (( $#pl_hits )) && print -rl -- $pl_hits >>offered
            builtin compadd "$@"
        }

        zle-line-init()
        {
            local pl_line

            for pl_line in "${(@f)$(<typed)}"; do
                print -r -- "> $pl_line" >>offered
                BUFFER=$pl_line
                CURSOR=$#BUFFER
                zle complete-word
            done
            exit
        }
        zle -N zle-line-init
        """

    def complete_all(self, lines):
        zsh = consumers.need(self, "zsh")
        self.script(self.ZSHRC, ".zshrc")
        self.script("".join("%s %s\n" % (TOOL, " ".join(words))
                            for words in lines), "typed")
        self.script("", "offered")
        text, _ = terminal.run(
            ["timeout", "--foreground", "300", zsh, "-d", "-i"], cwd=self.tmp,
            env=self.environment({"TERM": "xterm", "PL_FUNCTIONS":
                                  STAGE / "share/zsh/site-functions"}))
        answers = self.answers((self.tmp / "offered").read_text())
        self.assertEqual(len(answers), len(lines), text)
        return answers

    @once
    def test_commands(self):
        self.check_commands()

    @once
    def test_options(self):
        self.check_options()

    @once
    def test_files(self):
        self.check_files()

    @once
    def test_nothing_of_the_line_is_run(self):
        self.complete("$(touch ran)", "--")
        self.assertFalse((self.tmp / "ran").exists())


class Fish(Shell):
    def complete_all(self, lines):
        fish = consumers.need(self, "fish")
        done = self.command(
            [fish, "-c", 'for l in $argv; echo "> $l"; complete "-C$l"; end',
             *("proflite " + " ".join(words) for words in lines)],
            # It loads what it finds only for commands of the PATH.
            env={"XDG_DATA_DIRS": STAGE / "share", "PATH": "%s:%s" % (
                STAGE / "bin", self.environment()["PATH"])})
        self.assertEqual(done.stderr, "")
        self.texts = self.answers(done.stdout)
        return [[line.split("\t")[0] for line in part] for part in self.texts]

    @once
    def test_commands(self):
        self.check_commands()
        self.complete("atta")
        self.assertEqual(self.texts, [
            ["attach\trecord a running process for a while"]])

    @once
    def test_options(self):
        self.check_options()

    @once
    def test_files(self):
        self.check_files()
