"""A language model over texts at several sites: as torch trains and judges it on the rows in one place."""

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

if find_spec("torch") is None or find_spec("tokenizers") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import tokenizers
import torch
from torch.nn import functional

import potluck
from potluck.core.errors import DataError, PlanError, UsageError
from potluck.core.seeded import generator
from potluck.learning.data.mixed import MixedRows
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import lines
from potluck.learning.data.target import Goal
from potluck.learning.data.texts.cells import TextCells
from potluck.learning.data.texts.next_tokens import NONE, following
from potluck.learning.graph.interpreter import memory
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.losses import loss_of, wanted
from potluck.tasks.train.task import TRAIN
from support.files import decoders, texts

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("decoder")


@pytest.fixture(scope="module")
def graph(home):
    return decoders.graph(home / "net.graph")


@pytest.fixture(scope="module")
def tokenizer(home):
    return texts.written(home / "tokenizer.json")


@pytest.fixture(scope="module")
def frames():
    return {name: frame[["note"]] for name, frame in texts.frames().items()}


@pytest.fixture(scope="module")
def run(graph, tokenizer, frames, home):
    return potluck.run(decoders.plan(graph, tokenizer), data=frames, out=home / "run")


def notes(plan, frames, side):
    """Of all sites, those on one side of the split."""
    tables = {name: read(frame, plan.spec, name) for name, frame in frames.items()}
    return [note for name, frame in frames.items() for note in frame["note"][getattr(tables[name], side)]]


def test_sums_of_gradients_are_torchs_on_the_rows_in_one_place(run, graph, tokenizer, frames):
    module = decoders.Decoder()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    train = notes(decoders.plan(graph, tokenizer), frames, "train")
    assert len({len(decoders.library().encode(note).ids) for note in train}) > 4  # rows of many lengths
    for _ in range(decoders.ROUNDS):
        optimizer.zero_grad()
        decoders.losses(module, train).mean().backward()
        optimizer.step()
    for name, theirs in module.named_parameters():
        ours = run.model.graph.network.tensors[name]
        assert np.allclose(ours, theirs.detach().numpy(), atol=5e-6), name
    start = dict(decoders.Decoder().named_parameters())
    assert all(not torch.equal(one, start[name]) for name, one in module.named_parameters() if name != "key.bias")


def averaged(module, plan, frames):
    """FedAvg by torch: what trains of a module after two rounds."""
    tables = {name: read(frame, plan.spec, name) for name, frame in frames.items()}
    moving = {name: one for name, one in module.named_parameters() if one.requires_grad}
    common = {name: one.detach().double() for name, one in moving.items()}
    for step in range(2):
        changes = []
        for name, frame in frames.items():
            train = frame["note"][tables[name].train].tolist()
            with torch.no_grad():
                for key, one in moving.items():
                    one.copy_(common[key])
            order = generator(0, "average", step, 0).permutation(len(train))
            for start in range(0, len(train), 8):
                module.zero_grad()
                decoders.losses(module, [train[row] for row in order[start : start + 8]]).mean().backward()
                with torch.no_grad():
                    for one in moving.values():
                        one -= 0.5 * one.grad
            changes.append((len(train), {key: one.detach().double() for key, one in moving.items()}))
        total = sum(rows for rows, _ in changes)
        common = {key: sum(rows * one[key] for rows, one in changes) / total for key in common}
    return common


@pytest.mark.slow
def test_an_adapter_of_a_frozen_decoder_is_averaged_as_torch_averages_it(tokenizer, frames, tmp_path):
    net = decoders.graph(tmp_path / "g", decoders.Adapted())
    plan = decoders.plan(net, tokenizer, training={"method": "average", "rounds": 2, "batch": 8})
    found = averaged(decoders.Adapted(), plan, frames)
    assert set(found) == {"down.weight", "up.weight"}
    ours = potluck.run(plan, data=frames).model.graph.network.tensors
    for name, theirs in found.items():
        assert np.abs(theirs.numpy()).max() > 1e-3
        assert np.allclose(ours[name], theirs.numpy(), atol=5e-6), name


