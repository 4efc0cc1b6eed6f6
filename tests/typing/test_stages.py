"""Forgetting to bound, to clip or to noise does not pass the type checker."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LINE = re.compile(r"^[^:]*?(\w+)\.py:(\d+): error: (.*)  \[([a-z-]+)\]$")


@pytest.fixture(scope="module")
def errors() -> dict[tuple[str, int], tuple[str, str]]:
    """(file, line) -> (code, message): mypy run once over both files, as the project runs it."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty", "good.py", "bad.py"]
    run = subprocess.run(
        [*command, "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")],
        cwd=HERE,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    found = {}
    for line in run.stdout.splitlines():
        match = LINE.match(line)
        if match and match[1] in ("good", "bad"):
            found[match[1], int(match[2])] = (match[4], match[3])
    return found


def refused() -> list[tuple[int, str, str]]:
    """(line, code, words) of every marked line."""
    marks = []
    for number, line in enumerate((HERE / "bad.py").read_text().splitlines(), 1):
        if "# refused: " in line:
            code, _, words = line.split("# refused: ")[1].partition(" ")
            marks.append((number, code, words))
    return marks


def test_the_way_through_passes(errors):
    assert {line: said for (name, line), said in errors.items() if name == "good"} == {}


@pytest.mark.parametrize(("number", "code", "words"), refused(), ids=lambda value: str(value))
def test_a_way_around_is_refused_for_its_reason(number, code, words, errors):
    assert ("bad", number) in errors, "mypy accepts it"
    found, message = errors["bad", number]
    assert found == code
    for part in re.findall(r'"[^"]*"?|[^";]+', words):
        assert part.strip("; ") in message


def test_every_bad_example_is_refused_and_nothing_else(errors):
    lines = {number for number, _, _ in refused()}
    assert {line for name, line in errors if name == "bad"} == lines
    functions = (HERE / "bad.py").read_text().count("\ndef ")
    assert functions == len(lines)
