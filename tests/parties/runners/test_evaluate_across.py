"""Evaluations across machines: sites are sent the models, and take them by their digests; owners see what is asked."""

import pandas as pd
import pytest

import potluck
from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.core.errors import GraphError, Refused
from potluck.learning.models.sent import letter_of
from potluck.parties.admission import graphs
from support.hostile.proposals import by_person
from support.parties import across, scene
from support.parties.across import quick


def plan(earlier):
    return potluck.Plan(
        name="elsewhere",
        purpose="how well it does here",
        task="evaluate",
        federation={"sites": list("abcd"), "corrupt": 1, "dropouts": 1},
        model={"file": str(earlier)},
        protect={"with": "mask"},
        privacy={"noise": "none"},
    )


def narrowed(fed, name, old, new):
    path = fed.folder / name / "policy.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_numbers_are_those_of_a_run_in_one_process(fed, earlier, tmp_path):
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(quick(plan(earlier)))
    found = potluck.run(plan(earlier), scene.frames(), out=tmp_path / "run").metrics["federated"]
    assert {name: one.value for name, one in outcome.models[0].measures.items()} == {
        name: found[name] for name in outcome.models[0].measures
    }
    assert all((fed.folder / name / "graphs").exists() for name in "abcd")


def test_an_owner_sees_which_model_it_is_and_what_would_leave(fed, earlier):
    by_person(fed, "a")
    with fed.attending(*"abcd"), pytest.raises(Refused):
        across.until(fed, quick(plan(earlier)), "pending")
    (asked,) = inbox.inbox(fed.folder / "a")
    model = potluck.Model.read(earlier)
    assert model.digest() in asked.learnt
    assert "a logistic regression of" in asked.learnt
    assert "one sum of 40 numbers" in asked.learnt
    assert "does not say who made it" in asked.learnt
    assert "a model can be made so that one of the counts is of a single person" in asked.cost
    found = preview(fed.folder / "a", asked.request.hash)
    (cells,) = found.values.values()
    frame = scene.frames()["a"]
    scores = model.scores(frame)
    assert len(cells) == 40
    assert sum(cells) == len(frame)
    assert sum(cells[10:20] + cells[30:]) == (scores >= 0.5).sum()


@pytest.mark.slow
def test_a_kind_of_model_that_the_policy_does_not_allow_is_denied_once_it_is_known(fed, earlier):
    rules = (fed.folder / "a" / "policy.toml").read_text()
    narrowed(fed, "a", next(line for line in rules.splitlines() if line.startswith("models =")), 'models = ["linear"]')
    with fed.attending(*"abcd"), pytest.raises(Refused, match=r"a refuses this plan \(models\)"):
        fed.run(quick(plan(earlier)), wait=5)


def test_a_site_opens_no_cell_of_fewer_rows_than_its_policy_says(fed, earlier):
    rules = (fed.folder / "a" / "policy.toml").read_text()
    narrowed(fed, "a", "[allow]", "[allow]\nmin_cell = 5")
    assert "min_cell" not in rules
    with fed.attending(*"abcd"), pytest.raises(Refused, match=r"a cannot carry it out \(data\)"):
        fed.run(quick(plan(earlier)))
    assert any("rows that judge the model that are negative, score in bin" in line for line in fed.heard["a"])
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    with fed.attending(*"abcd"):  # there noise answers, and no rule by the rows
        outcome, _ = fed.run(quick(plan(earlier).set("privacy", noise)), "cd" * 16)
    assert outcome.models[0].measures["rows"].noise is not None


@pytest.mark.slow
def test_a_policy_looks_at_no_more_cells_than_it_has_room_for(fed, earlier):
    narrowed(fed, "a", "[allow]", "[allow]\nmin_cell = 5")
    several = plan(earlier).set("evaluate", {"bins": 1000, "by": "k"})
    groups = {"kind": "category", "values": [f"v{one}" for one in range(10)], "missing": "drop"}
    several = several.set("data", {"columns": {"k": groups}})
    for name in "abcd":
        frame = pd.read_csv(fed.folder / name / "rows.csv").assign(k="v1")
        frame.to_csv(fed.folder / name / "rows.csv", index=False)
    with fed.attending(*"abcd"), pytest.raises(Refused):
        fed.run(quick(several), wait=5)
    assert any("have more than 16,384 cells" in line for line in fed.heard["a"])


@pytest.mark.parametrize("forged", [lambda body: body[:-8], lambda body: bytes(len(body)), lambda body: b""])
def test_another_letter_is_taken_for_nothing(fed, earlier, forged):
    spec = plan(earlier).spec
    bare = potluck.core.plan.bare(spec)
    with pytest.raises(GraphError):
        graphs.received(fed.folder / "a", bare, forged(letter_of(spec)))
    assert not (fed.folder / "a" / "graphs").exists()
    assert letter_of(graphs.received(fed.folder / "a", bare, letter_of(spec))) == letter_of(spec)
