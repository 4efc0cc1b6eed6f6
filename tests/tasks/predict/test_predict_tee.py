"""Claims about a prediction under `tee`: the scores are those of `score` to the last bit, and whoever runs it is told
what a simulated enclave is worth. In one process and across machines."""

import csv
import json
from importlib.util import find_spec

import numpy as np
import pytest

import potluck
from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, Refused
from potluck.core.rounds import Abort, Cause
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.report.page import render
from potluck.tasks.predict.site import SCORES
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.demand import built_in_text
from potluck.tee.predict import messages as p
from support.parties import predict_hall as hall
from support.parties import predict_scene as scene
from support.parties import predict_trained as sets

SIMULATED = "no protection: simulated"
STRICT = 'version = 1\nformats = ["snp"]\n[snp]\nmeasurements = ["{}"]\n'.format("ab" * 48)
OTHER_CODE = built_in_text().replace("measurements", f'measurements = ["{"ab" * 32}"]\n#')


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(folder, model=None, *settings, text=None):
    return Plan.read(scene.settle(folder, model, text), ['protect.with="tee"', *settings])


def scored(folder, model=None, *settings, text=None, **how):
    return run(plan(folder, model, *settings, text=text), ledger=folder / "ledger", **how)


def table(path):
    with open(path, newline="") as file:
        return np.array([[float(cell or "nan") for cell in line[1:]] for line in list(csv.reader(file))[1:]])


# --- Scores ---

MODELS = [scene.logistic(), scene.linear(), scene.network(), scene.labels()]


@pytest.mark.parametrize(
    "model",
    [*MODELS[:2], *(pytest.param(one, marks=pytest.mark.slow) for one in MODELS[2:])],
    ids=lambda m: m.target.side,
)
def test_the_scores_are_those_of_plain_scoring_bit_for_bit(here, model):
    done = scored(here, model, compare=True)
    plain = np.array(model.scored(here / "rows.csv")[1])
    assert table(done.document["predictions"]).tobytes() == plain.reshape(7, -1).tobytes()
    assert done.document["agreement"]["largest_error"] == 0.0
    assert 0 < done.document["max_error_bound"] < 1e-12


NETWORK = {"kind": "network", "layers": [8, 4], "activation": "tanh"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model", "training"),
    [
        ("heart", {"kind": "logistic"}, sets.NEWTON),
        pytest.param("breast", {"kind": "logistic"}, sets.NEWTON, marks=pytest.mark.slow),
        pytest.param("heart", NETWORK, None, marks=pytest.mark.slow),
    ],
    ids=["heart", "breast cancer", "network"],
)
def test_whole_test_sets_have_the_scores_of_plain_scoring(name, model, training):
    if training is None:
        pytest.importorskip("torch")
    if name == "heart":
        rows, columns, target = sets.heart(), sets.heart_columns(), sets.BINARY
    else:
        rows, target = sets.breast(), {"column": "y", "positive": ["1"]}
        numbers = rows.drop(columns=["y", "fold"])
        columns = {c: {"kind": "number", "low": 0, "high": float(numbers[c].max())} for c in numbers}
    made = sets.trained(rows, columns, target, model, training or sets.AVERAGE)
    held = rows[rows.fold == "test"].drop(columns="fold")
    done = potluck.run(trained_plan(made, len(held)), {"clinic": held}, ledger="ledger", compare=True)
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] > 150
    assert beside["largest_error"] <= done.document["max_error_bound"] < 1e-12
    whole = held.replace("?", np.nan).dropna() if name == "heart" else held
    again = potluck.run(trained_plan(made, len(whole)), {"clinic": whole}, ledger="ledger", compare=True)
    assert again.document["agreement"]["largest_error"] == 0.0  # no row is left out: the same bits


def trained_plan(made, rows):
    return potluck.Plan(
        name="score", purpose="Score rows that nobody else sees", task="predict",
        federation={"sites": ["hospital", "clinic"]}, data={"missing": ["?"]},
        model={"file": str(made.folder / "model.json")},
        predict={"owner": "hospital", "client": "clinic", "max_rows": rows},
        protect={"with": "tee"}, privacy={"noise": "none"},
    )  # fmt: skip


@pytest.mark.slow
def test_a_deep_and_wide_network_is_no_matter(here):
    """What no circuit carries: twelve layers of squares with small weights, and a batch of many rows."""
    model = scene.deep(12)
    model.weights[:] = 0.3
    done = scored(here, model, "predict.max_rows=3000", text=scene.rows(3000), compare=True)
    assert done.document["agreement"] == {"rows": 3000, "same_labels": 3000, "largest_error": 0.0}


def test_rows_that_the_encoding_drops_keep_their_place_without_a_score(here):
    done = scored(here, scene.logistic(scene.AGE, scene.WEIGHT), text="age,kg\n30,70\n40,NA\n50,\n60,80\n")
    assert (~np.isnan(table(done.document["predictions"])[:, 0])).tolist() == [True, False, False, True]
    assert done.document["notes"][-1] == "2 of 4 rows lack a value that the model needs, and have no score"


