"""A prediction in an enclave: the scores of plain scoring, a bound that holds, and rows that the owner counts."""

import warnings
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.core.views import breaks
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models.model import Model
from potluck.learning.models.model_file import Network
from potluck.learning.models.scoring import net as net_of
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.demand import SIMULATED
from potluck.tee.host import program
from potluck.tee.predict import messages as p
from potluck.tee.predict.check import LETTER, NUMBERS
from potluck.tee.predict.margins import Layer, margins, upwards
from potluck.tee.predict.protection import build, problems, traffic
from potluck.tee.predict.server import Scoring
from potluck.tee.predict.views import views
from support.tee import predict_rig as rig
from support.tee.predict_rig import CLIENT, OWNER, Sat, beside, meeting, net, rows, sent, stopped

ACTIVATIONS = ["relu", "tanh", "square"]


def model(kind, inputs, hidden=(), activation="relu", outputs=1, seed=0) -> Model:
    fields = tuple(Field(name=f"c{i}", kind="number", low=-1.0, high=1.0) for i in range(inputs))
    how = Encoding(fields=fields, missing=("",))
    rng = np.random.default_rng(seed)
    goal = {
        "linear": Goal(column="y", side="number", low=0.0, high=9.0),
        "logistic": Goal(column="y", side="binary", positive=("1",)),
    }.get(kind, Goal(column="y", side="classes", classes=tuple("abcdefgh"[:outputs])))
    if kind != "network":
        return Model(kind, how, goal, rng.normal(size=inputs + 1))
    goal = Goal(column="y", side="binary", positive=("1",)) if outputs == 1 else goal
    widths = (inputs, *hidden, outputs)
    size = sum((a + 1) * b for a, b in pairwise(widths))
    return Model(kind, how, goal, rng.normal(size=size) / 3, Network(layers=hidden, activation=activation))


MODELS = {
    "linear": model("linear", 13),
    "logistic": model("logistic", 30),
    "wide": model("logistic", 784),
    "no hidden layer": model("network", 13, ()),
    "relu": model("network", 13, (16,), "relu"),
    "tanh": model("network", 30, (8, 5), "tanh", 3),
    "square": model("network", 9, (7, 7, 4), "square", 2),
}


@pytest.mark.parametrize("count", [1, 2, 7, 76, 143, 500])
@pytest.mark.parametrize("name", MODELS)
def test_the_margins_are_those_of_plain_scoring_bit_for_bit(name, count):
    held = MODELS[name]
    features = rows(count, len(held.encoding.names), seed=count)
    found = Sat(net_of(held), features, meeting(500)).scored()
    assert found.margins.tobytes() == held.margins(features).tobytes()
    assert 0 < found.bound < 1e-9


@pytest.mark.parametrize("outputs", [1, 2])
def test_trees_say_the_same_bit_for_bit_whoever_adds_them_up(outputs):
    """Beside a walk by hand, row by row: a value above a cut goes right, no value where the node says."""
    made, features = rig.trees(outputs=outputs), rows(40)
    features[:, 4] = np.arange(40) % 3 == 0
    by_hand = np.full((40, outputs), made.first)
    for place, (asked, leaves) in enumerate(zip(made.asked, made.leaves, strict=True)):
        for row, values in enumerate(features):
            node = 0
            while node < len(asked.cuts):
                feature = asked.features[node]
                right = np.float32(values[feature]) > np.float32(asked.cuts[node])
                if feature == 0 and values[4] == 1:
                    right = not asked.left[node]
                node = 2 * node + 1 + int(right)
            by_hand[row, place % outputs] += leaves[node - len(asked.cuts)]
    found = Sat(made, features).scored()
    assert found.margins.tobytes() == made.margins(features).tobytes() == by_hand.tobytes()
    assert found.bound == 0.0


def test_a_score_of_trees_that_overflows_is_for_the_client_to_hear_alone():
    made = rig.trees()
    huge = replace(made, leaves=tuple(np.full_like(one, 1e308) for one in made.leaves))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        desks = Sat(huge, rows()).run()
    assert desks[SERVER].abort is None
    assert stopped(desks) == {CLIENT: (Cause.RANGE, OWNER, "a score overflows, or is not a number")}


@pytest.mark.parametrize("name", ["logistic", "tanh"])
def test_the_real_process_gives_the_same_bits(name):
    held = MODELS[name]
    features = rows(31, len(held.encoding.names))
    enclave = Scoring(program("simulated"))
    try:
        found = Sat(net_of(held), features, enclave=enclave).scored()
    finally:
        enclave.close()
    assert found.margins.tobytes() == held.margins(features).tobytes()
    assert "in an enclave" in found.notes[0]


# --- The bound ---


