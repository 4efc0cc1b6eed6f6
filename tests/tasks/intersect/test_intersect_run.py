"""`run` intersects as the plan says: files in, a size or members out, and nothing that was not asked for."""

import csv
import json

import pandas as pd
import pytest

import potluck
from potluck.api.local.check import check
from potluck.core.errors import DataError, PlanError
from support.places import ROOT

SITES = ("ann", "bob")


def plan(sites=SITES, data=None, federation=None, privacy=None, **align):
    """A plan that intersects by column id; on a curve, so that it needs no engine."""
    return potluck.Plan(
        name="p",
        purpose="x",
        task="intersect",
        federation={"sites": list(sites), **(federation or {})},
        data=data or {},
        privacy=privacy or {"noise": "none"},
        align={"keys": ["id"], "protocol": "ecdh", **align},
    )


def frames(*columns):
    """A frame a site, with another column that is nobody's business."""
    names = ("ann", "bob", "cid")[: len(columns)]
    return {name: pd.DataFrame({"id": one, "age": 1}) for name, one in zip(names, columns, strict=True)}


def ran(tmp_path, made, data, number=1, **more):
    return potluck.run(made, data, out=tmp_path / f"run{number}", ledger=tmp_path / "ledger", **more)


def test_members_are_the_first_receivers_own_texts_in_one_order(tmp_path):
    odd = ["a,b", 'say "x"', "line\nbreak", " Zo\u00eb ", "0001", "x"]
    data = frames(odd, ["0001", "1", "Zoe\u0308", "line\nbreak", 'say "x"', "y", "a,b"])
    found = ran(tmp_path, plan(reveal="members"), data)
    assert found.size == 5
    with found.members.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["id"]
    assert sorted(line[0] for line in lines[1:]) == sorted(odd[:5])
    turned = ran(tmp_path, plan(reveal="members", to=["bob"]), {**data, "ann": data["ann"][::-1]}, 2)
    with turned.members.open(encoding="utf-8", newline="") as file:
        theirs = [line[0] for line in csv.reader(file)][1:]
    mine = [line[0].strip() for line in lines[1:]]
    assert [name.replace("Zoe\u0308", "Zo\u00eb") for name in theirs] == mine
    assert found.members.stat().st_mode & 0o077 == 0


def test_a_size_alone_is_the_size_alone(tmp_path):
    found = ran(tmp_path, plan(), frames(["a", "b", "c"], ["b", "c", "d"]), compare=True)
    document = json.loads((tmp_path / "run1" / "run.json").read_text())
    assert (document["size"], document["members"], document["plain_size"], document["reused"]) == (2, None, 2, False)
    assert found.members is None
    page = (tmp_path / "run1" / "report.html").read_text()
    assert "2 keys" in page or "Two keys" in page
    assert "not private" in page
    assert not list((tmp_path / "run1").glob("*.csv"))


def test_three_sites_find_what_all_have(tmp_path):
    data = frames(["a", "b", "c"], ["b", "c", "d"], ["c", "b", "e"])
    found = ran(tmp_path, plan(("ann", "bob", "cid"), reveal="members"), data)
    assert found.size == 2
    assert sorted(found.members.read_text().split()) == ["b", "c", "id"]


def test_unchanged_keys_are_matched_once_and_changed_ones_anew(tmp_path):
    data = frames(["a", "b", "c"], ["b", "c", "d"])
    first = ran(tmp_path, plan(reveal="members"), data)
    shuffled = {name: frame[::-1] for name, frame in data.items()}
    again = ran(tmp_path, plan(reveal="members"), shuffled, 2)
    assert (first.document["reused"], again.document["reused"]) == (False, True)
    assert first.members.read_bytes() == again.members.read_bytes()
    steps = {json.loads(line)["step"] for line in (tmp_path / "run2" / "transcript.jsonl").read_text().splitlines()}
    assert "psi/sets" not in steps
    data["bob"].loc[2, "id"] = "a"
    third = ran(tmp_path, plan(reveal="members"), data, 3)
    assert (third.document["reused"], third.size) == (False, 3)
    sized = ran(tmp_path, plan(), data, 4)
    assert sized.document["reused"] is False
    for path in (tmp_path / "ledger").rglob("*.alignment"):
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_a_broken_kept_alignment_is_no_alignment(tmp_path):
    data = frames(["a", "b"], ["b", "c"])
    ran(tmp_path, plan(), data)
    for path in (tmp_path / "ledger").rglob("*.alignment"):
        path.write_bytes(b"\xc1nonsense")
    assert ran(tmp_path, plan(), data, 2).document["reused"] is False


