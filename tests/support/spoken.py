"""The command line in this process: what one call printed, and its exit code."""

import json

import pytest

from potluck.cli import potluck
from potluck.cli.door import run


class Spoken:
    """What one call of the command line did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out)


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> Spoken:
    """`potluck ARGS...`, called."""
    capsys.readouterr()
    code = run(potluck, [str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Spoken(code, said.out, said.err)
