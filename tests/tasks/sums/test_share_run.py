"""Whole runs under `share`: the digest of `mask`, sites left out by name, refusals of the plan, who sees what."""

import numpy as np
import pytest

import potluck
from potluck.api.local.check import check
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, PotluckError
from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Guarded
from potluck.tasks.sums import halves as horizontal
from support.parties import scene

TRAIN = {"method": "gradient", "rounds": 3, "expected_rows": 100}
SITE = {"noise": "shared", "unit": "site", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0, "evaluation": 1.0}


def plan(word="share", **said):
    made = scene.plan(word=word, server="curious")
    for key, value in said.items():
        made = made.set(key.replace("__", "."), value)
    return made


def done(made, out, **more):
    return potluck.run(made, scene.frames(), out=out, ledger=out.parent / "ledger", **more)


def statistics(word):
    return Plan(
        name="s",
        purpose="test",
        task="statistics",
        federation={"sites": list("abcd"), "corrupt": 1, "dropouts": 1, "server": "curious"},
        data={"columns": {"x": {"kind": "number", "low": -3, "high": 3}}, "max_rows": 100},
        statistics=[
            {"name": "m", "kind": "mean", "column": "x"},
            {"name": "h", "kind": "histogram", "column": "x"},
        ],
        protect={"with": word},
        privacy={"noise": "none"},
    )


@pytest.mark.slow
def test_training_gives_the_digest_of_mask(mpc_engine, tmp_path):
    found = {word: done(plan(word), tmp_path / word) for word in ("mask", "share")}
    assert found["share"].model.digest() == found["mask"].model.digest()
    assert found["share"].document["metrics"] == found["mask"].document["metrics"]
    assert found["share"].document["protect"] == "share"
    assert all(one["dropped"] == [] for one in found["share"].document["rounds"])
    assert (tmp_path / "share" / "report.html").is_file()


@pytest.mark.slow
def test_statistics_are_those_of_mask(mpc_engine, tmp_path):
    found = {word: done(statistics(word), tmp_path / word).document["results"] for word in ("mask", "share")}
    assert found["share"] == found["mask"]


@pytest.mark.slow
def test_a_run_with_noise_is_charged_as_under_mask(mpc_engine, tmp_path):
    costs = []
    for word in ("mask", "share"):
        run = potluck.run(
            plan(word, privacy=scene.SHARED), scene.frames(), out=tmp_path / word, ledger=tmp_path / f"l{word}"
        )
        costs.append(run.document["privacy"]["epsilon"])
    assert costs[0] == costs[1]
    assert all(0 < cost <= 3 for cost in costs[1].values())


def poison(monkeypatch, factor, who="d"):
    """Site `who` gives its words times `factor`."""
    honest = horizontal.contribution

    def contribution(task, ask, rows, bound, me):
        found = honest(task, ask, rows, bound, me)
        if me.party.name != who:
            return found
        words = (found.words.astype(np.int64) * factor).astype(found.words.dtype)
        return Guarded(words, found.charge)

    monkeypatch.setattr(horizontal, "contribution", contribution)


@pytest.mark.slow
def test_an_update_out_of_range_is_left_out_and_named_and_the_run_goes_on_without_it(mpc_engine, tmp_path, monkeypatch):
    poison(monkeypatch, 2**40)
    run = done(plan(), tmp_path / "r")
    assert all(one["dropped"] == ["d"] for one in run.document["rounds"])
    monkeypatch.undo()
    frames = {name: frame for name, frame in scene.frames().items() if name != "d"}
    without = scene.plan("abc", word="clear", server="curious", dropouts=0)
    alone = potluck.run(without, frames, out=tmp_path / "abc")
    assert run.model.coefficients == pytest.approx(alone.model.coefficients, abs=1e-9)


@pytest.mark.slow
def test_with_unit_site_an_update_over_its_norm_is_left_out_and_named(mpc_engine, tmp_path, monkeypatch):
    training = {"method": "average", "rounds": 2, "expected_rows": 100}
    made = plan(privacy=SITE, training=training)
    assert done(made, tmp_path / "honest").document["rounds"][0]["dropped"] == []
    lengths = []

    def long(task, ask, rows, bound, me, honest=horizontal.contribution):
        found = honest(task, ask, rows, bound, me)
        if me.party.name != "d":
            return found
        (limit, *_) = horizontal.limits(made.spec, ask, bound)
        words = found.words.copy()
        words[: limit.length] = limit.bound  # each word alone is within its bound
        lengths.append(limit.norm / (limit.bound * limit.length**0.5))
        return Guarded(words, found.charge)

    monkeypatch.setattr(horizontal, "contribution", long)
    run = potluck.run(plan(privacy=SITE, training=training), scene.frames(), out=tmp_path / "r", ledger=tmp_path / "l2")
    assert run.document["rounds"][0]["dropped"] == ["d"]
    assert lengths[0] < 1