def exactly(made, features: Floats) -> list[list[Fraction]]:
    """Rational arithmetic: no rounding anywhere. relu and square alone."""
    values = [[Fraction(float(one)) for one in row] for row in features]
    for place, layer in enumerate(made.layers):
        weights = [[Fraction(float(one)) for one in row] for row in layer.weights]
        bias = [Fraction(float(one)) for one in layer.bias]
        values = [
            [sum((w * x for w, x in zip(line, row, strict=True)), b) for line, b in zip(weights, bias, strict=True)]
            for row in values
        ]
        if place + 1 < len(made.layers):
            values = [[max(x, Fraction(0)) if made.activation == "relu" else x * x for x in row] for row in values]
    return values


def layers_of(made):
    return [Layer(np.ascontiguousarray(one.weights.T), one.bias) for one in made.layers]


@pytest.mark.parametrize(("widths", "activation"), [((6, 1), ""), ((5, 9, 2), "relu"), ((4, 6, 5, 2), "square")])
def test_no_order_of_additions_is_off_by_more_than_the_bound(widths, activation):
    made, features = net(widths, activation), rows(9, widths[0])
    found, bound = margins(layers_of(made), activation, features)
    right = exactly(made, features)
    off = max(abs(Fraction(float(a)) - b) for x, y in zip(found, right, strict=True) for a, b in zip(x, y, strict=True))
    assert 0 < off <= Fraction(bound) / 2
    backwards = features[:, ::-1] @ made.layers[0].weights[:, ::-1].T + made.layers[0].bias
    for one in made.layers[1:]:
        backwards = np.maximum(backwards, 0) if activation == "relu" else backwards * backwards
        backwards = backwards[:, ::-1] @ one.weights[:, ::-1].T + one.bias
    assert np.abs(backwards - found).max() <= bound


def test_a_tanh_that_is_four_units_off_stays_within_the_bound(monkeypatch):
    made, features = net((5, 8, 6, 2), "tanh"), rows(200)
    found, bound = margins(layers_of(made), "tanh", features)
    plain = np.tanh
    monkeypatch.setattr(np, "tanh", lambda x: plain(x) * (1 + 4 * 2.0**-53 * np.sign(np.sin(1e6 * x))))
    other, _ = margins(layers_of(made), "tanh", features)
    assert 0 < np.abs(other - found).max() <= bound


def test_the_bound_says_a_power_of_ten_of_the_weights_and_no_more():
    bounds = {margins(layers_of(net((20, 1), "", seed)), "", rows(9, 20))[1] for seed in range(40)}
    assert len(bounds) <= 2
    assert all(upwards(one) == one for one in bounds)


@pytest.mark.parametrize(
    ("value", "up"), [(0.0, 0.0), (1.0, 1.0), (1.1e-15, 1e-14), (9e-16, 1e-15), (1.7e308, np.inf), (np.nan, np.inf)]
)
def test_a_bound_is_rounded_up(value, up):
    assert upwards(value) == up


def test_a_score_that_overflows_is_for_the_client_to_hear_alone():
    """A refusal by the enclave would tell its host something of rows and weights together."""
    huge = net((5, 3, 1), "square")
    for layer in huge.layers:
        layer.weights[:] = 1e200
    sat = Sat(huge)
    desks = sat.run()
    assert desks[SERVER].abort is None
    assert rig.stopped(desks) == {CLIENT: (Cause.RANGE, OWNER, "a score overflows, or is not a number")}


# --- How many rows ---


def test_the_owner_writes_down_how_many_rows_before_its_model_leaves():
    written = []

    class Ledger(Volatile):
        def write(self, record):
            written.append((record.key, record.value, rig.sent(sat, p.MODEL)))
            super().write(record)

    sat = Sat(features=rows(23), ledgers={OWNER: Ledger()})
    sat.scored()
    assert written == [("scored/run/1", b"23", False)]


def test_a_full_ledger_keeps_the_model_at_home():
    class Full(Volatile):
        def write(self, record):
            raise Abort(Cause.BUDGET, detail="full")

    sat = Sat(ledgers={OWNER: Full()})
    assert rig.stopped(sat.run())[OWNER][0] is Cause.BUDGET
    assert not rig.sent(sat, p.MODEL)


def test_more_rows_than_agreed_do_not_leave_the_client():
    sat = Sat(features=rows(51))
    assert rig.stopped(sat.run())[CLIENT][:2] == (Cause.REFUSED, CLIENT)
    assert not rig.sent(sat, p.ROWS)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.0000001, -7.0])
def test_rows_that_are_out_of_range_do_not_leave_the_client(bad):
    features = rows()
    features[3, 2] = bad
    sat = Sat(features=features)
    assert rig.stopped(sat.run())[CLIENT][:2] == (Cause.RANGE, CLIENT)
    assert not rig.sent(sat, p.ROWS)


# --- What is left behind, and what travels ---


def test_one_enclave_scores_round_after_round():
    enclave = beside()
    for number in (1, 2, 3):
        assert (
            len(Sat(features=rows(number), meeting=meeting(number=number), enclave=enclave).scored().margins) == number
        )