@pytest.mark.parametrize(
    "scheme", ["mask", pytest.param("tee", marks=pytest.mark.slow), pytest.param("he", marks=pytest.mark.slow)]
)
def test_every_protection_gives_the_model_and_the_metrics_of_clear(run, graph, tokenizer, frames, scheme):
    again = potluck.run(decoders.plan(graph, tokenizer, scheme), data=frames)
    assert again.model.digest() == run.model.digest()
    assert again.document["metrics"] == run.document["metrics"]


@pytest.mark.parametrize(
    "training",
    [
        {"method": "average", "rounds": 2, "local": "scaffold", "steps": 3, "rate": 0.5},
        {"method": "gradient", "rounds": 3, "optimizer": "adam", "rate": 0.05},
    ],
)
def test_other_ways_to_train_bring_the_loss_down(run, graph, tokenizer, frames, training):
    before = potluck.run(decoders.plan(graph, tokenizer, training={"rounds": 1, "rate": 1e-9}), data=frames)
    after = potluck.run(decoders.plan(graph, tokenizer, training=training), data=frames)
    assert perplexity(after) < 0.97 * perplexity(before)


def perplexity(run):
    return run.document["metrics"]["federated"]["perplexity"]


def trained(model):
    """The module with a model's weights."""
    module, tensors = decoders.Decoder(), model.graph.network.tensors
    with torch.no_grad():
        for name, one in module.named_parameters():
            one.copy_(torch.from_numpy(np.array(tensors[name])))
    return module


