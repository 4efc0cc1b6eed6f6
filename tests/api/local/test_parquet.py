"""A plan's files may be Parquet: `run` and `check` read what `up` and a real site read."""

from pathlib import Path

import pandas as pd
import pytest

from potluck.api.local.check import check
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.core.errors import DataError

BOTH = """
version = 1
name = "both"
purpose = "how many are at both"
task = "{task}"
[federation]
sites = ["north", "south"]
server = "curious"
[data.files]
north = "north.csv"
south = "south.parquet"
[privacy]
noise = "none"
"""
MATCHED = BOTH.format(task="intersect") + '[align]\nkeys = ["id"]\nprotocol = "ecdh"\nreveal = "members"\n'
MEANS = BOTH.format(task="statistics") + (
    '[data.columns]\nage = { kind = "number", low = 0, high = 100 }\n'
    '[protect]\nwith = "clear"\n[[statistics]]\nname = "age"\nkind = "mean"\ncolumn = "age"\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    north = pd.DataFrame({"id": ["01", "02", "03"], "age": [10, 20, 30]})
    south = pd.DataFrame({"id": ["03", "2", "01"], "age": [40, 50, 60]})
    north.to_csv(tmp_path / "north.csv", index=False)
    south.to_parquet(tmp_path / "south.parquet")
    return tmp_path


def plan(folder: Path, text: str) -> Plan:
    (folder / "plan.toml").write_text(text)
    return Plan.read(folder / "plan.toml")


def test_keys_of_parquet_match_those_of_csv(folder: Path) -> None:
    found = run(plan(folder, MATCHED), out=folder / "out")
    assert (folder / "out" / "members.csv").read_text().splitlines()[0] == "id"
    assert sorted((folder / "out" / "members.csv").read_text().split()[1:]) == ["01", "03"]
    assert found.document["size"] == 2


def test_statistics_take_parquet_by_file_and_by_path_alike(folder: Path) -> None:
    by_file = run(plan(folder, MEANS), out=folder / "one").document["results"]
    paths: dict[str, str | Path] = {"north": folder / "north.csv", "south": str(folder / "south.parquet")}
    assert run(plan(folder, MEANS), data=paths, out=folder / "two").document["results"] == by_file
    assert by_file["age"]["value"] == pytest.approx(35, abs=1e-3)


def test_a_parquet_file_that_is_none_or_not_there_is_said(folder: Path) -> None:
    asked = plan(folder, MATCHED)
    (folder / "south.parquet").write_text("id\n1\n")
    assert "south.parquet cannot be read as Parquet" in check(asked).errors[0]
    (folder / "south.parquet").unlink()
    assert check(asked).ok
    with pytest.raises(DataError, match="south: no such file") as caught:
        run(asked, out=folder / "out")
    assert "policy" not in str(caught.value)
    assert not (folder / "out").exists()
