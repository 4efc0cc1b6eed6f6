"""Rows that do not fit the plan: their owner hears of it, and nobody else does.

The mistake comes first (nobody hears of it), the attack after it: a server that would learn of rows by what a site says
of them, or by whether it stops.
"""

import re
import threading

import msgspec
import pandas as pd
import pytest

from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.cli import potluck
from potluck.cli.door import run as call
from potluck.core.errors import DataError, Refused
from potluck.core.plan import PrivacyPlan, digest
from potluck.learning.data import table
from potluck.learning.data.tally_words import required
from potluck.owner.access import read
from potluck.tasks.sums import site as part
from support.hostile.proposals import proposal
from support.parties import across, scene
from support.parties.across import Across, quick

RUN = "ab" * 16
CLAMPED = "column 'x': all 40 values are outside the declared range (40 above high)"


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("silent"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def rows(fed, name="b", **columns):
    path = fed.folder / name / "rows.csv"
    frame = pd.read_csv(path)
    frame.assign(**{one: change(frame) for one, change in columns.items()}).to_csv(path, index=False)


def centimetres(fed):
    """Every value of one column at b is beyond the declared range."""
    rows(fed, x=lambda frame: 100 + frame.x)


def counted(fed, name="b"):
    return [entry.why for entry in read(fed.folder / name / "access.jsonl").entries if entry.event == "rows"]


def asked(fed, spec, name="b"):
    """A plan waits for a person at a site."""
    policy = fed.folder / name / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', 'rule = "person"'))
    with fed.site(name, threading.Event()) as one:
        assert one._consent.decide(RUN, proposal(fed, spec)).verdict == "pending"


def noisy():
    return quick(scene.plan(privacy=scene.SHARED))


def test_a_sites_owner_is_told_of_clamped_values_in_a_run_with_noise_and_the_server_is_not(fed):
    rows(fed, x=lambda frame: frame.x.where(frame.index >= 5, 100))
    with fed.attending(*"abcd"):
        fed.run(noisy(), wait=60.0)
    line = next(text for text in fed.heard["b"] if "column 'x': " in text)
    assert "of 40 values are clamped (5 above high)" in line.replace("6 above", "5 above")
    assert any("are clamped" in why for why in counted(fed)[0])
    # Nobody else hears of it: not the server's screen, its journal or its home, nor another site.
    assert not [text for _, text in fed.said if "clamped" in text or "'x'" in text]
    assert not [text for text in fed.heard["c"] if "'x': 5" in text]
    written = b"".join(path.read_bytes() for path in [fed.folder / f"{RUN}.sqlite", *_files(fed.folder / "fed")])
    assert b"clamped" not in written
    assert b"clamped" in (fed.folder / "b" / "access.jsonl").read_bytes()  # the control: it would be found


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_run_with_noise_across_machines_does_not_stop_over_a_column_that_fits_nowhere(fed):
    centimetres(fed)
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(noisy(), wait=60.0)
    assert outcome.model is not None
    assert any("40 of 40 values are clamped" in text for text in fed.heard["b"])


def test_the_control_a_site_that_stopped_would_tell_the_server_of_its_rows(fed, monkeypatch):
    def stopping(plan, tally, where):
        required(tally, where)
        return ()

    monkeypatch.setattr(part, "for_owner", stopping)
    centimetres(fed)
    with pytest.raises(Refused, match=r"b cannot carry it out \(data\)"), fed.attending(*"abcd"):
        fed.run(noisy(), wait=60.0)


def test_a_run_without_noise_stops_over_a_column_that_fits_nowhere_and_names_it_to_its_owner(fed):
    centimetres(fed)
    with pytest.raises(Refused) as caught, fed.attending(*"abcd"):
        fed.run(quick(scene.plan()), wait=60.0)
    assert "b cannot carry it out (data)" in str(caught.value)
    assert "'x'" not in str(caught.value)
    assert any(CLAMPED in text for text in fed.heard["b"])
    assert counted(fed) == []


def test_a_run_without_noise_stops_where_no_row_matches_the_target(fed):
    rows(fed, y=lambda frame: frame.y.map({0: "no", 1: "YES"}))
    with pytest.raises(Refused, match=r"b cannot carry it out \(data\)"), fed.attending(*"abcd"):
        fed.run(quick(scene.plan()), wait=60.0)
    assert any("target 'y': none of 40 rows has a positive value" in text for text in fed.heard["b"])


def test_the_inbox_repeats_what_the_preview_counted_and_reads_no_row(fed, capsys):
    spec = noisy()
    asked(fed, spec)
    home = fed.folder / "b"
    assert inbox.inbox(home)[0].rows[0].startswith("not counted yet: ")
    rows(fed, x=lambda frame: frame.x.where(frame.index >= 5, 100))
    shown = preview(home, digest(spec).hex())
    assert shown.document()["data"]["columns"][0]["above"] >= 5
    (home / "rows.csv").unlink()
    lines = inbox.inbox(home)[0].rows
    assert any("column 'x': " in line and "are clamped" in line for line in lines)
    assert counted(fed) == [tuple(lines)]
    assert call(potluck, ["site", "inbox", str(home)]) == 0
    assert "rows: column 'x': " in capsys.readouterr().out


def test_a_preview_stops_over_a_column_that_fits_nowhere_also_with_noise(fed):
    spec = noisy()
    asked(fed, spec)
    preview(fed.folder / "b", digest(spec).hex())  # the control
    centimetres(fed)
    with pytest.raises(DataError, match="all 40 values are outside"):
        preview(fed.folder / "b", digest(spec).hex())


def test_a_plan_that_leaves_all_but_one_row_out_of_a_statistic_meets_the_owners_min_rows(fed):
    """Each statistic counts: a plan names so many texts "no value" that one row is left."""
    policy = fed.folder / "b" / "policy.toml"
    policy.write_text(policy.read_text().replace("[approve]", "min_rows = 10\n[approve]"))
    rows(fed, x=lambda frame: frame.x.where(frame.index == 7, -9))
    spec = statistics(missing=("-9",), column="x")
    with pytest.raises(Refused, match=r"b cannot carry it out \(data\)"), fed.attending(*"abcd"):
        fed.run(spec, wait=60.0)
    assert any("min_rows (10)" in text for text in fed.heard["b"])
    with fed.attending(*"abcd"):  # the control: the other column has all its rows
        fed.run(statistics(missing=("-9",), column="z"), run="cd" * 16, wait=60.0)


def statistics(missing: tuple[str, ...], column: str):
    plan = scene.plan()
    bounds = {"kind": "number", "low": -3, "high": 3, "missing": "drop"}
    plan = plan.set("task", "statistics").set("data", {"columns": {"x": bounds, "z": bounds}, "missing": list(missing)})
    plan = plan.set("statistics", [{"name": "m", "kind": "mean", "column": column}])
    return quick(plan)


def visits(fed, name="b", each=2):
    """A plan of means over persons, of whom each has so many of a site's 40 rows; its owner allows it."""
    policy = fed.folder / name / "policy.toml"
    policy.write_text(policy.read_text().replace("[approve]", 'person = ["who"]\n[approve]'))
    rows(fed, name, who=lambda frame: [f"p{row % (len(frame) // each)}" for row in range(len(frame))])
    spec = statistics(missing=(), column="x")
    data = msgspec.structs.replace(spec.data, person="who")
    privacy = PrivacyPlan(noise="shared", unit="person", epsilon=1.0, delta=1e-5, rows_per_person=1)
    return msgspec.structs.replace(spec, data=data, privacy=privacy)


USED = ("40 rows read, 20 rows used", "rows that are used are of 20 different persons")
BEYOND = "20 of 40 rows are left out: beyond the first row of a person (privacy.rows_per_person)"


def test_rows_of_persons_that_are_left_out_are_told_in_inbox_preview_and_the_sites_own_log(fed, monkeypatch):
    spec = visits(fed)
    asked(fed, spec)
    home, which = fed.folder / "b", digest(spec).hex()
    shown = preview(home, which).document()
    assert (shown["rows"], shown["data"]["beyond"], shown["data"]["statistics"]) == (20, 20, {"m": 20})
    assert counted(fed) == [(*USED, BEYOND)]
    assert inbox.inbox(home)[0].rows == [*USED, BEYOND]
    inbox.decide(home, "approve", which, "anna")
    with fed.site("b", threading.Event()) as one:
        assert one._consent.decide(RUN, proposal(fed, spec)).verdict == "granted"
    assert any(line.endswith(BEYOND) for line in fed.heard["b"])
    assert counted(fed) == [(*USED, BEYOND)] * 2
    monkeypatch.setattr(table, "counted", lambda plan, person, index: index)  # the control: nobody hears of it
    assert preview(home, which).document()["data"]["beyond"] == 0


def test_training_rows_of_persons_that_are_left_out_are_told_to_their_site_and_to_nobody_else(fed):
    """Of whom each has two of b's 40 rows; elsewhere each has one."""
    for name in "abcd":
        visits(fed, name, each=2 if name == "b" else 1)
    spec = quick(scene.plan(privacy={**scene.SHARED, "unit": "person", "rows_per_person": 1, "evaluation": 0.2}))
    spec = msgspec.structs.replace(spec, data=msgspec.structs.replace(spec.data, person="who"))
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(spec, wait=60.0)
    assert outcome.model is not None
    said = "left out: beyond the first row of a person (privacy.rows_per_person)"
    found = [re.search(r"(\d+) of (\d+) training rows are " + re.escape(said), text) for text in fed.heard["b"]]
    (training,) = filter(None, found)
    assert 2 * int(training[1]) == int(training[2])
    assert not [text for name in "acd" for text in fed.heard[name] if "rows_per_person" in text]
    assert not [text for _, text in fed.said if "left out" in text]
    written = b"".join(path.read_bytes() for path in [fed.folder / f"{RUN}.sqlite", *_files(fed.folder / "fed")])
    assert said.encode() not in written
    assert said.encode() in (fed.folder / "b" / "access.jsonl").read_bytes()  # the control: it would be found


def test_rows_of_persons_that_are_left_out_do_not_make_up_for_the_owners_min_rows(fed, monkeypatch):
    spec = visits(fed)
    policy = fed.folder / "b" / "policy.toml"
    policy.write_text(policy.read_text().replace("[approve]", "min_rows = 30\n[approve]"))
    with fed.site("b", threading.Event()) as one:
        assert one._consent.decide(RUN, proposal(fed, spec)).codes == ("data",)
    monkeypatch.setattr(table, "counted", lambda plan, person, index: index)  # the control: 40 rows of 20 persons
    with fed.site("b", threading.Event()) as one:
        assert one._consent.decide("cd" * 16, proposal(fed, spec)).verdict == "granted"
