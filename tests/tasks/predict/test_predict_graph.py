"""Claims about a prediction by a graph under `tee`: the scores of `score`, its base stays with its owner, and whatever
cannot be scored for others is refused by name. In one process and across machines."""

import csv
import json
import time
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, Refused, UsageError
from potluck.learning.graph.bases import FOLDER
from potluck.learning.models.model import Model
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.parties.runners.enclave_graphs import GRAPHS
from potluck.report.page import render
from potluck.tasks.predict.site import SCORES
from potluck.tee.attestation.demand import built_in_text
from support.files import pictures, texts
from support.parties import predict_graphs as graphs
from support.parties import predict_hall as hall
from support.parties import predict_scene as scene
from support.tee.predict_rig import beside, scorer
from support.tee.rig import attest

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def near(monkeypatch):
    """The enclave's room in this process: its own takes seconds to start."""

    def room(command, patience):
        return beside(scorer(attest=lambda data: attest(data, now=int(time.time())), graphs=GRAPHS))

    monkeypatch.setattr("potluck.tee.predict.protection.Scoring", room)


def plan(folder, model, *settings, text=None):
    return Plan.read(scene.settle(folder, model, text), ['protect.with="tee"', *settings])


def scored(folder, model, *settings, text=None, **how):
    return run(plan(folder, model, *settings, text=text), ledger=folder / "ledger", **how)


def table(path):
    with open(path, newline="") as file:
        return np.array([[float(cell or "nan") for cell in line[1:]] for line in list(csv.reader(file))[1:]])


@pytest.mark.slow
def test_the_scores_are_those_of_plain_scoring_bit_for_bit(here):
    model = graphs.table(here)
    done = scored(here, model, compare=True)
    assert table(done.document["predictions"]).tobytes() == np.array(model.scored(here / "rows.csv")[1]).tobytes()
    assert done.document["agreement"] == {"rows": 7, "same_labels": 7, "largest_error": 0.0}
    assert done.document["max_error_bound"] is None
    assert any("no bound of that is proved" in note for note in done.document["notes"])
    assert "nobody can say" in render(done.folder)
    with Budget(next((here / "ledger").glob("hospital*.sqlite"))) as ledger:
        assert [(one.model, one.rows) for one in ledger.scored()] == [(model.digest(), 7)]


def test_pictures_are_scored_beside_a_number_and_rows_without_one_keep_their_place(here, near):
    """As torch's own module scores them: the pictures by their files' bytes, at home."""
    model = graphs.seen(here)
    done = scored(here, model, text=graphs.scans(here, gone=(1, 4)), compare=True)
    found = table(done.document["predictions"])[:, 0]
    assert np.isnan(found).tolist() == [False, True, False, False, True, False]
    read = model.inputs(here / "rows.csv")
    image = torch.from_numpy(read.cells["image"].take(np.flatnonzero(read.kept)))
    with torch.no_grad():
        logits = pictures.Beside()(image, torch.from_numpy(read.features[read.kept]).float())[:, 0]
    np.testing.assert_allclose(found[read.kept], torch.sigmoid(logits).numpy(), atol=1e-6)
    assert done.document["agreement"]["rows"] == 4
    assert done.document["notes"][-1] == "2 of 6 rows lack a value that the model needs, and have no score"


def test_an_adapter_is_scored_with_the_base_that_its_owner_holds(here, near):
    model, _ = graphs.adapter(here)
    assert model.graph.network.based
    done = scored(here, model, compare=True)
    assert done.document["agreement"]["largest_error"] == 0.0
    module = graphs.Adapter()
    with torch.no_grad():
        logits = module(torch.from_numpy(model.features(here / "rows.csv")).float())[:, 0]
    np.testing.assert_allclose(table(done.document["predictions"])[:, 0], torch.sigmoid(logits).numpy(), atol=1e-6)
    (here / FOLDER / "frozen.safetensors").rename(here / "elsewhere")
    with pytest.raises(UsageError, match=r"lacks its base sha256:.*put the file into models/"):
        plan(here, model)


def test_neither_the_graph_nor_a_row_is_in_a_letter(here, near):
    model = graphs.table(here)
    done = scored(here, model, out=here / "out", record=True)
    lines = [json.loads(line) for line in (done.folder / "parcels" / "index.jsonl").read_text().splitlines()]
    seen = b"".join((done.folder / "parcels" / one["file"]).read_bytes() for one in lines)
    for secret in (b"potluck graph", b"layer_norm", model.graph.network.tensors["0.weight"][0].tobytes()):
        assert secret in model.graph.content
        assert secret not in seen
    assert model.features(here / "rows.csv")[0, :1].tobytes() not in seen


# --- What is said before ---


def test_the_mode_follows_from_the_model_and_enters_the_plan(here):
    made = plan(here, graphs.table(here))
    assert made.spec.predict.mode == "graph"
    digest = Model.read(here / "model.json").digest()
    (here / "model.json").rename(here / "other.json")
    away = Plan.read(here / "plan.toml", ['protect.with="tee"', f'model={{digest="{digest}"}}', 'predict.mode="graph"'])
    assert away.hash == made.hash