def test_keys_that_come_again_or_are_empty_are_refused_by_line_and_not_by_value(tmp_path):
    file = tmp_path / "ann.csv"
    file.write_text("id,x\nsecret,1\nother,2\nsecret ,3\n", encoding="utf-8")
    data = {"ann": file, "bob": frames([], ["other", "secret"])["bob"]}
    with pytest.raises(DataError, match="ann: lines whose key occurs before: 4") as caught:
        ran(tmp_path, plan(), data)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "run1").exists()
    assert ran(tmp_path, plan(duplicates="first"), data).size == 2
    file.write_text("id,x\nsecret,1\n,2\n?,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="ann: lines without a key: 3, 4"):
        ran(tmp_path, plan(data={"missing": ["", "?"]}, duplicates="first"), data, 2)


def test_columns_by_place_several_keys_and_numbers_of_a_frame(tmp_path):
    file = tmp_path / "ann.csv"
    file.write_text("1,x,2000\n2,y,2001\n", encoding="utf-8")
    columns = {name: {"kind": "ignore"} for name in ("id", "name", "born")}
    made = plan(data={"header": False, "columns": columns}, keys=["id", "born"], reveal="members")
    bob = tmp_path / "bob.csv"
    bob.write_text("2,z,2001\n1,x,2001\n", encoding="utf-8")
    found = ran(tmp_path, made, {"ann": file, "bob": bob})
    assert found.members.read_text() == "id,born\n2,2001\n"
    mixed = {"ann": pd.DataFrame({"id": [1, 2, 3]}), "bob": pd.DataFrame({"id": ["1", "02", "3"]})}
    assert ran(tmp_path, plan(), mixed, 2).size == 2


def test_empty_sides_and_too_many_rows(tmp_path):
    assert ran(tmp_path, plan(), frames([], ["a"])).size == 0
    with pytest.raises(DataError, match="max_rows"):
        ran(tmp_path, plan(data={"max_rows": 2}), frames(["a", "b", "c"], ["a"]), 2)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: plan(("ann",)), "two sites or more"),
        (lambda: plan(federation={"dropouts": 1}), "takes every site"),
        (lambda: plan(privacy={"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}), 'noise = "none"'),
        (lambda: plan(to=["dan"]), "dan is no site"),
        (lambda: plan(to=["ann", "ann"]), "there twice"),
        (lambda: plan(keys=[]), "is empty"),
        (lambda: plan(keys=["id", "id"]), "there twice"),
        (lambda: plan(data={"header": False}), "not declared"),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(made, said):
    verdict = check(made())
    assert not verdict.ok
    assert any(said in line and ". hint: " in line for line in verdict.errors), verdict.errors
    with pytest.raises(PlanError):
        made().require()


def test_check_rehearses_with_made_up_keys_and_reads_the_files(tmp_path):
    verdict = check(plan())
    assert verdict.ok
    assert verdict.bytes_up > 32 * 1000
    assert any("1000 made-up keys" in line for line in verdict.warnings)
    few = check(plan(data={"max_rows": 7}))  # an owner refuses more keys than a site may have rows
    assert few.ok, few.errors
    assert any("7 made-up keys" in line for line in few.warnings)
    for name in SITES:
        (tmp_path / f"{name}.csv").write_text("id\nx\nx\n", encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(
        'version = 1\nname = "p"\npurpose = "x"\ntask = "intersect"\n[federation]\nsites = ["ann", "bob"]\n'
        '[data.files]\nann = "ann.csv"\nbob = "bob.csv"\n[align]\nkeys = ["id"]\nprotocol = "ecdh"\n'
        '[privacy]\nnoise = "none"\n',
        encoding="utf-8",
    )
    refused = check(path)
    assert not refused.ok
    assert "ann: lines whose key occurs before: 3" in refused.errors[0]


def test_the_words_of_a_column_are_read_by_nobody_but_the_keys(tmp_path):
    """A file whose other columns are garbled is none of the intersection's business."""
    file = tmp_path / "ann.csv"
    file.write_text("id,age\na,nan\nb,inf\n", encoding="utf-8")
    assert ran(tmp_path, plan(), {"ann": file, "bob": frames([], ["a"])["bob"]}).size == 1


@pytest.mark.slow
def test_two_sites_by_their_engines(tmp_path, mpc_engine):
    made = plan(protocol="rr22", reveal="members")
    found = ran(tmp_path, made, frames(["a", "b", "c"], ["b", "c", "d"]))
    assert found.size == 2
    assert sorted(found.members.read_text().split()) == ["b", "c", "id"]


def test_the_example_runs(tmp_path):
    path = ROOT / "examples" / "intersect_clinics.toml"
    found = potluck.run(path, out=tmp_path / "run", ledger=tmp_path / "ledger", compare=True)
    assert found.size == found.document["plain_size"] == 5
    assert found.members.read_text(encoding="utf-8").startswith("name,born\n")