def test_more_rows_than_agreed_are_refused_before_anything_leaves(here):
    with pytest.raises(Refused, match=r"predict\.max_rows \(6\)"):
        scored(here, None, "predict.max_rows=6")


def test_the_ledger_says_how_many_rows_were_scored_for_whom(here):
    scored(here)
    scored(here)
    with Budget(next((here / "ledger").glob("hospital*.sqlite"))) as ledger:
        found = ledger.scored()
    assert [(one.model, one.client, one.rows) for one in found] == [(scene.logistic().digest(), "clinic", 7)] * 2


# --- Stamps, claims, costs ---


@pytest.mark.slow
def test_a_simulated_enclave_is_stamped_wherever_scores_are_shown(here):
    done = scored(here)
    assert done.document["stamp"] == SIMULATED
    assert any(SIMULATED in line and "model, rows and scores" in line for line in done.warnings)
    page = render(done.folder)
    assert "No protection: simulated." in page
    assert "Rows and model went to a simulated enclave" in page
    seen = {(row["party"], row["of"]): row for row in explain(plan(here)).rows()}
    for of in ("clinic's rows", "clinic's scores", "the model"):
        assert (seen["server", of]["form"], seen["server", of]["note"]) == ("plain", SIMULATED)
    assert seen["hospital", "clinic's rows"]["form"] == "nothing"
    assert seen["clinic", "the model"]["form"] == "released"


def test_a_real_enclave_shows_the_server_ciphertexts_unless_it_is_opened(here):
    real = plan(here, None, 'protect.enclave="tsm"')
    seen = {(row["party"], row["of"]): row for row in explain(real).rows()}
    for party in ("server", "broker"):
        for of in ("clinic's rows", "clinic's scores", "the model"):
            assert seen[party, of]["form"] == "ciphertext"
    assert "opens the machine or breaks the vendor's key" in seen["server", "the model"]["breaks_if"]
    both = {row["of"]: row["form"] for row in explain(real, ["server", "hospital"]).rows()}
    assert both["clinic's rows"] == "ciphertext"
    assert not any(SIMULATED in line for line in real.problems()[1])


def test_a_tpms_host_is_shown_rows_scores_and_model_plain(here, monkeypatch):
    """A TPM encrypts no memory. The control: taken for a real enclave, it hid from `explain` what its host reads."""
    made = plan(here, None, 'protect.enclave="tpm"')
    for form in ("plain", "ciphertext"):
        seen = {(row["party"], row["of"]): row["form"] for row in explain(made).rows()}
        assert {seen["server", of] for of in ("clinic's rows", "clinic's scores", "the model")} == {form}
        monkeypatch.setattr("potluck.core.plan.SHIELDED", ("tsm", "nsm", "tpm"))


@pytest.mark.slow
def test_check_rehearses_and_forecasts_what_is_sent(here):
    told = check(plan(here))
    assert told.errors == []
    assert told.seconds > 0
    assert told.forecast["parameters"] == "none"
    assert told.forecast["query"] == 50 * 3 * 8
    assert told.forecast["reply"] == 50 * 8
    real = check(plan(here, None, 'protect.enclave="tsm"'))
    assert "protect.policy is missing" in real.errors[0]
    (here / "enclave.toml").write_text(STRICT)
    real = check(plan(here, None, 'protect.enclave="tsm"', 'protect.policy="enclave.toml"'))
    assert real.errors == []
    assert not any(SIMULATED in line for line in real.warnings)


def test_more_than_a_letter_takes_is_wrong_input(here):
    model = scene.logistic(*(scene.Field(name=f"c{i}", kind="number", low=0.0, high=1.0) for i in range(100)))
    (line,) = check(plan(here, model, "predict.max_rows=1000000", text="c0\n1\n")).errors
    assert "more than one letter" in line
    assert "hint: predict.max_rows = 314572" in line


# --- Whose policy ---


def test_a_policy_that_believes_no_simulated_enclave_refuses_before_a_row_is_sent(here):
    (here / "enclave.toml").write_text(STRICT)
    with pytest.raises(Refused, match="formats holds none"):
        scored(here, None, 'protect.policy="enclave.toml"')
    with pytest.raises(PlanError, match="policy is missing"):
        scored(here, None, 'protect.enclave="nsm"')


def test_a_policy_of_another_code_ends_in_both_ends_refusal(here):
    (here / "enclave.toml").write_text(OTHER_CODE)
    with pytest.raises(Abort, match="measurement_not_allowed") as stop:
        scored(here, None, 'protect.policy="enclave.toml"', out=here / "out")
    assert stop.value.cause is Cause.EVIDENCE
    assert not (here / "out").exists()


