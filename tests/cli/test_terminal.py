"""What others write in a plan, and what a terminal makes of it."""

import io
import json
import os
import re
import subprocess
import sys
import threading

import msgspec
import pytest
from rich.console import Console

import potluck
from potluck.api.results.outcome import Run
from potluck.cli import terminal
from potluck.cli.terminal import Terminal, waiting
from potluck.cli.text import show_run
from potluck.core.errors import PlanError
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, RoundId
from potluck.core.visible import json_text, seen, visible
from potluck.drivers.transcript import Transcript
from support.learning.rossi import COLUMNS, FEATURES, by_age, rossi

EVIL = "\x1b[2J\x1b]0;owned\x07\r\n\x9b1A\u202e[red]x[/] :smile:"
ACTS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
SEEN = r"\u{1b}[2J\u{1b}]0;owned\u{7}\u{d}\u{a}\u{9b}1A\u{202e}[red]x[/] :smile:"


def toml(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


@pytest.fixture
def evil(shops):
    """The shops, where plan, purpose, a category, a derived column and a statistic are named by somebody who means
    harm."""
    text = (shops / "plan.toml").read_text()
    text = text.replace('name = "shops"', f"name = {toml('evil' + EVIL)}")
    text = text.replace('"Test the face"', toml("harm" + EVIL)).replace('["red", "green"]', f'["red", {toml(EVIL)}]')
    text = text.replace("x1 = {", f"x1 = {{ unit = {toml(EVIL)},")
    (shops / "plan.toml").write_text(text)
    named = f"[[statistics]]\nname = {toml('mean' + EVIL)}\nkind = 'mean'\ncolumn = 'x1'\nby = 'kind'\n"
    kept = text[: text.index("[data.target]")] + text[text.index("[protect]") :]
    tint, warm = toml("tint" + EVIL), toml("warm" + EVIL)
    named += f"[data.derive.{tint}]\nkind = 'recode'\nfrom = 'kind'\nmap = {{ red = {warm}, {toml(EVIL)} = 'cold' }}\n"
    named += f"[[data.where]]\ncolumn = {tint}\nin = [{warm}]\n"
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
    pytest.param(("run", "plan.toml", "--out", "run-a"), marks=pytest.mark.slow),
    ("run", "plan.toml", "--out", "run-b", "--json"),
    ("check", "statistics.toml"),
    ("explain", "statistics.toml"),
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


@pytest.mark.parametrize(
    "letter", "\u3164\u115f\u1160\uffa0\u2800\u034f\ufe0f\U000e0100\u17b4\u180b\u200b\u2060\u061c\xad"
)
def test_two_columns_that_differ_by_a_letter_that_is_not_seen_are_shown_as_two(letter):
    assert visible(f"age{letter}") == f"age\\u{{{ord(letter):x}}}"
    assert visible(f"age{letter}") == visible(visible(f"age{letter}"))


def test_control_what_python_calls_printable_can_be_blank():
    assert "age\u3164".isprintable()
    assert [letter for letter in "é北👍आ" if not seen(letter)] == []


def acting(folder) -> list[str]:
    """JSON documents in a run's folder whose letters act; the model's bytes are its digest."""
    files = [path for path in folder.glob("*.json*") if path.name != "model.json"]
    assert {"run.json", "details.json", "summary.json", "transcript.jsonl"} <= {path.name for path in files}
    return sorted(path.name for path in files if ACTS.search(path.read_text(encoding="utf-8")))


def test_a_runs_documents_can_be_shown_by_cat(evil, cli, monkeypatch):
    monkeypatch.chdir(evil)
    assert cli("run", "plan.toml", "--out", "run").code == 0
    assert acting(evil / "run") == []
    assert json.loads((evil / "run" / "run.json").read_text())["plan"]["name"] == f"evil{EVIL}"
    assert json.loads((evil / "run" / "summary.json").read_text())["units"]["x1"] == EVIL


def test_a_sites_name_cannot_act_in_a_transcript(evil, cli, monkeypatch):
    """Site a is called by letters that act; its lines say its name all the same."""
    monkeypatch.chdir(evil)
    name = f"a{EVIL}"
    text = (evil / "plan.toml").read_text().replace('sites = ["a"', f"sites = [{toml(name)}").replace('a = "a.csv"', "")
    (evil / "named.toml").write_text(text.replace("[data.files]", f'[data.files]\n{toml(name)} = "a.csv"'))
    assert cli("run", "named.toml", "--out", "run", "--record").code == 0
    for path in (evil / "run" / "transcript.jsonl", evil / "run" / "parcels" / "index.jsonl"):
        lines = path.read_text(encoding="utf-8")
        assert not ACTS.search(lines)
        assert name in {json.loads(line)["from"] for line in lines.split("\n") if line}


def test_control_json_as_it_is_acts_in_a_runs_documents(evil, cli, monkeypatch):
    monkeypatch.chdir(evil)
    plain = lambda document: json.dumps(document, ensure_ascii=False)  # noqa: E731
    monkeypatch.setattr("potluck.api.local.run.json_text", plain)
    monkeypatch.setattr("potluck.report.details.json_text", plain)
    monkeypatch.setattr("potluck.learning.models.basis.json_text", plain)
    assert cli("run", "plan.toml", "--out", "run").code == 0
    assert acting(evil / "run") == ["details.json", "run.json", "summary.json"]


def test_control_lines_as_json_has_them_act_in_a_transcript(tmp_path, monkeypatch):
    def written() -> str:
        kept = Transcript()
        kept.moved(Label(RoundId("r", 1), "begin"), SERVER, site(EVIL), 3)
        kept.write(tmp_path / "lines")
        return (tmp_path / "lines").read_text(encoding="utf-8")

    assert not ACTS.search(written())
    monkeypatch.setattr("potluck.drivers.transcript.json_line", lambda line: msgspec.json.encode(line) + b"\n")
    assert ACTS.search(written())


def test_words_of_a_plan_cannot_act_in_a_notebook(evil, cli, monkeypatch):
    monkeypatch.chdir(evil)
    assert cli("run", "plan.toml", "--out", "run").code == 0
    done = Run.read("run")
    monkeypatch.setattr(Run, "row_warnings", lambda run: [f"a: <b>{EVIL}"])
    assert not ACTS.search(done._repr_html_())
    assert f"<li>a: &lt;b&gt;{SEEN}</li>" in done._repr_html_()
    monkeypatch.setattr("potluck.api.results.outcome.visible", lambda line: line)  # the control
    assert ACTS.search(done._repr_html_())


@pytest.mark.parametrize("width", ["60", "80"])
def test_no_digit_of_a_result_is_cut_off(tmp_path, capsys, monkeypatch, width):
    """A fit has more columns than such a terminal has room for."""
    monkeypatch.setenv("COLUMNS", width)
    plan = potluck.Plan(
        name="fits",
        purpose="a wide table",
        task="statistics",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 500},
        protect={"with": "clear"},
        privacy={"noise": "none"},
        statistics=[
            {"name": "r", "kind": "regression", "family": "binomial", "target": "arrest", "features": FEATURES}
        ],
    )
    show_run(Terminal(), potluck.run(plan, by_age(rossi()), out=tmp_path / "run"))
    said = capsys.readouterr().out
    assert "ratio" in said
    assert "…" not in said


