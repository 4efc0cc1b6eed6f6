"""What others write in a plan, and what a terminal makes of it."""

import json
import re

import pytest
from rich.console import Console

from potluck.cli.terminal import Terminal, json_text
from potluck.core.errors import PlanError
from potluck.core.visible import visible

EVIL = "\x1b[2J\x1b]0;owned\x07\r\n\x9b1A\u202e[red]x[/] :smile:"
ACTS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
SEEN = r"\u{1b}[2J\u{1b}]0;owned\u{7}\u{d}\u{a}\u{9b}1A\u{202e}[red]x[/] :smile:"


def toml(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


@pytest.fixture
def evil(shops):
    """The shops, where plan, purpose, a category and a statistic are named by somebody who means harm."""
    text = (shops / "plan.toml").read_text()
    text = text.replace('name = "shops"', f"name = {toml('evil' + EVIL)}")
    text = text.replace('"Test the face"', toml("harm" + EVIL)).replace('["red", "green"]', f'["red", {toml(EVIL)}]')
    (shops / "plan.toml").write_text(text)
    named = f"[[statistics]]\nname = {toml('mean' + EVIL)}\nkind = 'mean'\ncolumn = 'x1'\nby = 'kind'\n"
    kept = text[: text.index("[data.target]")] + text[text.index("[protect]") :]
    (shops / "statistics.toml").write_text(kept.replace('task = "train"', 'task = "statistics"') + named)
    return shops


CALLS = [
    ("check", "plan.toml"),
    ("check", "plan.toml", "-v"),
    ("check", "plan.toml", "--set", f"protect.with={toml(EVIL)}"),
    ("check", "plan.toml", "--set", f"{toml(EVIL)}=1"),
    ("explain", "plan.toml"),
    ("explain", "plan.toml", "--all"),
    ("explain", "plan.toml", "--collude", f"server,{EVIL}"),
    ("run", "plan.toml", "--out", "run-a"),
    ("run", "plan.toml", "--out", "run-b", "--json"),
    ("run", "statistics.toml", "--out", "run-c"),
    ("run", "plan.toml", "--set", f"data.target.column={toml(EVIL)}"),
    ("report", f"absent{EVIL}"),
    ("score", f"absent{EVIL}", "a.csv"),
    ("budget", "plan.toml"),
    (EVIL,),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call)[:40].encode("unicode_escape").decode())
def test_words_of_a_plan_cannot_act_on_the_terminal(evil, cli, monkeypatch, call):
    monkeypatch.chdir(evil)
    said = cli(*call)
    assert said.code != 1, said.err
    assert not ACTS.search(said.out + said.err)


def test_words_of_a_plan_are_shown_as_they_are(evil, cli, monkeypatch):
    monkeypatch.chdir(evil)
    monkeypatch.setenv("COLUMNS", "400")
    assert f"mean{SEEN}" in cli("run", "statistics.toml", "--out", "r").out
    assert repr(EVIL) in cli("check", "plan.toml", "--set", f"{toml(EVIL)}=1").out


def test_control_without_the_terminals_care_the_words_act(evil, cli, monkeypatch):
    """The same statistics table, printed as rich prints it."""
    monkeypatch.chdir(evil)
    monkeypatch.setenv("COLUMNS", "400")

    def careless(self, text, **options):
        return Console.render_str(self, text, **{**options, "markup": True, "emoji": True})

    monkeypatch.setattr(Terminal, "render_str", careless)
    said = cli("run", "statistics.toml", "--out", "r").out
    assert ACTS.search(said)
    assert "[red]" not in said
    assert ":smile:" not in said


def test_json_says_the_same_and_nothing_of_it_acts():
    document = {EVIL: [EVIL, "Zürich", "\U000e0001\x85", 1.5, None]}
    assert not ACTS.search(json_text(document))
    assert "Zürich" in json_text(document)
    assert json.loads(json_text(document)) == document
    assert ACTS.search(json.dumps(document, ensure_ascii=False))


def test_an_error_that_python_prints_cannot_act():
    assert str(PlanError(EVIL, where=EVIL, hint=EVIL)).isprintable()


def test_what_is_visible_stays_and_what_is_not_has_its_number():
    assert visible("Zürich 北京 \\") == "Zürich 北京 \\"
    assert visible(EVIL) == SEEN
    assert visible(visible(EVIL)) == visible(EVIL)
