"""Claims about who may read what a run leaves, exact figures of sites among it: its owner alone, whatever the umask."""

import os
import stat

import pytest
from click.testing import CliRunner

import potluck
from potluck.api.local import score as scoring
from potluck.api.local.demo import demo_plan
from potluck.cli import potluck as group
from potluck.core import private
from support.code import nodes, sources

SHORT = ["training.rounds=2"]


@pytest.fixture(autouse=True)
def usual():
    """The umask that most machines have: what a program does not forbid, all may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable(*places):
    """Files and folders that others than their owner may read, enter or write."""
    found = [path for place in places for path in (place, *place.rglob("*"))]
    assert len(found) > len(places)
    return {str(path) for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077}


def test_nobody_else_reads_what_a_run_leaves_and_what_compare_says_of_each_site(tmp_path):
    out, ledger = tmp_path / "runs" / "one", tmp_path / "ledger"
    done = potluck.run(demo_plan(SHORT), out=out, ledger=ledger, compare=True, record=True)
    done.report(tmp_path / "mine.html")
    done.report()
    names = {path.name for path in out.rglob("*")}
    assert {"run.json", "details.json", "model.json", "plan.toml", "report.html", "index.jsonl"} <= names
    assert "by_site" in (out / "run.json").read_text()
    assert readable(out, ledger) == set()
    assert stat.S_IMODE((tmp_path / "mine.html").stat().st_mode) == 0o600


def test_the_attack_another_user_read_exact_metrics_by_site(tmp_path, monkeypatch):
    """The control: with the modes that a program gives without a thought, the umask leaves all of it readable."""
    monkeypatch.setattr(private, "FILE", 0o666)
    monkeypatch.setattr(private, "FOLDER", 0o777)
    out = tmp_path / "run"
    potluck.run(demo_plan(SHORT), out=out, ledger=tmp_path / "ledger", compare=True)
    assert {str(out), str(out / "run.json"), str(out / "details.json"), str(out / "report.html")} <= readable(out)


def test_a_demo_and_its_ledgers_are_its_owners_alone(tmp_path):
    out = tmp_path / "demo"
    done = CliRunner().invoke(group, ["demo", "--out", str(out), "--set", SHORT[0], "-q", "--json"])
    assert done.exit_code == 0
    assert any(path.suffix == ".sqlite" for path in out.rglob("*"))
    assert readable(out) == set()


def test_statistics_and_networks_are_no_exception(tmp_path):
    network = ['model={kind="network"}', 'training={method="average", rounds=1}', 'privacy={noise="none"}']
    potluck.run(demo_plan(network), out=tmp_path / "net", ledger=tmp_path / "ledger")
    assert (tmp_path / "net" / "model.safetensors").is_file()
    counts = ['task="statistics"', 'statistics=[{name="n", kind="count"}]']
    potluck.run(demo_plan(counts), out=tmp_path / "counts", ledger=tmp_path / "ledger")
    assert readable(tmp_path / "net", tmp_path / "counts", tmp_path / "ledger") == set()


def test_scores_of_rows_are_their_owners_alone(tmp_path):
    done = potluck.run(demo_plan(SHORT), out=tmp_path / "run", ledger=tmp_path / "ledger")
    rows = demo_plan().folder / demo_plan().spec.data.files["cleveland"]
    header = ",".join(demo_plan().spec.data.columns)
    (tmp_path / "rows.csv").write_text(f"{header}\n{rows.read_text().splitlines()[0]}\n")
    scoring.score(done.folder / "model.json", tmp_path / "rows.csv", tmp_path / "scores.csv")
    assert stat.S_IMODE((tmp_path / "scores.csv").stat().st_mode) == 0o600


def test_a_file_and_a_folder_that_are_there_keep_their_modes(tmp_path):
    (tmp_path / "file").write_text("old, and long")
    (tmp_path / "file").chmod(0o640)
    private.write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    private.folder(tmp_path, taken=True)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before
    with pytest.raises(FileExistsError):
        private.folder(tmp_path)


def test_no_file_of_a_run_is_written_past_the_one_way_that_keeps_it_private():
    rooms = ("api/", "drivers/", "learning/", "owner/", "parties/", "report/", "tasks/")
    looked = [path for path in sources() if path.startswith(rooms)]
    assert len(looked) > 100
    words = [path for path in looked if "write_text" in sources()[path] or "write_bytes" in sources()[path]]
    for path in words:  # parsed where there is such a word
        past = [one.lineno for one in nodes(path) if getattr(one, "attr", "") in ("write_text", "write_bytes")]
        assert past == [], f"{path}: core.private writes what a run leaves"