TEXT = pytest.param(("explain", "plan.toml", "--all"), marks=pytest.mark.slow)


@pytest.mark.parametrize("call", [TEXT, ("explain", "plan.toml", "--json")])
@pytest.mark.parametrize("mended", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_who_closes_the_pipe_has_read_enough_and_the_verb_did_not_fail(shops, call, mended):
    broken = ["-c", f"{UNMENDED}; from potluck.cli import main; main()"]
    program = ["-m", "potluck"] if mended else broken
    assert piped(program, call, shops) == (0 if mended else 1)


@pytest.mark.parametrize("call", [("--json",), pytest.param((), marks=pytest.mark.slow)])
def test_a_refusal_that_nobody_reads_is_still_a_refusal(tmp_path, call):
    (tmp_path / "evidence").write_bytes(b"{}")
    (tmp_path / "policy.toml").write_text('version = 1\nformats = ["snp"]\n')
    words = (
        "tee",
        "verify",
        "--format",
        "snp",
        "--evidence",
        "evidence",
        "--policy",
        "policy.toml",
        "--nonce",
        "00" * 8,
    )
    assert piped(["-m", "potluck"], (*words, *call), tmp_path) == 3


@pytest.mark.slow
def test_an_error_whose_words_nobody_reads_keeps_its_code(tmp_path):
    assert piped(["-m", "potluck"], ("check", "absent.toml"), tmp_path, stderr=True) == 2


UNMENDED = (
    "import sys; from rich.console import Console; from potluck.cli import door, terminal;"
    "terminal.Terminal.on_broken_pipe = Console.on_broken_pipe; door.discard_output = lambda stream: sys.exit(1)"
)


def piped(program: list[str], call: tuple[str, ...], folder, stderr: bool = False) -> int:
    """The exit code of a program whose reader is gone before it writes."""
    read, write = os.pipe()
    os.close(read)
    try:
        errors = write if stderr else subprocess.DEVNULL
        return subprocess.run(
            [sys.executable, *program, *call], cwd=folder, stdout=write, stderr=errors, timeout=120, check=False
        ).returncode
    finally:
        os.close(write)


class Screen(io.StringIO):
    """What a person looks at."""

    written: threading.Event

    def isatty(self):
        return True

    def write(self, text):
        self.written.set()
        return super().write(text)


def looked_at(monkeypatch):
    """What a person looks at, in the place of stderr."""
    found = Screen()
    found.written = threading.Event()
    monkeypatch.setattr(sys, "stderr", found)
    return found


def test_a_person_who_hears_nothing_is_told_that_a_verb_is_at_work(monkeypatch):
    screen = looked_at(monkeypatch)
    with waiting("potluck check a\x1b[2Jb", 0.0):
        assert screen.written.wait(60)
    assert screen.getvalue() == "potluck check a\\u{1b}[2Jb: at work ...\n"


def test_a_person_who_heard_something_and_a_service_are_told_nothing(monkeypatch):
    screen = looked_at(monkeypatch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal._spoken, "is_set", lambda: screen.written.set() or True)
        with waiting("potluck check", 0.0):
            assert screen.written.wait(60)
    assert screen.getvalue() == ""
    Terminal(stderr=True).say("a word")
    assert terminal._spoken.is_set()
    monkeypatch.setattr(screen, "isatty", lambda: False)
    monkeypatch.setattr(threading, "Timer", pytest.fail)
    with waiting("potluck check", 0.0):
        pass
