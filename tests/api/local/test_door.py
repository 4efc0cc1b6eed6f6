"""What whoever sits at a notebook meets first: names that can be completed, a verdict in words, what is left to spend,
and how far a run is."""

import json
import rlcompleter
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

import potluck
from potluck.api.network.budget import HEADS
from potluck.cli import potluck as cli
from potluck.cli.door import run as command
from potluck.core.errors import DataError, UsageError
from support.report.tree import Tree

SITES = ("north", "<script>alert(1)</script>")
ROWS = {site: pd.DataFrame({"age": [30.0, 50.0]}) for site in SITES}
NOISE = {"noise": "site", "unit": "row", "epsilon": 0.5, "delta": 1e-6}


def plan(privacy=NOISE):
    return potluck.Plan(
        name="people",
        purpose="How old they are",
        task="statistics",
        federation={"sites": list(SITES), "corrupt": 0, "server": "curious"},
        data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}, "max_rows": 100},
        statistics=[{"name": "mean_age", "kind": "mean", "column": "age"}],
        protect={"with": "clear"},
        privacy=privacy,
    )


def completed(text, **names):
    """What Tab offers, without the brackets of what can be called."""
    done, offered = rlcompleter.Completer(names), []
    while (one := done.complete(text, len(offered))) is not None:
        offered.append(one.rstrip("()"))
    return set(offered)


def test_tab_shows_the_door_and_nothing_else():
    import potluck.api.local.run  # rooms that were loaded are not offered

    assert completed("potluck.", potluck=potluck) == {f"potluck.{name}" for name in potluck.__all__}
    assert dir(potluck) == sorted(potluck.__all__)
    shown = {name for name in vars(potluck) if not name.startswith("_")} - set(potluck.__all__)
    assert not [name for name in shown if not vars(potluck)[name].__name__.startswith("potluck.")]


def test_tab_completes_a_run_that_has_no_model_and_reads_no_file_for_it(tmp_path, monkeypatch):
    """A completer asks for each name's value; an error there would leave it with nothing to offer."""
    run = potluck.run(plan({"noise": "none"}), ROWS, out=tmp_path / "run")
    with pytest.raises(UsageError, match="has no model"):
        _ = run.model
    monkeypatch.setattr("potluck.api.results.outcome.frames", lambda folder: pytest.fail("read a file"))
    assert {"run.model", "run.metrics", "run.results", "run.report", "run.frames"} <= completed("run.", run=run)


def test_the_summary_of_a_plan_that_cannot_run_says_why(tmp_path):
    verdict = potluck.check(tmp_path / "none.toml")
    assert verdict.summary() == f"cannot run: {verdict.errors[0]}"
    assert "none.toml" in verdict.summary()
    assert repr(verdict) == verdict.summary()


def test_a_verdict_at_a_prompt_is_what_the_verb_says_and_warns(tmp_path, capsys):
    (tmp_path / "plan.toml").write_text(plan(NOISE | {"clip": 1.0}).text())
    cost, forecast, minded = repr(potluck.check(tmp_path / "plan.toml")).splitlines()
    assert command(cli, ["check", str(tmp_path / "plan.toml")]) == 0
    told = capsys.readouterr()
    out, err = (" ".join(one.split()) for one in told)
    assert cost.partition(", about ")[0] in out  # seconds are measured anew
    assert forecast in out
    assert minded == "mind: privacy.clip: is ignored beside statistics. hint: remove it"
    assert minded.removeprefix("mind: ") in err


def test_budget_says_what_the_verb_says_before_and_after_a_run(tmp_path, capsys):
    before = potluck.budget(plan(), ledger=tmp_path / "ledger")
    assert [one.spent for one in before.owners.values()] == [0.0, 0.0]
    (promised,) = {one.would_spend for one in before.owners.values()}
    assert 0.4 < promised <= 0.5
    potluck.run(plan(), ROWS, ledger=tmp_path / "ledger", out=tmp_path / "run")
    after = potluck.budget(plan(), ledger=tmp_path / "ledger")
    assert [one.spent for one in after.owners.values()] == pytest.approx([promised] * 2, rel=1e-6)
    (tmp_path / "plan.toml").write_text((tmp_path / "run" / "plan.toml").read_text())
    assert command(cli, ["budget", str(tmp_path / "plan.toml"), "--ledger", str(tmp_path / "ledger"), "--json"]) == 0
    assert json.loads(json.dumps(after.document())) == json.loads(capsys.readouterr().out)
    title, heads, *rows = str(after).splitlines()
    assert "composed at delta" in title
    assert [heads.index(name) for name in HEADS] == sorted(heads.index(name) for name in HEADS)
    assert [row.split()[0] for row in rows] == list(SITES)
    tree = Tree(after._repr_html_())
    assert tree.errors == []
    assert tree.named("script") == []
    assert SITES[1] in tree.words()


