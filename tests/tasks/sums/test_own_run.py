"""Whole runs by which sites keep something: one model under every protection, and what each owner would hold."""

import json
import stat

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.core.party import SERVER
from potluck.core.rounds import Abort
from potluck.learning.models.model import Model
from support.parties import scene

HOW = {"method": "average", "rounds": 2, "rate": 0.3, "steps": 5, "batch": 8}
LOCAL = ("scaffold", "ditto")


def plan(local, word="clear"):
    return scene.plan(word=word, server="curious").set("training", HOW | {"local": local})


def done(made, out, **more):
    return potluck.run(made, scene.frames(), out=out, ledger=out.parent / "ledger", **more)


def own(folder):
    """By site: digest and metrics of the model that its owner would hold."""
    found = {}
    for one in sorted((folder / "sites").iterdir()):
        found[one.name] = json.loads((one / "metrics.json").read_text())
        assert Model.read(one / "model.json").digest() == found[one.name]["digest"]
    return found


@pytest.mark.parametrize("word", ["mask", pytest.param("tee", marks=pytest.mark.slow)])
@pytest.mark.parametrize("local", LOCAL)
def test_every_protection_gives_the_same_model(tmp_path, local, word):
    found = {one: done(plan(local, one), tmp_path / one) for one in ("clear", word)}
    assert len({one.model.digest() for one in found.values()}) == 1
    if local == "ditto":
        assert own(tmp_path / "clear") == own(tmp_path / word)
        assert len(own(tmp_path / "clear")) == 4


@pytest.mark.slow
@pytest.mark.parametrize(("word", "engine"), [("he", "he_engine"), ("share", "mpc_engine")])
def test_protections_with_engines_give_the_same_model_too(tmp_path, request, word, engine):
    request.getfixturevalue(engine)
    found = {one: done(plan("scaffold", one), tmp_path / one).model.digest() for one in ("clear", word)}
    assert len(set(found.values())) == 1


def test_what_each_owner_would_hold_lies_by_site_and_nowhere_else(tmp_path):
    ran = done(plan("ditto"), tmp_path / "run")
    found = own(tmp_path / "run")
    assert set(found) == set("abcd")
    assert len({one["digest"] for one in found.values()} | {ran.model.digest()}) == 5
    assert ran.document["own"] == {name: str(tmp_path / "run" / "sites" / name / "model.json") for name in "abcd"}
    files = [one for one in (tmp_path / "run").rglob("*") if one.is_file() and "sites" not in one.parts]
    for site, one in found.items():
        assert one["metrics"]["auc"] is not None
        mine = Model.read(tmp_path / "run" / "sites" / site / "model.json").coefficients["x"]
        words = [one["digest"].removeprefix("sha256:"), repr(mine), repr(one["metrics"]["accuracy_population"][0])]
        for text in (file.read_text(errors="replace") for file in files):
            assert not any(word in text for word in words)
    for one in (tmp_path / "run" / "sites").rglob("*"):
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600)


def test_its_metrics_are_those_of_the_sites_own_rows(tmp_path):
    """As the model says of the rows that the split holds out, read again and ranked by hand."""
    made = plan("ditto")
    done(made, tmp_path / "run")
    found, (_, tables) = own(tmp_path / "run"), scene.tables(made, scene.frames())
    for site, table in tables.items():
        held = np.flatnonzero(table.test)
        frame = scene.frames()[site.name]
        scores = Model.read(tmp_path / "run" / "sites" / site.name / "model.json").scores(frame)[held]
        y = frame["y"].to_numpy()[held]
        assert found[site.name]["metrics"]["rows"] == len(held)
        assert found[site.name]["metrics"]["accuracy"] == ((scores >= 0.5) == y).mean()
        pairs = pd.DataFrame([(float(p > n) + 0.5 * (p == n)) for p in scores[y == 1] for n in scores[y == 0]])
        assert found[site.name]["metrics"]["auc"] == pytest.approx(float(pairs.mean().iloc[0]), abs=1e-12)


@pytest.mark.parametrize("local", LOCAL)
def test_a_run_that_lost_a_site_before_its_first_sum_goes_on_with_the_others(local):
    """It stays away, as of any exact sum, so that what the others keep is what they would keep without it."""

    def vanish(party, round_, step):
        return party != SERVER and party.name == "d" and round_.number == 1

    made = plan(local, "mask")
    lost = scene.Scene(made, vanish=vanish).run().model.digest()
    never = scene.Scene(made, vanish=lambda party, *_: party != SERVER and party.name == "d").run().model.digest()
    assert lost == never != scene.Scene(made).run().model.digest()


@pytest.mark.parametrize("local", LOCAL)
def test_a_site_that_is_lost_later_ends_the_run(local):
    def vanish(party, round_, step):
        return party != SERVER and party.name == "d" and round_.number == 2

    with pytest.raises(Abort):
        scene.Scene(plan(local, "mask"), vanish=vanish).run()