def judged(module, some):
    """(mean loss, share right) over all tokens of some notes, by torch."""
    lost = right = count = 0.0
    with torch.no_grad():
        for note in some:
            ids = decoders.library().encode(note).ids
            logits = module(torch.tensor([ids + [0] * (decoders.LENGTH - len(ids))]))[0, : len(ids) - 1]
            lost += float(functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum"))
            right += int((logits.argmax(1) == torch.tensor(ids[1:])).sum())
            count += len(ids) - 1
    return lost / count, right / count


def test_perplexity_and_accuracy_are_torchs_over_the_tokens_of_held_out_rows(run, graph, tokenizer, frames):
    held = notes(decoders.plan(graph, tokenizer), frames, "test")
    loss, accuracy = judged(trained(run.model), held)
    found = run.document["metrics"]["federated"]
    assert found["perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert found["rows"] == len(held)
    assert 0 < accuracy < 1


@pytest.mark.slow
def test_exact_metrics_of_a_comparison_are_the_released_ones(run, graph, tokenizer, frames):
    compared = potluck.run(decoders.plan(graph, tokenizer), data=frames, compare=True).document["metrics"]
    released = run.document["metrics"]["federated"]
    for name in ("perplexity", "accuracy", "rows"):
        assert compared["federated"][name] == pytest.approx(released[name])
        assert compared["federated_released"][name] == released[name]
    assert set(compared["alone"]) == set(texts.SITES)
    assert all(one["perplexity"] > 1 for one in compared["alone"].values())


def test_looks_are_torchs_and_the_best_round_is_kept(graph, tokenizer, frames):
    rule = {"rounds": 12, "optimizer": "adam", "rate": 0.2, "stop": {"metric": "loss", "patience": 3}}
    plan = decoders.plan(graph, tokenizer, data={"split": {"test": 0.2, "validation": 0.25}}, training=rule)
    run = potluck.run(plan, data=frames)
    history, kept = run.document["history"], run.document["model"]["round"]
    assert all(set(one) == {"round", "loss", "accuracy"} for one in history)
    best = min(history, key=lambda one: one["loss"])
    assert kept == best["round"]
    loss, accuracy = judged(trained(run.model), notes(plan, frames, "validation"))
    assert best["loss"] == pytest.approx(loss, rel=1e-5)
    assert best["accuracy"] == pytest.approx(accuracy, abs=1e-12)


def test_heads_that_stay_at_a_site_are_judged_there(graph, tokenizer, frames):
    rule = {"method": "average", "rounds": 2}
    plan = decoders.plan(graph, tokenizer, model={"local": ["head.*"]}, training=rule)
    run = potluck.run(plan, data=frames)
    assert run.document["metrics"]["federated"] is None or perplexity(run) is None
    for name in texts.SITES:
        home = Path(run.document["own"][name]).parent
        own = json.loads((home / "metrics.json").read_text())["metrics"]
        held = frames[name]["note"][read(frames[name], plan.spec, name).test]
        loss, accuracy = judged(trained(potluck.Model.read(home / "model.json")), held)
        assert own["perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)
        assert own["accuracy"] == pytest.approx(accuracy, abs=1e-12)
        assert own["rows"] == len(held)


def batch(words=(3, 5, 2), pad=0, length=6, vocabulary=9):
    """Some texts of so many tokens, in the form in which networks take them, and logits of them."""
    draw = np.random.default_rng(2)
    held = np.array([draw.integers(0, vocabulary, size).astype(np.uint32).tobytes() for size in words], object)
    cells = TextCells(held, np.ones((len(words), 32), np.uint8), length, pad)
    rows = MixedRows(np.zeros((len(words), 0)), {"note": cells}, np.arange(len(words)))
    logits = torch.from_numpy(draw.normal(size=(len(words), length, vocabulary)))
    return rows, logits


GOAL = Goal(column="note", side="tokens")


def test_filling_never_counts_whatever_number_it_has():
    rows, logits = batch()
    for pad in (0, 4, 8):
        other, _ = batch(pad=pad)
        tokens = wanted(GOAL, other, np.zeros(3), "float32")
        assert np.array_equal(tokens, wanted(GOAL, rows, np.zeros(3), "float32"))
    asked = torch.from_numpy(tokens)
    assert (tokens != NONE).sum(axis=1).tolist() == [2, 4, 1]  # the last real token has none behind it
    logits.requires_grad_()
    loss = loss_of(GOAL)
    before = loss.rows(logits, asked)
    before.sum().backward()
    for row, real in enumerate((3, 5, 2)):
        assert not logits.grad[row, real - 1 :].any()
        assert logits.grad[row, : real - 1].abs().sum(1).min() > 0
        changed = logits.detach().clone()
        changed[row, real - 1 :] = torch.randn(changed[row, real - 1 :].shape) * 1e3
        assert torch.equal(loss.rows(changed, asked), before.detach())


def test_a_token_that_fills_up_elsewhere_counts_where_a_text_has_it():
    cells = TextCells(np.array([np.array([7, 0, 7], np.uint32).tobytes()], object), np.ones((1, 32), np.uint8), 5, 0)
    rows = MixedRows(np.zeros((1, 0)), {"note": cells}, np.arange(1))
    assert following(rows, "note").tolist() == [[0, 7, NONE, NONE, NONE]]


def test_rows_count_the_same_however_long_they_are_and_do_not_know_each_other():
    rows, logits = batch()
    loss, asked = loss_of(GOAL), torch.from_numpy(following(rows, "note"))
    each = loss.rows(logits, asked)
    for row in range(3):
        size = int((asked[row] != NONE).sum())
        alone = functional.cross_entropy(logits[row, :size], asked[row, :size])  # torch's mean over its tokens
        assert each[row] == pytest.approx(float(alone))
    assert float(loss.batch(logits, asked, None)) == pytest.approx(float(each.mean()))
    assert float(loss.total(logits, asked, None)) == pytest.approx(float(each.sum()))
    flipped = loss.rows(logits.flip(0), asked.flip(0))
    assert torch.allclose(flipped.flip(0), each)


def test_where_rows_are_of_one_length_the_loss_is_torchs_mean_over_all_tokens():
    rows, logits = batch(words=(4, 4, 4, 4))
    asked = torch.from_numpy(following(rows, "note"))
    pooled = functional.cross_entropy(logits.flatten(0, 1), asked.flatten(), ignore_index=-100)
    assert float(loss_of(GOAL).batch(logits, asked, None)) == pytest.approx(float(pooled))


@pytest.fixture(scope="module")
def bare(home):
    """A tokenizer that puts nothing around a text, and its graph."""
    path = texts.written(home / "bare.json", "wordlevel")
    words = tokenizers.Tokenizer.from_file(str(path)).get_vocab_size()
    return decoders.graph(home / "bare.graph", decoders.Decoder(words)), path


@pytest.mark.slow
def test_a_text_of_one_token_is_refused_by_line_or_left_out_and_told(bare, frames):
    frame = frames["a"].copy()
    frame.loc[4, "note"], frame.loc[9, "note"] = "patient", "the patient"
    with pytest.raises(DataError, match="line 5: a text of fewer than 2 tokens, of which none follows") as caught:
        read(frame, decoders.plan(*bare).spec, "a")
    assert "patient" not in str(caught.value)
    plan = decoders.plan(*bare, note={"missing": "drop"})
    table = read(frame, plan.spec, "a")
    assert table.rows == len(frame) - 1
    assert any("line 5: a text of fewer than 2 tokens" in line for line in lines(table.tally))
    run = potluck.run(plan, data={**frames, "a": frame})
    assert math.isfinite(perplexity(run))
    scores = run.model.scores(pd.DataFrame({"note": ["patient", "the patient", "the patient walks"]}))
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()


def test_a_plan_without_a_text_that_could_be_learnt_is_refused(graph, tokenizer, frames):
    hollow = {name: pd.DataFrame({"note": [""] * 3}) for name in frames}
    with pytest.raises(DataError, match="no rows are left"):
        potluck.run(decoders.plan(graph, tokenizer, note={"missing": "drop"}), data=hollow)


class Other(torch.nn.Module):
    """Something that makes logits of another shape."""

    def __init__(self, *shape):
        super().__init__()
        self.shape, self.words = shape, torch.nn.Embedding(decoders.vocabulary(), 4)
        self.out = torch.nn.Linear(4, shape[-1])

    def forward(self, note):
        found = self.out(self.words(note))
        return found if len(self.shape) == 2 and self.shape[0] == decoders.LENGTH else found.mean(1)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((decoders.LENGTH, decoders.vocabulary() - 1), "hint: logits [b, {length}, {words}], at each place of note"),
        ((decoders.LENGTH, decoders.vocabulary() + 9), "leave out the further ones: logits[..., :{words}]"),
        ((decoders.vocabulary(),), "it makes [b, {words}], and next tokens are of {words} in {length} places"),
    ],
)
def test_a_graph_that_makes_other_logits_is_refused(tokenizer, tmp_path, shape, said):
    net = decoders.graph(tmp_path / "g", Other(*shape))
    (error,) = decoders.plan(net, tokenizer).problems()[0]
    assert said.format(length=decoders.LENGTH, words=decoders.vocabulary()) in error


LABEL = {"target": {"column": "y", "positive": ["1"]}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"data": LABEL}, "data.target: a language model predicts the tokens of a text"),
        ({"model": {"graph": None, "layers": [4]}}, "model.loss: next tokens are predicted by a network of a graph"),
        ({"model": {"kind": "logistic"}}, "model.loss: next tokens are predicted by a network of a graph"),
        ({"model": {"loss": None}}, "data.target: is missing"),
        ({"model": {"loss": "cross-entropy"}}, "model.loss"),
        ({"note": {"missing": "flag"}}, "data.columns.note.missing: a row without a text has no token"),
        ({"note": {"length": 1}}, "data.columns.note.length: of one token none follows"),
        ({"training": {"class_weights": {"1": 2.0}}}, "training.class_weights: next tokens count alike"),
        ({"training": {"stop": {"metric": "auc"}}, "data": {"split": {"test": 0.2, "validation": 0.2}}}, 'no "auc"'),
        ({"training": {"method": "newton"}}, "training.method"),
        (
            {"privacy": {"noise": "shared", "unit": "site", "epsilon": 1, "delta": 1e-5, "clip": 1}},
            "noise is not for columns of texts",
        ),
    ],
)
def test_what_does_not_go_with_next_tokens_is_refused_by_name(graph, tokenizer, more, said):
    try:
        errors, _ = decoders.plan(graph, tokenizer, **more).problems()
    except PlanError as error:  # what no plan may say
        errors = [str(error)]
    assert any(said in line and "hint" in line for line in errors), errors