@pytest.mark.slow
def test_with_too_few_left_the_run_ends_and_names_the_site(mpc_engine, tmp_path, monkeypatch):
    poison(monkeypatch, 2**40)
    with pytest.raises(Abort) as stop:
        done(plan(federation__dropouts=0), tmp_path / "r")
    assert stop.value.cause is Cause.RANGE
    assert str(stop.value.party) == "d"
    assert not (tmp_path / "r").exists()


def test_a_compute_party_that_is_gone_is_named_in_the_abort(mpc_engine):
    gone = Party(Role.COMPUTE, "beta")
    here = scene.Scene(plan(federation__patience=2), vanish=lambda party, round, step: party == gone)
    with pytest.raises(Abort) as stop:
        here.run()
    assert (stop.value.cause, stop.value.party) == (Cause.SILENT, gone)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"federation__server": "lying"}, "a lying one could change the sum unseen"),
        ({"protect": {"with": "share", "compute": ["a1", "b1"]}}, "three compute parties, the plan names 2"),
        ({"protect": {"with": "share", "compute": ["x", "x", "y"]}}, "one is there twice"),
        ({"protect": {"with": "share", "compute": ["x", "", "y"]}}, "a name is empty"),
        ({"protect": {"with": "share", "compute": ["x", "server", "y"]}}, "neither may compute"),
        ({"protect": {"with": "share", "compute": ["x", "broker", "y"]}}, "neither may compute"),
        ({"protect": {"with": "share", "compute": ["x", "a", "y"]}}, "a is a site"),
        ({"federation__dropouts": 2}, "2 must be"),
    ],
)
def test_plans_that_share_cannot_keep_are_refused_with_a_hint(said, words):
    found = plan(**said).problems()[0]
    assert any(words in line and ". hint: " in line for line in found), found


def test_more_sites_than_one_program_adds_up_are_refused():
    made = Plan(**{**scene.plan(word="share", server="curious").tables, "federation": {
        "sites": [f"s{i}" for i in range(65)], "server": "curious"}})  # fmt: skip
    assert any("at most 64 sites" in line for line in made.problems()[0])


def test_the_servers_are_part_of_the_plans_hash():
    assert plan(protect={"with": "share", "compute": ["x", "y", "z"]}).hash != plan().hash


@pytest.mark.slow
def test_check_rehearses_with_the_engines(mpc_engine):
    verdict = check(plan())
    assert verdict.ok, verdict.errors
    assert not any("for `run` alone" in line for line in verdict.warnings)
    assert verdict.bytes_up > 3 * 1136


def test_views_name_the_coalition_that_opens_everything():
    made = plan()
    rows = potluck.explain(made).rows()
    for name in ("alpha", "beta", "gamma"):
        (row,) = [one for one in rows if (one["party"], one["of"]) == (name, "a's update")]
        assert row["form"] == "share"
        assert "2 of alpha, beta, gamma collude" in row["breaks_if"]
        assert "any two of alpha, beta, gamma" in row["note"]
    (server,) = [one for one in rows if (one["party"], one["of"]) == ("server", "a's update")]
    assert server["form"] == "nothing"

    def together(*names):
        return {row["of"]: row["form"] for row in potluck.explain(made, names).rows()}["a's update"]

    assert together("alpha") == "share"
    assert together("server", "alpha", "b") == "share"
    assert together("alpha", "gamma") == "plain"
    assert together("b", "c", "d") == "plain"
    assert together("b", "c") == "plain"  # fewest is 3: the sum may be over a, b and c alone


def test_the_broker_holds_sealed_parts_that_two_compute_parties_would_open():
    rows = {(row["party"], row["of"]): row for row in potluck.explain(plan()).rows()}
    update = rows["broker", "a's update"]
    assert update["form"] == "ciphertext"
    assert "2 of alpha, beta, gamma collude" in update["breaks_if"]
    assert "both X25519 and ML-KEM-768 fall" in update["breaks_if"]
    assert "keys of the round" in update["note"]
    assert "the server's or a site's long-term box key" in rows["broker", "the sum"]["breaks_if"]


def test_statistics_say_that_two_compute_parties_have_the_sum():
    rows = {(row["party"], row["of"]): row for row in potluck.explain(statistics("share")).rows()}
    assert rows["alpha", "the sum"]["form"] == "nothing"
    assert "2 of alpha, beta, gamma collude" in rows["alpha", "the sum"]["breaks_if"]


def test_a_stranger_in_a_coalition_is_refused_with_the_compute_parties_listed():
    with pytest.raises(PotluckError, match="delta takes no part") as stop:
        potluck.explain(plan(), ["delta"])
    assert "gamma" in stop.value.hint


def test_a_plan_with_no_share_has_no_compute_parties():
    assert plan("mask").spec.compute == ()
    with pytest.raises(PlanError, match="did you mean"):
        plan().set("protect.comput", ["x"])
