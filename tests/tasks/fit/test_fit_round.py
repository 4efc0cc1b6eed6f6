"""The round of a fit with a stand-in for the engine: what comes out, what each party holds, and who is named."""

import json

import numpy as np
import pytest

from potluck.core.errors import DataError, Refused
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.rounds import Abort, Cause, RoundId
from potluck.core.wire import load
from potluck.drivers.transcript import Transcript
from potluck.learning.data.columns import Columns
from potluck.learning.training.fit_linear import Regression
from potluck.mpc.fit import messages as m
from potluck.mpc.fit.parts import shares
from potluck.mpc.replicated import join
from potluck.tasks.fit import halves as vertical
from support.parties.fit_scene import ALPHA, RANKS, STEP, frames, newton, plan, pooled, result, sat


def plain_fit(given, owners=2):
    """The weights of the pooled fit on the training rows."""
    whole = pooled(given, owners)
    train = whole[whole.fold == "train"]
    x = np.column_stack([np.ones(len(train)), *(train[f"x{n}"] for n in range(2 * owners))])
    return newton(x, train.y.to_numpy(), np.ones(len(train)), 1.0)


@pytest.mark.parametrize("owners", [2, 3])
def test_the_model_is_that_of_the_pooled_columns(owners):
    given = frames(owners=owners)
    found = result(plan(owners), given)
    assert np.abs(found.model.weights - plain_fit(given, owners)).max() < 1e-4
    assert found.metrics.rows == (pooled(given, owners).fold == "test").sum()


def test_coefficients_are_named_in_the_plans_order_whoever_has_a_column():
    given = frames()
    given["o0"], given["o1"] = (
        given["o0"].drop(columns="x1").merge(given["o1"][["id", "x2"]], how="left").fillna({"x2": 0.0}),
        given["o1"].drop(columns="x2").merge(given["o0"][["id", "x1"]], how="left").fillna({"x1": 0.0}),
    )
    made = plan()
    for name, owner in (("x1", "o1"), ("x2", "o0")):
        made = made.set(f"data.columns.{name}", {"kind": "number", "low": -1, "high": 1, "owner": owner})
    found = result(made, given)
    assert list(found.model.coefficients) == ["intercept", "x0", "x1", "x2", "x3"]
    assert np.abs(found.model.weights - plain_fit(frames())).max() < 1e-4


def test_a_row_that_one_owner_drops_counts_nowhere():
    given = frames()
    given["o1"].loc[given["o1"].id.isin(["k1", "k2", "k3"]), "x2"] = np.nan
    made = plan()
    made = made.set("data.columns.x2", {"kind": "number", "low": -1, "high": 1, "owner": "o1", "missing": "drop"})
    found = result(made, given)
    less = {name: frame[~frame.id.isin(["k1", "k2", "k3"])] for name, frame in given.items()}
    assert np.abs(found.model.weights - plain_fit(less)).max() < 1e-4
    assert found.metrics.rows == (pooled(less).fold == "test").sum()


def test_a_value_that_may_not_be_missing_is_refused_by_column_and_count():
    given = frames()
    given["o1"].loc[given["o1"].id.isin(["k1", "k2"]), "x2"] = np.nan
    with pytest.raises(DataError, match="'x2' has no value in 2 of the common rows"):
        result(plan(), given)


def test_a_row_that_nobody_else_has_may_lack_what_it_likes():
    given = frames()
    given["o1"].loc[given["o1"].id.str.startswith("only"), "x2"] = np.nan
    assert np.abs(result(plan(), given).model.weights - plain_fit(given)).max() < 1e-4


def test_owners_without_a_common_row_are_told():
    given = frames()
    given["o1"]["id"] = given["o1"].id + " elsewhere"
    with pytest.raises(DataError, match="no row is common"):
        result(plan(), given)


def test_a_ridge_too_small_for_the_rows_is_refused():
    with pytest.raises(DataError, match=r"too small for .* at least"):
        result(plan(model__l2=1e-7), frames())


def test_one_class_to_train_on_is_refused():
    given = frames()
    given["o0"]["y"] = 1
    with pytest.raises(DataError, match="one class"):
        result(plan(), given)


def test_an_owner_whose_policy_wants_more_rows_ends_the_round_before_it_shares(monkeypatch):
    def wants(rows):
        raise Refused("fewer rows than it wants", where="policy", hint="more rows")

    right = vertical.Brought
    monkeypatch.setattr("support.parties.fit_scene.Brought", lambda keys, own, tools: right(keys, own, tools, wants))
    with pytest.raises(Refused, match="fewer rows"):
        result(plan(), frames(rows=60))


# --- What each party holds ---


def test_only_readers_have_the_model():
    desks, _ = sat(plan(3, fit={"to": ["o1", "o2"]}), frames(owners=3))
    assert desks[site("o0")].result is None
    assert desks[site("o1")].result.model.digest() == desks[site("o2")].result.model.digest()
    assert desks[SERVER].result is None