def test_the_recorded_letters_are_sealed(here):
    done = scored(here, scene.network(), out=here / "out", record=True)
    lines = [json.loads(line) for line in (done.folder / "parcels" / "index.jsonl").read_text().splitlines()]
    bodies = {one["step"]: (done.folder / "parcels" / one["file"]).read_bytes() for one in lines}
    assert {a.NONCE, a.EVIDENCE, p.ROWS, p.COUNTED, p.MODEL, p.SCORES} <= bodies.keys()
    model = scene.network()
    features = model.features(here / "rows.csv")
    numbers = [*features.ravel(), *model.weights, *model.margins(features).ravel()]
    seen = b"".join(bodies.values())
    assert not [one for one in numbers if one not in (0.0, 1.0, -1.0) and np.float64(one).tobytes() in seen]


# --- Across machines ---


@pytest.fixture
def place(tmp_path):
    folder = hall.enrolled(tmp_path / "federation")
    for name in ("hospital", "clinic"):
        demands(folder / name, built_in_text())
    return folder


def demands(home, text):
    """A site's policy names a file of what it demands of enclaves; None: it names none."""
    policy = (home / "policy.toml").read_text().split("[attestation]")[0]
    (home / "policy.toml").write_text(policy + ('[attestation]\npolicy = "enclave.toml"\n' if text else ""))
    if text:
        (home / "enclave.toml").write_text(text)


def spec(folder, *settings):
    return hall.plan(folder, 'protect.with="tee"', "federation.patience=5.0", *settings)


def test_across_machines_the_client_keeps_the_very_scores(place):
    at = hall.Hall(place)
    with at.attending("hospital", "clinic"):
        log = at.predict(spec(place))
        again = at.predict(spec(place))
    found, told = hall.scores(place)
    assert found.tobytes() == np.asarray(scene.logistic().scores(place / "clinic" / "rows.csv")).tobytes()
    assert told.rows == 7
    assert [one.number for one in log.rounds] == [one.number for one in again.rounds] == [1]
    with Budget(SiteHome.at(place / "hospital").ledger) as ledger:
        assert [one.rows for one in ledger.scored()] == [7]
    assert {a.NONCE, p.ROWS, p.MODEL} <= log.rounds[0].traffic.steps.keys()


@pytest.mark.parametrize("name", ["hospital", pytest.param("clinic", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "text",
    [pytest.param(None, marks=pytest.mark.slow), STRICT, pytest.param("version = 1", marks=pytest.mark.slow)],
    ids=["none", "strict", "broken"],
)
def test_a_site_who_would_not_believe_it_denies_the_plan(place, name, text):
    demands(place / name, text)
    at = hall.Hall(place)
    with at.attending("hospital", "clinic"), pytest.raises(Refused, match=rf"{name} refuses this plan \(attestation\)"):
        at.predict(spec(place))
    assert SCORES.find(place / "clinic", hall.RUN) is None


@pytest.mark.parametrize("name", ["hospital", pytest.param("clinic", marks=pytest.mark.slow)])
def test_a_site_that_expects_other_code_ends_the_run_by_name(place, name):
    demands(place / name, OTHER_CODE)
    at = hall.Hall(place)
    with at.attending("hospital", "clinic"), pytest.raises(Abort) as stop:
        at.predict(spec(place, "federation.patience=1.0"))
    assert stop.value.cause is Cause.EVIDENCE
    assert any("measurement_not_allowed" in line for line in at.heard[name])
    assert SCORES.find(place / "clinic", hall.RUN) is None
    with Budget(SiteHome.at(place / "hospital").ledger) as ledger:
        assert ledger.scored() == []


@pytest.mark.slow
def test_no_plan_brings_its_own_policy(place):
    demands(place / "clinic", STRICT)
    at = hall.Hall(place)
    mine = str(place / "hospital" / "enclave.toml")
    with at.attending("hospital", "clinic"), pytest.raises(Refused, match=r"clinic refuses this plan \(attestation\)"):
        at.predict(spec(place, f'protect.policy="{mine}"'))


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
def test_a_graph_that_became_layers_is_scored_for_others_as_it_scores_itself(here):
    """A run's graph, exported, and rows that it has not seen: the scores of the graph but for float32."""
    from torch import nn

    from support.graph import trained as drawn

    graph = drawn.made(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3)), here / "net.graph")
    ran = potluck.run(drawn.plan(graph, "classes"), drawn.frames(kind="classes"), out=here / "run", ledger=here / "l")
    potluck.export(here / "run", here / "layers.json", to="layers")
    layers = potluck.Model.read(here / "layers.json")
    rows = "x,z\n" + "\n".join(f"{x},{z}" for x, z in np.random.default_rng(5).uniform(-1, 1, (9, 2)))
    done = scored(here, layers, text=rows, compare=True)
    found = table(done.document["predictions"])
    assert np.array_equal(found, np.array(layers.scored(here / "rows.csv")[1]))
    np.testing.assert_allclose(found, ran.model.scores(here / "rows.csv"), rtol=0, atol=1e-6)
    assert found.shape == (9, 3)
    assert np.ptp(found) > 0.01