def test_check_rehearses_the_graph_and_forecasts_what_is_sent(here, near):
    model = graphs.seen(here)
    told = check(plan(here, model, text=graphs.scans(here)))
    assert told.errors == []
    assert told.seconds > 0
    assert told.forecast["query"] == 50 * (4 * 64 + 8)
    assert told.forecast["reply"] == 50 * 8
    assert told.forecast["keys"] > len(model.graph.content)
    assert not any("coefficients" in line for line in told.warnings)


def test_more_rows_than_a_letter_takes_are_wrong_input(here):
    (line,) = check(plan(here, graphs.seen(here), "predict.max_rows=1000000", text=graphs.scans(here))).errors
    assert "hint: predict.max_rows = 953250" in line


def test_more_rows_than_agreed_are_refused_before_anything_is_decoded(here, near):
    with pytest.raises(Refused, match=r"predict\.max_rows \(5\)"):
        scored(here, graphs.seen(here), "predict.max_rows=5", text=graphs.scans(here))


@pytest.mark.parametrize("scheme", ["he", "share"])
def test_protections_of_layers_alone_refuse_a_graph_by_name(here, scheme):
    compute = ['protect.compute=["x", "y", "z"]', 'federation.server="curious"'] if scheme == "share" else []
    made = plan(here, graphs.table(here), f'protect.with="{scheme}"', *compute)
    with pytest.raises(PlanError, match=f'{scheme}. scores by layers alone.*with = "tee"; or potluck model export'):
        made.require()


@pytest.mark.parametrize(("mode", "drawn"), [("batch", True), ("single", True), ("graph", False)])
def test_a_mode_that_the_model_does_not_have_is_refused(here, mode, drawn):
    model = graphs.table(here) if drawn else scene.network()
    with pytest.raises(UsageError, match=r"does not go with predict\.mode"):
        plan(here, model, f'predict.mode="{mode}"')


@pytest.mark.slow
def test_texts_are_refused_by_name(here):
    texts.written(here / "tokenizer.json")
    made = texts.plan(texts.graph(here / "net.graph"), here / "tokenizer.json")
    run(made, texts.frames(), out=here / "run", ledger=here / "l")
    (here / "plan.toml").write_text(scene.PLAN.replace("model.json", "run/model.json"))
    with pytest.raises(UsageError, match=r"reads texts \('note'\).*potluck score"):
        Plan.read(here / "plan.toml", ['protect.with="tee"'])


def test_explain_says_that_the_graph_and_its_weights_stay_hidden(here):
    real = plan(here, graphs.table(here), 'protect.enclave="tsm"')
    seen = {(row["party"], row["of"]): row for row in explain(real).rows()}
    assert seen["server", "the model"]["form"] == "ciphertext"
    assert "of a graph only that it is one" in seen["clinic", "the card"]["note"]
    assert "neither its graph nor a weight" in seen["clinic", "the model"]["note"]


# --- Across machines ---


@pytest.fixture
def place(tmp_path):
    folder = hall.enrolled(tmp_path / "federation")
    for name in ("hospital", "clinic"):
        policy = folder / name / "policy.toml"
        policy.write_text(policy.read_text() + '[attestation]\npolicy = "enclave.toml"\n')
        (folder / name / "enclave.toml").write_text(built_in_text())
    return folder


def away(place, digest, *settings):
    return hall.plan(
        place, 'protect.with="tee"', "federation.patience=60.0", f'model={{digest="{digest}"}}',
        'predict.mode="graph"', *settings,
    )  # fmt: skip


@pytest.mark.slow
def test_across_machines_the_owner_finds_its_base_where_its_policy_says(place):
    """It lies in no place that `score` would look at; the client has neither graph nor base, the server nothing."""
    model, _ = graphs.adapter(place)
    model.write(place / "hospital" / "model.json")
    (place / "hospital" / "frozen").mkdir()
    (place / FOLDER / "frozen.safetensors").rename(place / "hospital" / "frozen" / "any.safetensors")
    policy = place / "hospital" / "policy.toml"
    policy.write_text(policy.read_text() + '[models]\nfolder = "frozen"\n')
    at = hall.Hall(place)
    with at.attending("hospital", "clinic"):
        at.predict(away(place, model.digest()))
    found, told = hall.scores(place)
    assert found.tobytes() == np.asarray(model.scores(place / "clinic" / "rows.csv")).tobytes()
    assert (told.rows, told.max_error_bound) == (7, None)
    with Budget(SiteHome.at(place / "hospital").ledger) as ledger:
        assert [one.rows for one in ledger.scored()] == [7]


@pytest.mark.slow
def test_an_owner_whose_model_is_no_graph_is_unable_and_says_so(place):
    """Before a row is read: the server started what it needs by the plan's mode."""
    at = hall.Hall(place)
    with at.attending("hospital", "clinic"), pytest.raises(Refused):
        at.predict(away(place, scene.logistic().digest()), wait=60.0)
    assert any("predict.mode" in line for line in at.heard["hospital"])
    assert SCORES.find(place / "clinic", hall.RUN) is None


def test_without_torch_a_graph_is_not_scored_here_and_what_to_install_is_said(here, monkeypatch):
    monkeypatch.setattr("potluck.tasks.predict.local.present", lambda: False)
    with pytest.raises(UsageError, match=r"torch, which is missing.*potluck\[networks\]"):
        scored(here, graphs.table(here))