def test_the_server_gets_no_share_and_no_result():
    _, post = sat(plan(), frames())
    came = {move.label.step for move in post.transcript.moves if move.to == SERVER}
    assert {step for step in came if step.startswith("fit/")} == {"fit/split", "fit/done"}
    gone = {move.label.step for move in post.transcript.moves if move.sender == SERVER}
    assert {step for step in gone if not step.startswith("psi/")} == {"begin", "fit/split"}


def test_an_owner_that_reads_no_model_gets_letters_that_hold_none():
    _, post = sat(plan(), frames())
    sizes = {
        party: [move.size for move in post.transcript.moves if move.to == party and move.label.step == "fit/result"]
        for party in (site("o0"), site("o1"))
    }
    assert len(sizes[site("o1")]) == len(RANKS)
    assert max(sizes[site("o1")]) < 400 < min(sizes[site("o0")])


def test_all_three_hold_the_columns_and_none_alone(tmp_path):
    """The bodies that a compute party reads, as it reads them: parts that add up to a column with the third alone."""
    given, made = frames(rows=60), plan()
    sat(made, given, transcript=Transcript(tmp_path))
    fitting, recipe = (
        vertical.fitting(vertical.RoundContext(made.spec, RoundId("a run", 1))),
        Regression(made.spec).recipe,
    )
    whole = pooled(given)
    test = int((whole.fold == "test").sum())
    takes = recipe(len(whole) - test, test).of(1)
    shares_, words = {}, np.rint(whole[["x2", "x3"]].to_numpy() * STEP).astype(np.int64)
    for line in (tmp_path / "index.jsonl").read_text().splitlines():
        said = json.loads(line)
        if said["step"] == "fit/input" and said["from"] == "o1":
            body = (tmp_path / said["file"]).read_bytes()
            dealt = load(load(body, m.Input).sealed, m.Dealt)
            info = m.part_info(fitting, site("o1"))
            rank = Party(Role.COMPUTE, said["to"])
            shares_[rank] = shares(takes, dealt.held, info)[0]
            parts = np.frombuffer(shares_[rank], "<u8")
            assert not np.isin(parts, words.view(np.uint64)[words != 0]).any()
            assert parts.std() > 2**60
    joined = join(shares_, RANKS, words.size).view(np.int64)
    assert sorted(joined.tolist()) == sorted(words.ravel().tolist())


# --- Who is named ---


def test_an_owner_whose_rows_are_in_another_order_is_named(monkeypatch):
    right = vertical.aligned

    def turned(about, me, keys, tools):
        common = yield from right(about, me, keys, tools)
        if me.party != site("o2"):
            return common
        return type(common)(common.size, common.rows[::-1], b"x" * 32, common.reused)

    monkeypatch.setattr(vertical, "aligned", turned)
    with pytest.raises(Abort) as caught:
        result(plan(3), frames(owners=3))
    assert (caught.value.cause, caught.value.party) == (Cause.TERMS, site("o2"))


def test_an_owner_that_shares_numbers_out_of_range_is_named(monkeypatch):
    right = Regression.shared

    def beyond(self, owner, columns):
        if owner == "o1":
            columns = Columns(columns.features * 3, columns.keep, columns.target, columns.train)
        return right(self, owner, columns)

    monkeypatch.setattr(Regression, "shared", beyond)
    with pytest.raises(Abort) as caught:
        result(plan(), frames())
    assert (caught.value.cause, caught.value.party) == (Cause.RANGE, site("o1"))


def test_a_compute_party_with_another_program_is_named():
    with pytest.raises(Abort) as caught:
        result(plan(), frames(), salt={ALPHA: b"another"})
    assert (caught.value.cause, caught.value.party) == (Cause.TERMS, ALPHA)


STEPS = {
    "o1": ["psi/hello", "fit/input"],
    "o0": ["fit/split", "fit/done"],
    "beta": ["fit/keys", "fit/held", "fit/ready", "fit/link", "fit/run", "fit/faults", "fit/result"],
}


@pytest.mark.parametrize(("who", "step"), [(who, step) for who, steps in STEPS.items() for step in steps])
def test_whoever_is_gone_at_a_step_is_named_and_nobody_waits_for_ever(who, step):
    desks, _ = sat(plan(), frames(rows=60), vanish=lambda party, _round, at: str(party) == who and at == step)
    aborts = [desk.abort for party, desk in desks.items() if desk.abort and str(party) != who]
    assert aborts, "somebody notices"
    assert all(desk.done for party, desk in desks.items() if str(party) != who)
    assert any(abort.party is not None and str(abort.party) == who for abort in aborts)


@pytest.mark.parametrize("step", ["fit/input", "fit/held", "fit/faults", "fit/result", "fit/split"])
def test_a_letter_with_a_flipped_bit_ends_the_round_and_gives_no_other_model(step):
    def flipped(letter):
        if letter.label.step == step and str(letter.sender) in ("o0", "beta"):
            broken = bytearray(letter.data)
            broken[len(broken) // 2] ^= 1
            return (type(letter)(letter.sender, letter.to, letter.label, bytes(broken)),)
        return (letter,)

    desks, _ = sat(plan(), frames(rows=60), carry=flipped)
    assert desks[site("o0")].result is None or step == "fit/done"
    assert any(desk.abort for desk in desks.values())