def test_next_tokens_are_of_one_text(graph, tokenizer):
    spread = {"kind": "number", "low": 0, "high": 1}
    text = {"kind": "text", "tokenizer": str(tokenizer), "length": decoders.LENGTH}
    for columns, found in (({"x": spread}, "none"), ({"note": text, "more": text}, "note, more")):
        errors, _ = decoders.plan(graph, tokenizer, data={"columns": columns}).problems()
        assert any(f"there is {found}." in line for line in errors), errors


def test_owners_and_researchers_are_told_that_a_language_model_repeats_texts(graph, tokenizer, tmp_path):
    plan = decoders.plan(graph, tokenizer)
    assert any("repeat texts of rows word for word" in line for line in potluck.check(plan).warnings)
    views = [one for one in potluck.explain(plan).views if one.of == "the model" and one.form == "released"]
    assert {str(one.party) for one in views} >= {"server", *texts.SITES}
    assert all("repeat texts" in one.note for one in views)
    assert "the next tokens of 'note'" in TRAIN.learnt(plan.spec, "a")
    assert "repeat texts" in TRAIN.exact(plan.spec)
    labelled = texts.plan(texts.graph(tmp_path / "g"), tokenizer)
    assert not any("repeat texts" in line for line in potluck.check(labelled).warnings)
    assert not any("repeat texts" in one.note for one in potluck.explain(labelled).views)


