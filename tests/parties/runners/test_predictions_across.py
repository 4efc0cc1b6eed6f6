"""What a model says of an owner's own rows, across machines: its policy asks for it, and no letter is another."""

import json
import stat
import time

import pandas as pd
import pytest

from potluck.drivers.sums import Sums
from potluck.learning.loops import build
from support.parties import across, scene
from support.parties.across import Across, quick

RUN = "ab" * 16
KEEP = "[keep]\npredictions = true\n"


def wants(fed, *names):
    for name in names:
        policy = fed.folder / name / "policy.toml"
        policy.write_text(policy.read_text() + KEEP)


def left(fed):
    """By site: the file in its home."""
    return {path.parts[-4]: path for path in fed.folder.glob("*/own/*/predictions.csv")}


def letters(folder):
    """What the server read of the sites in rounds, by round, step and sender."""
    found = {}
    for line in (folder / "index.jsonl").read_text().splitlines():
        one = json.loads(line)
        if one["from"] != one["to"]:  # what it said or found itself
            found[one["round"], one["step"], one["from"]] = (folder / one["file"]).read_bytes()
    return found


def test_owners_who_want_them_have_them_and_no_letter_is_another(founded, tmp_path):
    read = {}
    for wanted in ("", "ac"):
        fed = Across(across.copy(founded, tmp_path / f"f{wanted}"))
        wants(fed, *wanted)
        with fed.attending(*"abcd"):
            outcome, _ = fed.run(quick(scene.plan(word="clear")), record=tmp_path / f"read{wanted}")
        read[wanted] = letters(tmp_path / f"read{wanted}")
        assert set(left(fed)) == set(wanted)
        for name, path in left(fed).items():
            frame = scene.frames()[name]
            found = pd.read_csv(path)
            assert found["row"].tolist() == list(range(len(frame)))
            assert found["score"].tolist() == outcome.model.scores(frame).tolist()
            assert set(found["split"]) == {"train", "test"}
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        for name in "abcd":
            told = [line for line in fed.heard[name] if "predictions" in line]
            assert bool(told) == (name in wanted)
            assert all(f"own/{RUN}/predictions.csv, by model {outcome.model.digest()}" in line for line in told)
            assert not list((fed.folder / name / "rounds").glob("*"))
        assert not any("predictions" in text for _, text in fed.said)
    assert len(read[""]) == 4 * (3 + 1)
    assert read[""] == read["ac"]


@pytest.mark.slow
def test_a_process_that_comes_after_the_last_sum_writes_them_too(fed):
    """The model that was announced last is on the disk before the site's last contribution leaves."""
    wants(fed, "a")
    spec = quick(scene.plan())
    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        sums, lead = Sums(spec, coordinator, store=journal), build(spec).lead()
        ask = next(lead)
        try:
            while True:
                ask = lead.send(sums(ask))
        except StopIteration as stop:
            outcome = stop.value
        assert not left(fed)
    assert [one.name for one in (fed.folder / "a" / "rounds").glob("*/*")] == ["last.model"]
    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, _):
        coordinator.close(b"")
        end = time.monotonic() + 60
        while (fed.folder / "a" / "rounds" / RUN).exists() and time.monotonic() < end:
            coordinator._listen(0.1)
    frame = scene.frames()["a"]
    found = pd.read_csv(left(fed)["a"])
    assert found["score"].tolist() == outcome.model.scores(frame).tolist()


def test_a_plan_without_metrics_announces_no_last_model_and_its_owner_is_told(fed):
    wants(fed, "a")
    made = scene.plan(word="clear")
    del made.tables["data"]["split"]
    made = made.set("data.max_rows", 100)
    with fed.attending(*"abcd"):
        fed.run(quick(made))
    assert not left(fed)
    assert any("no predictions of your rows: its last model was announced to no site" in x for x in fed.heard["a"])
    assert not any("predictions" in line for line in fed.heard["b"])
