"""What all verbs share: their options, and the one place where an error becomes a line and an exit code."""

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.text import Text

from potluck.cli.terminal import Terminal, discard_output, waiting
from potluck.core.errors import PotluckError, reason
from potluck.core.visible import json_text, visible

if TYPE_CHECKING:
    from potluck.core.rounds import Abort

F = TypeVar("F", bound=Callable[..., object])
PATH = click.Path(path_type=Path)
OUTPUT = click.option("--out", type=PATH, help="Folder of the run (default: runs/NAME-UTC).")
LEDGER = click.option("--ledger", type=PATH, help="Folder of the ledgers (default: beside the plan).")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A disk that takes no more: nobody's bug, whatever was being written."""


@dataclass(frozen=True)
class Voice:
    """Where words go: data to stdout (one JSON document with --json), everything else to stderr."""

    json: bool
    quiet: bool
    verbose: bool
    out: Terminal
    words: Terminal

    def data(self, document: object, text: Callable[[Terminal], None]) -> None:
        """Print the result: as JSON, or as `text` prints it."""
        try:
            if self.json:
                sys.stdout.write(json_text(document))
                sys.stdout.flush()
            else:
                text(self.out)
        except BrokenPipeError:  # who reads has read enough: that is no failure, nor does it make one a success
            discard_output(sys.stdout)

    def lines(self, document: object, lines: Iterable[str]) -> None:
        """Print the result: as JSON, or as these lines."""
        self.data(document, lambda out: out.lines(lines))

    def warn(self, warnings: list[str]) -> None:
        """Warnings, a line each."""
        for line in warnings:
            self.words.print(Text("warning:", "yellow"), line, soft_wrap=True)

    def notes(self, lines: list[str]) -> None:
        """What is worth a look and no warning, a line each, unless -q."""
        for line in lines:
            self.say(f"note: {line}")

    def say(self, line: str) -> None:
        """One line of words, unless -q."""
        if not self.quiet:
            self.words.say(line)

    def event(self, event: str, text: str) -> None:
        """What happens while a verb runs, unless -q."""
        self.say(f"{event}: {text}")


def voice() -> Voice:
    """The voice of the verb that is being run, from its flags."""
    flags = click.get_current_context().meta
    words = Terminal(stderr=True)
    return Voice(bool(flags["json"]), bool(flags["quiet"]), bool(flags["verbose"]), Terminal(), words)


def _note(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.meta[str(option.name)] = value


def spoken(command: F) -> F:
    """Add --json, -q, -v and --debug to a verb, which asks `voice()` for them."""
    return added(
        command,
        click.option("--json", is_flag=True, expose_value=False, callback=_note, help="One JSON document on stdout."),
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_note, help="No progress, few words."),
        click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_note, help="Say more."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    )


def added(command: F, *options: Callable[[F], F]) -> F:
    """A verb with these options, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def settings(command: F) -> F:
    """Add --set to a verb that takes a plan."""
    option = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one key of the plan (TOML; repeatable)."
    )
    return option(command)


def rehearsing(command: F) -> F:
    """Add --out, --ledger, --record, --compare and --predictions to a verb that runs a plan with all rows here."""
    return added(
        command,
        OUTPUT,
        LEDGER,
        click.option("--record", is_flag=True, help="Keep every parcel's body, as its receiver reads it."),
        click.option("--compare", is_flag=True, help="Also alone, pooled and exact results. Not private."),
        click.option("--predictions", is_flag=True, help="Also the scores of each owner's rows, in sites/NAME."),
    )


def run(group: click.Group, arguments: list[str]) -> int:
    """Run the command line; gives the exit code. Catches each kind of error once, here."""
    words = sys.stderr
    quiet = not arguments or {"-q", "--quiet", "-h", "--help"} & {*arguments}
    try:
        with contextlib.nullcontext() if quiet else waiting(" ".join(["potluck", *arguments[:2]])):
            return _run(group, arguments, "--debug" in arguments)
    finally:
        sys.stderr = words  # a verb may have dated its lines (`cli.words.dated`)


def _run(group: click.Group, arguments: list[str], debug: bool) -> int:
    try:
        result = group.main(arguments, prog_name="potluck", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130, debug)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(f"UsageError: {error.format_message().rstrip('.')}. hint: potluck --help", 2, debug)
    except PotluckError as error:
        code = _fail(str(error), error.exit_code, debug)
        for one in error.others:
            _fail(str(one), code, False)
        return code
    except _abort() as abort:
        return _fail(f"Abort: {abort}", abort.exit_code, debug)
    except OSError as error:
        if error.errno not in FULL:
            return _bug(error, debug)
        where = error.filename or "the disk"
        return _fail(f"UsageError: {where}: cannot be written ({reason(error)}). hint: free some space", 2, debug)
    except Exception as error:  # a bug of ours: the last edge, so that nobody sees a traceback unasked
        return _bug(error, debug)


def _abort() -> "type[Abort]":
    """What ends a round; loaded where something was raised. With it comes numpy, which many verbs do without."""
    from potluck.core.rounds import Abort

    return Abort


def _bug(error: Exception, debug: bool) -> int:
    return _fail(f"bug: {type(error).__name__}. hint: run again with --debug and report what it prints", 1, debug)


def _fail(line: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    try:
        click.echo(visible(" ".join(line.split())), err=True)
    except BrokenPipeError:
        discard_output(sys.stderr)
    return code
