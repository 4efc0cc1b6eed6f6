"""Each notebook runs from its first cell to its last, as it stands, and shows what it says it shows."""

import re
import shutil
from importlib.util import find_spec

import pytest

from support.docs.notebooks import cells, kept, shown
from support.docs.pages import ROOT

EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.fixture
def carried_out(tmp_path, monkeypatch):
    """carried_out(notebook, folders) -> what each cell shows, in a folder with these of the examples."""

    def run(name, *folders):
        for one in folders:
            shutil.copytree(EXAMPLES / one, tmp_path / one)
        monkeypatch.chdir(tmp_path)
        return shown(EXAMPLES / f"{name}.ipynb")

    return run


@pytest.mark.slow
def test_the_first_plan_is_drafted_from_files_as_hospitals_have_them_and_runs(carried_out, tmp_path):
    files, draft, plan, check, views, run, pictures, budget, scores = carried_out("first_plan")
    assert files.startswith("Fallnummer;Geburtsdatum;")
    assert (tmp_path / "va.csv").read_bytes().count("Größter Puls".encode("latin-1")) == 1
    assert "# Fallnummer: all its texts differ: an ID, or a name" in draft
    assert 'age = { kind = "years", from = "Geburtsdatum"' in draft
    assert plan == "Plan('Herzkrank', task='train', with='mask')"
    assert "epsilon 1 at each owner" in check
    assert "masked" in views
    assert "AUC, federated" in run
    assert "What was spent of one row's privacy" in pictures
    assert budget.count("<tr>") == 4
    assert all(0 <= float(one) <= 1 for one in scores.strip("[]\n").split())
    assert len(scores.split()) >= 3
    assert {item.name for item in tmp_path.iterdir()} <= {"cleveland.csv", "hungarian.csv", "va.csv", "runs", "ledger"}


@pytest.mark.slow
def test_survival_is_that_of_the_pooled_rows_and_what_the_notebook_keeps(carried_out):
    """R's `survival` has medians of 310, 270 and 426 days for all rows in one place: these bins of 30 days."""
    rows, check, patients, alive, medians, hazards, noised = carried_out("survival", "lung")
    assert rows.count("<tr") == 4
    assert "statistics.hazards.bins" in check
    keeps = kept(EXAMPLES / "survival.ipynb")
    assert keeps[2].endswith(patients)
    assert keeps[4] == medians
    cut = [float(one) for one in re.findall(r"<td>(\d+\.\d)</td>", medians)][::3]
    assert cut == [300, 270, 420]
    assert "beneath: at risk, sex = 1 / sex = 2" in alive
    assert {"sex=2", "ecog=3"} <= set(hazards.split("\n"))
    assert "share without an event" in noised


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_two_exact_sums_give_a_patient_away_and_noise_costs_what_the_notebook_says(carried_out):
    rows, total, apart, noised, odds, budget, aucs, _, ahead = carried_out("noise")
    assert rows == "{'cleveland': 303, 'hungarian': 271, 'switzerland': 123, 'va': 193}"
    assert apart.split("\n")[0].split()[-1] == apart.split("\n")[1].split()[-1] == "233.0"
    exact, low, high = float(total), *map(float, re.search(r"between (\d+) and (\d+)", noised).groups())
    assert high - low > 20 * 233
    assert high - low < 0.1 * exact  # about three percent to either side
    assert "epsilon   1: right in at most 73.1 of 100 cases" in odds
    assert budget.count("<tr>") == 5
    found = [float(one) for one in re.findall(r"<td>(0\.\d+)</td>", aucs)]
    weak, strong = found[::3], found[2::3]
    assert max(weak) - min(weak) > 5 * (max(strong) - min(strong))
    assert len(ahead.splitlines()) == 3


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs the networks extra")
def test_pictures_are_learnt_and_it_is_shown_what_for_which_and_who_saw_what(carried_out, tmp_path):
    files, outline, check, views, run, confusion, seen, said = carried_out("pictures", "clothes")
    assert files.startswith("picture,kind\n")
    assert "26,858 parameters trained" in outline
    assert "12 looks at validation rows" in check
    assert "masked" in views
    assert "Accuracy, federated" in run
    assert run.count("<svg") == 2  # loss and accuracy by round
    assert "server sees north's update: masked, the sum: sum" in seen
    assert "is said of" in said
    counts = [int(one) for one in confusion.split("\n") if one.isdigit()]
    assert len(counts) == 100
    right = sum(counts[11 * place] for place in range(10))
    assert right > 0.6 * sum(counts)
    assert {item.name for item in tmp_path.iterdir()} <= {"clothes", "clothes.graph", "shops", "runs", "ledger"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_what_its_cells_showed(path):
    """Who reads it without running it sees what comes of it, and nothing of the machine that it ran on."""
    found = cells(path)
    assert [one["execution_count"] for one in found] == list(range(1, len(found) + 1))
    assert all(one["outputs"] for one in found)
    assert not [out for one in found for out in one["outputs"] if out["output_type"] == "error"]
    assert "PosixPath" not in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 2**18


def test_there_are_four():
    assert {one.stem for one in NOTEBOOKS} == {"first_plan", "survival", "pictures", "noise"}