def test_the_memory_of_a_batch_holds_its_logits_and_what_the_loss_makes_of_them(graph, tokenizer):
    spec = decoders.plan(graph, tokenizer).spec
    logits = decoders.LENGTH * decoders.vocabulary()
    checked = spec.network.checked
    others = sum(one.size for name, one in checked.values.items() if one.rows and name != spec.network.graph.output)
    assert checked.floats >= others + 2 * logits
    assert memory(checked, 32) - memory(checked, 0) >= 32 * 3 * 4 * 2 * logits


def test_a_model_file_scores_texts_by_their_mean_loss_and_says_no_more(run, frames, home):
    model, frame = potluck.Model.read(home / "run" / "model.json"), frames["b"]
    columns, table = model.scored(frame)
    assert columns == ("loss",)
    with torch.no_grad():
        theirs = decoders.losses(trained(run.model), frame["note"])
    assert np.allclose([row[0] for row in table], theirs.numpy(), rtol=1e-5)
    for refused in (model.predict, model.predict_proba):
        with pytest.raises(UsageError, match="predicts tokens"):
            refused(frame)
    with pytest.raises(UsageError, match="predicts tokens"):
        model.to_sklearn()


def test_a_model_file_whose_tokens_are_of_no_text_is_broken(run, home, tmp_path):
    raw = json.loads((home / "run" / "model.json").read_bytes())
    raw["target"]["column"] = "other"
    (tmp_path / "model.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match="broken model file: the tokens that it predicts are of no text"):
        potluck.Model.read(tmp_path / "model.json")


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is missing")
def test_onnxruntime_gives_the_logits_of_each_next_token(run):
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file(run.model), providers=["CPUExecutionProvider"])
    ids = torch.tensor([[1, 5, 9, 0, 3, 2, 7, 7, 0, 0, 0, 0], [4] * 12])
    (theirs,) = session.run(["logits"], {"note": ids.numpy()})
    with torch.no_grad():
        assert np.allclose(theirs, trained(run.model)(ids).numpy(), atol=1e-5)
