"""The notebook runs from its first cell to its last, as it stands, and shows what it says it shows."""

import shutil
from importlib.util import find_spec

import pytest

from support.docs.notebooks import cells, shown
from support.docs.pages import ROOT

NOTEBOOK = ROOT / "examples" / "pictures.ipynb"


@pytest.mark.skipif(find_spec("torch") is None, reason="needs the networks extra")
def test_the_notebook_runs_and_shows_curves_right_and_wrong_and_who_saw_what(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "clothes", tmp_path / "clothes")
    monkeypatch.chdir(tmp_path)
    files, outline, check, views, run, confusion, seen, said = shown(NOTEBOOK)
    assert files.startswith("picture,kind\n")
    assert "26,858 parameters trained" in outline
    assert "12 looks at validation rows" in check
    assert "masked" in views
    assert "Accuracy, federated" in run
    assert run.count("<svg") == 2  # loss and accuracy by round
    assert confusion.count("<tr") == 11
    assert "server sees north's update: masked, the sum: sum" in seen
    assert "is said of" in said
    counts = [int(cell) for cell in confusion.replace("<td>", "</td>").split("</td>")[1::2]]
    right = sum(counts[11 * place] for place in range(10))
    assert right > 0.6 * sum(counts)
    assert {item.name for item in tmp_path.iterdir()} <= {"clothes", "clothes.graph", "shops", "runs", "ledger"}


def test_the_notebook_keeps_what_its_cells_showed():
    """Who reads it without running it sees what comes of it."""
    assert [one["execution_count"] for one in cells(NOTEBOOK)] == list(range(1, 9))
    assert all(one["outputs"] for one in cells(NOTEBOOK))
    assert NOTEBOOK.stat().st_size < 2**17