def test_a_runs_html_says_what_it_cost_and_its_numbers_and_has_no_script(tmp_path):
    evil = "<script>alert(2)</script>"
    rows = {site: frame.rename(columns={"age": evil}) for site, frame in ROWS.items()}
    made = plan().set("data.columns", {evil: {"kind": "number", "low": 0, "high": 120, "unit": evil}})
    made = made.set("statistics", [{"name": "mean_age", "kind": "mean", "column": evil}]).set("name", evil)
    run = potluck.run(made, rows, ledger=tmp_path / "ledger", out=tmp_path / "<script>run<")
    tree = Tree(run._repr_html_())
    assert tree.errors == []
    assert tree.named("script") == []
    said = tree.words()
    assert "<script>run<" in said
    assert evil in said
    assert "It cost each owner at most ε = 0.50" in said
    assert "95 %" in said.replace("\xa0", " ")


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook is told to show. kernel: None as in a terminal, where IPython is too."""
    shown = []

    class Handle:
        def update(self, one, *, raw):
            shown.append(one)

    def display(one, *, raw, display_id):
        assert raw
        assert display_id is True
        shown.append(one)
        return Handle()

    shell = SimpleNamespace(kernel=object())
    whole, part = ModuleType("IPython"), ModuleType("IPython.display")
    whole.get_ipython, part.display = lambda: shell, display
    monkeypatch.setitem(sys.modules, "IPython", whole)
    monkeypatch.setitem(sys.modules, "IPython.display", part)
    return shell, shown


def test_a_notebook_shows_how_far_a_run_is_in_one_place(notebook, tmp_path, capsys):
    _, shown = notebook
    potluck.run(plan({"noise": "none"}), ROWS, out=tmp_path / "run")
    assert [one["text/plain"] for one in shown] == [
        "begins: round 1 of at most 1, 2 sites",
        "statistics 1: round 1 of at most 1, 2 sites",
        "done: 1 round, 2 sites",
    ]
    assert [Tree(one["text/html"]).words().strip() for one in shown] == [one["text/plain"] for one in shown]
    assert [bool(Tree(one["text/html"]).named("progress")) for one in shown] == [True, True, False]
    assert capsys.readouterr() == ("", "")


def test_a_run_that_fails_says_so_in_its_line(notebook, tmp_path):
    _, shown = notebook
    rows = ROWS | {"north": pd.DataFrame({"age": ["x"]})}
    with pytest.raises(DataError):
        potluck.run(plan({"noise": "none"}), rows, out=tmp_path / "run")
    assert shown == []  # its rows were read before anything began

    def stop(ask):
        raise KeyboardInterrupt

    from potluck.api.local.progress import progress

    with pytest.raises(KeyboardInterrupt), progress(plan().spec, None, quiet=False):
        stop(None)
    assert shown[-1]["text/plain"] == "stopped after 0 rounds, 2 sites"


def test_a_notebook_shows_what_an_attack_tries_and_then_what_came_of_it(notebook, tmp_path):
    _, shown = notebook
    run = potluck.run(plan({"noise": "none"}), ROWS, out=tmp_path / "run", record=True, quiet=True)
    found = potluck.attack(run.folder, data=ROWS, minutes=1)
    first, *tried, last = [one["text/plain"] for one in shown]
    assert (first, last) == ("attack begins", "attack is done")
    assert tried
    assert all(one.startswith("attack: ") for one in tried)
    assert repr(found).splitlines()[: len(found.lines())] == found.lines()


@pytest.mark.parametrize("case", ["quiet", "a progress of one's own", "a terminal", "no IPython"])
def test_nothing_is_shown_where_nobody_looks(notebook, tmp_path, case, monkeypatch, capsys):
    shell, shown = notebook
    seen = []
    how = {"quiet": {"quiet": True}, "a progress of one's own": {"progress": seen.append}}.get(case, {})
    if case == "a terminal":
        shell.kernel = None
    if case == "no IPython":
        monkeypatch.delitem(sys.modules, "IPython")
    potluck.run(plan({"noise": "none"}), ROWS, out=tmp_path / "run", **how)
    assert shown == []
    assert len(seen) == ("progress" in how)
    assert capsys.readouterr() == ("", "")


KERNEL = """
import sys
from types import ModuleType, SimpleNamespace

shell = SimpleNamespace(config={"IPKernelApp": {}})  # by which DuckDB knows a notebook, when it is imported
sys.modules["IPython"] = ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: shell
sys.modules["ipywidgets"] = None
"""


@pytest.mark.slow
def test_rows_of_a_file_are_read_in_a_notebook_that_has_no_widgets(tmp_path):
    """There DuckDB has no progress bar, and refuses to be told so."""
    (tmp_path / "rows.csv").write_bytes("Größe;k\n1,5;1\n2,5;2\n".encode("latin-1"))

    def said(*lines):
        code = KERNEL + "\n".join(lines)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
        return done.stdout + done.stderr[-300:]

    bar = "duckdb.connect(':memory:').execute('SET enable_progress_bar = false')"
    assert "required package 'ipywidgets' is missing" in said("import duckdb", bar)  # the control
    read = "print(potluck.Plan.from_frames({'a': 'rows.csv', 'b': 'rows.csv'}).spec.data.columns)"
    assert "Größe" in said("import potluck", read)