def test_nothing_of_a_prediction_stays_in_the_enclave():
    inside = rig.scorer()
    Sat(enclave=beside(inside)).scored()
    assert inside._now is None
    assert inside._rounds == {("run", 1)}


def test_a_site_that_vanishes_ends_the_round_and_not_the_enclave():
    enclave = beside()
    for party, step in ((OWNER, a.NONCE), (CLIENT, a.NONCE), (CLIENT, p.ROWS), (OWNER, p.MODEL)):
        gone = Sat(
            enclave=enclave, vanish=lambda who, _, now, at=(party, step): (who, now) == at, meeting=meeting(number=2)
        )
        enclave._worker.inside._rounds.clear()
        assert gone.run()[SERVER].abort.cause in (Cause.TOO_FEW, Cause.SILENT)
    assert len(Sat(enclave=enclave).scored().margins) == 7


# --- What is claimed, and what it costs ---


def test_a_real_enclave_shows_the_host_ciphertexts_and_a_simulated_one_everything():
    real = {(v.party, v.of): v for v in views(OWNER, CLIENT, 50, "")}
    for of in ("clinic's rows", "clinic's scores", "the model"):
        assert real[SERVER, of].form.value == "ciphertext"
        assert "opens the machine" in str(real[SERVER, of].breaks_if)
        assert not breaks(real[SERVER, of].breaks_if, frozenset({SERVER}))
    assert breaks(real[SERVER, "the model"].breaks_if, frozenset({SERVER, OWNER}))
    assert not breaks(real[OWNER, "clinic's rows"].breaks_if, frozenset({SERVER, OWNER}))
    sham = {(v.party, v.of): v for v in views(OWNER, CLIENT, 50, SIMULATED)}
    for of in ("clinic's rows", "clinic's scores", "the model"):
        assert (sham[SERVER, of].form.value, sham[SERVER, of].note) == ("plain", SIMULATED)
    assert breaks(sham[OWNER, "clinic's rows"].breaks_if, frozenset({SERVER, OWNER}))


def test_what_is_forecast_is_about_what_is_sent():
    made = net((200, 300, 4), "relu")
    sat = Sat(made, rows(400, 200), meeting(400))
    sat.scored()
    sent = {
        step: sum(len(body) for s, _, to, body in sat.transcript.bodies if s == step and to != SERVER)
        for step in (p.SCORES,)
    }
    up = {
        step: sum(len(body) for s, _, to, body in sat.transcript.bodies if s == step and to == SERVER)
        for step in (p.ROWS, p.MODEL)
    }
    keys, asked, scores = traffic((200, 300, 4), 400)
    assert up[p.ROWS] == pytest.approx(asked, rel=0.01)
    assert up[p.MODEL] == pytest.approx(keys, rel=0.1)
    assert sent[p.SCORES] == pytest.approx(scores, rel=0.2)


def test_what_no_letter_takes_is_said_with_what_fits():
    assert problems((30, 1), 1000) == []
    (line,) = problems((784, 10), 1_000_000)
    most = int(line.rsplit("= ", 1)[1])
    assert most == LETTER // (8 * 784)
    assert problems((784, 10), most) == []
    (line,) = problems((4, 4096, 1), NUMBERS // 4096 + 1)
    assert f"max_rows = {NUMBERS // 4096}" in line
    assert "model has" in problems((8000, 8000, 1), 1)[0]


def test_a_policy_that_will_never_believe_it_is_refused_when_it_is_built():
    from potluck.core.errors import Refused
    from potluck.tee.attestation.demand import demanded

    strict = demanded('version = 1\nformats = ["nitro"]\n', "policy.toml")
    with pytest.raises(Refused, match="formats holds none"):
        build(plan(), strict)


def plan() -> Plan:
    from potluck.core.plan import Data, Federation, Predict, PrivacyPlan, Protect

    return Plan(
        version=1, name="p", purpose="p", task="predict", federation=Federation(sites=("hospital", "clinic")),
        data=Data(), predict=Predict(owner="hospital", client="clinic"), protect=Protect(scheme="tee"),
        privacy=PrivacyPlan(noise="none"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("features", "cause"),
    [
        (rows() * 1e6, Cause.RANGE),
        (rows() * np.nan, Cause.RANGE),
        (rows()[:0], Cause.REFUSED),
        (rows()[0], Cause.REFUSED),
    ],
)
def test_features_that_no_model_takes_are_refused_before_a_row_leaves(features, cause):
    sat = Sat(features=features)
    assert stopped(sat.run())[CLIENT][:2] == (cause, CLIENT)
    assert not sent(sat, p.ROWS)


def test_a_score_that_overflows_is_no_score_and_names_the_models_owner():
    made = net()
    huge = tuple(replace(one, weights=np.full_like(one.weights, 1e308)) for one in made.layers)
    found = stopped(Sat(made=replace(made, layers=huge), features=np.ones_like(rows())).run())
    assert found[CLIENT][:2] == (Cause.RANGE, OWNER)
