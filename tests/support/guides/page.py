"""A guide as steps: its code blocks, line by line. A line that is no step is an error, so that no line goes untried."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from potluck.cli import potluck

FENCE = re.compile(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = r"\w+(?:, \w+)*"


@dataclass(frozen=True)
class Write:
    """A file that somebody writes with an editor."""

    machine: str
    path: str
    text: str


@dataclass(frozen=True)
class Type:
    """A command typed into a terminal of a machine; in the main one ("") the next waits until it is done."""

    machine: str
    terminal: str
    line: str


@dataclass(frozen=True)
class Await:
    """Until a terminal shows a text."""

    machine: str
    terminal: str
    text: str


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C in a terminal."""

    machine: str
    terminal: str


@dataclass(frozen=True)
class Mail:
    """A file or folder sent from one machine to others: it arrives under its own name, in no folder."""

    sender: str
    to: tuple[str, ...]
    path: str


Step = Write | Type | Await | Interrupt | Mail


def line_step(line: str) -> Step:
    """One line of a console block. Raises ValueError: nothing that a test could do."""
    if found := re.fullmatch(r"(\w+)(?::(\w+))?[$#] (.+)", line):
        return Type(found[1], found[2] or "", found[3])
    if found := re.fullmatch(r'# when (\w+):(\w+) says "(.+)"', line):
        return Await(found[1], found[2], found[3])
    if found := re.fullmatch(r"# Ctrl-C in (\w+):(\w+)", line):
        return Interrupt(found[1], found[2])
    if found := re.fullmatch(rf"# by (?:mail|stick), (\w+) to ({NAMES}): (\S+)", line):
        return Mail(found[1], tuple(found[2].split(", ")), found[3])
    raise ValueError(f"no step: {line!r}")


def steps(page: Path) -> list[Step]:
    """All steps of a page, in its order."""
    found: list[Step] = []
    for kind, info, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            found += [line_step(line) for line in re.sub(r"\s*\\\n\s*", " ", body).splitlines()]
        else:
            files = [one.split(":") for one in info.split()]
            if not files:
                raise ValueError(f"a block of {kind} that is no file: {body[:40]!r}")
            found += [Write(machine, path, body) for machine, path in files]
    return found


def calls(page: Path) -> list[list[str]]:
    """The words of every call of potluck in a console block, after its name."""
    lines = [step.line for step in steps(page) if isinstance(step, Type)]
    found = (re.search(r"(?:^|/|\s)potluck ((?!-m)[a-z].*)", line) for line in lines)
    return [shlex.split(one[1]) for one in found if one]


def accept(words: Sequence[str]) -> None:
    """Raises AssertionError or click's error: the command line does not take these words after `potluck`."""
    command: click.Command = potluck
    context, rest = None, list(words)
    while isinstance(command, click.Group):
        context = click.Context(command, parent=context)
        inner = command.get_command(context, rest[0])
        assert inner is not None, words
        command, rest = inner, rest[1:]
    command.make_context("guide", rest)
