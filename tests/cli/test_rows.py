"""What owners are told of their rows in rehearsals: on their screen, and in no file that is passed on."""

import json

import pytest

import potluck
from potluck.core.errors import DataError
from potluck.learning.data import tally_words

TOLD = "a: target 'bought': "
NEGATIVE = 'data.target={column="bought", positive=["yes"], negative=["no"]}'


def lower(shops, site="a", count=27):
    """The first 27 buyers of a site are spelled in another case."""
    path = shops / f"{site}.csv"
    path.write_text(path.read_text().replace(",yes,", ",Yes,", count))


@pytest.mark.parametrize("verb", ["check", "run"])
def test_27_buyers_spelled_otherwise_are_told_on_stderr(shops, cli, verb, monkeypatch):
    lower(shops)
    out = ("--out", shops / "r") if verb == "run" else ()
    said = cli(verb, shops / "plan.toml", *out)
    assert said.code == 0, said.err
    line = next(line for line in said.err.splitlines() if TOLD in line)
    assert "of 2 kinds (27 differ in case alone). hint: data.target.negative" in line
    monkeypatch.setattr(tally_words, "words", lambda tally: [])  # the control: without the mend nothing is said
    again = cli(verb, shops / "plan.toml", *(("--out", shops / "r2") if verb == "run" else ()))
    assert (again.code, TOLD in again.err) == (0, False)


@pytest.mark.parametrize("verb", ["check", "run"])
def test_they_are_refused_where_the_plan_declares_what_is_negative(shops, cli, verb):
    said = cli(verb, shops / "plan.toml", "--set", NEGATIVE)
    assert said.code == 0, said.err  # the control
    assert TOLD not in said.err
    lower(shops)
    said = cli(verb, shops / "plan.toml", "--set", NEGATIVE)
    assert said.code == 2
    assert "a: column 'bought', lines " in said.err + said.out
    assert " and 22 more: a target value that the plan does not declare" in said.err + said.out
    assert "Yes" not in said.err + said.out


@pytest.mark.parametrize("noise", ["", 'privacy={noise="shared", unit="row", epsilon=2.0, delta=1e-5, clip=1.0}'])
@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_target_that_no_row_matches_stops_a_rehearsal(shops, cli, verb, noise):
    more = ("--set", noise, "--set", 'training={method="gradient", rounds=2, expected_rows=200}') if noise else ()
    lower(shops, count=80)
    said = cli(verb, shops / "plan.toml", *more)
    assert said.code == 2
    assert "a: target 'bought': none of 80 rows has a positive value (" in said.err + said.out
    assert "differ in case alone)" in said.err + said.out


def test_a_column_wholly_undeclared_stops_a_rehearsal(shops, cli):
    path = shops / "c.csv"
    path.write_text(path.read_text().replace("red", "RED").replace("green", "GREEN"))
    said = cli("run", shops / "plan.toml")
    assert said.code == 2
    assert "c: column 'kind': none of 80 values is a declared one (" in said.err
    assert 'values = ["red", "green"]' in said.err


def test_check_counts_by_site_in_its_json(shops, cli):
    said = cli("check", shops / "plan.toml", "--json")
    found = said.json["data"]["a"]
    text = (shops / "a.csv").read_text()
    kind = next(one for one in found["columns"] if one["column"] == "kind")
    assert (kind["values"], kind["undeclared"]) == (80, text.count("blue"))
    assert found["target"]["positive"] == text.count(",yes,")
    assert (found["target"]["other"], found["target"]["kinds"]) == (text.count(",no,"), 1)
    assert said.json["warnings"] == cli("check", shops / "plan.toml", "--json").json["warnings"]
    assert not any("kind" in line for line in said.json["warnings"] if "(attack gram)" not in line)


def test_counts_are_in_no_file_of_a_run(shops, cli):
    lower(shops)
    said = cli("run", shops / "plan.toml", "--out", shops / "r", "--json")
    assert TOLD in said.err
    written = {path.name: path.read_bytes() for path in (shops / "r").rglob("*") if path.is_file()}
    assert set(written) >= {"run.json", "details.json", "report.html"}
    for text in (b"differ in case", b"undeclared", b"clamped", b"are not declared"):
        assert [name for name, body in written.items() if text in body] == []
    assert "data" not in json.loads(said.out)


def test_in_python_the_run_has_the_counts_until_it_is_read_again(shops):
    lower(shops)
    done = potluck.run(shops / "plan.toml", out=shops / "r")
    assert [one.case for one in done.data["a"].targets] == [27]
    assert any(line.startswith(TOLD) for line in done.row_warnings())
    assert "differ in case" in done._repr_html_()
    assert potluck.check(shops / "plan.toml").data["a"] == done.data["a"]
    from potluck.api.results.outcome import Run

    assert Run.read(shops / "r").row_warnings() == []


def test_all_problems_of_a_source_are_told_at_once_by_check_and_run(shops, cli):
    path = shops / "d.csv"
    lines = path.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    cells[3][2], cells[5][3], cells[9][2] = "n/a", "", "oops"
    cells[7] = cells[7][:-1]
    path.write_text("\n".join(",".join(row) for row in cells) + "\n")
    said = cli("check", shops / "plan.toml", "--json")
    (error,) = said.json["errors"]
    assert error.startswith("d: 3 problems: ")
    for part in (
        "column 'x1', lines 4, 10: nan",
        "line 8 has 5 columns",
        "column 'x 2' has no value in 1 row (line 6)",
    ):
        assert part in error
    with pytest.raises(DataError, match="3 problems"):
        potluck.run(shops / "plan.toml", out=shops / "r")
