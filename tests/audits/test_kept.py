"""What `attack` and `audit` keep: no number of a row, and beside the run that they are about alone."""

import pandas as pd
import pytest

import potluck
from potluck.core.errors import UsageError
from potluck.report.page import render
from potluck.report.proof.kept import ATTACKS, AUDITS, Attacks, read
from support.audits.recorded import plan
from support.promises.plans import plan as promised


def test_attack_keeps_what_it_found_and_no_number_of_a_row(one_row):
    folder, spec, rows = one_row
    found = potluck.attack(folder, data=rows, minutes=0.5)
    assert found.kept == folder / ATTACKS
    kept_here = read(found.kept, Attacks, spec.hash)
    assert [each.name for each in kept_here.calls[-1].attacks] == [each.name for each in found.results]
    text = found.kept.read_text() + render(folder)
    cells = [cell for frame in rows.values() for cell in frame.iloc[0] if isinstance(cell, float)]
    numbers = [f"{abs(cell):.3f}" for cell in cells]
    assert len(numbers) == 15
    assert [number for number in numbers if number in text] == []


def test_an_audit_is_kept_beside_its_own_run_alone_and_never_of_an_owners_rows(tmp_path, one_row):
    spec = promised()
    with pytest.raises(UsageError, match="for that owner alone"):
        potluck.audit(spec, data=pd.DataFrame({"x": [1.0]}), run=one_row[0])
    with pytest.raises(UsageError, match="ran another plan"):
        potluck.audit(spec, run=one_row[0])
    exact = plan()
    found = potluck.audit(exact, run=one_row[0])
    assert found.kept == one_row[0] / AUDITS
    assert "No audit looked at a promise of this plan" in render(one_row[0])
