"""A network of a graph takes texts: as torch would with the library's tokens, and alike under every protection."""

import re
from importlib.util import find_spec

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

if find_spec("torch") is None or find_spec("tokenizers") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import tokenizers
import torch
from torch.nn import functional

import potluck
from potluck.core.errors import DataError, GraphError, PlanError, UsageError
from potluck.core.plan import Column, canonical, digest
from potluck.core.seeded import generator
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import lines
from potluck.learning.models import carried
from potluck.learning.models.graphs import graph_of, with_bytes
from potluck.secret.container import Secret
from potluck.tasks import tie
from support.files import texts

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def graph(home):
    return texts.graph(home / "net.graph")


@pytest.fixture(scope="module")
def tokenizer(home):
    return texts.written(home / "tokenizer.json")


@pytest.fixture(scope="module")
def frames():
    return texts.frames()


@pytest.fixture(scope="module")
def run(graph, tokenizer, frames, home):
    return potluck.run(texts.plan(graph, tokenizer), data=frames, out=home / "run")


def by_hand(frames, tables):
    """FedAvg of the same module by torch, over tokens that the library fills up itself."""
    library = tokenizers.Tokenizer.from_str(texts.files()["wordpiece"].decode())
    library.enable_truncation(texts.LENGTH)
    library.enable_padding(length=texts.LENGTH, pad_id=0, pad_token="[PAD]")
    module = texts.Encoder()
    moving = {name: one for name, one in module.named_parameters() if one.requires_grad}
    common = {name: one.detach().double() for name, one in moving.items()}
    for step in range(2):
        changes = []
        for name, frame in frames.items():
            train = ~tables[name].test
            found = [library.encode(text) for text in frame["note"][train]]
            ids, mask = (torch.tensor([getattr(one, key) for one in found]) for key in ("ids", "attention_mask"))
            y = torch.tensor(frame["y"].to_numpy()[train], dtype=torch.float32)
            with torch.no_grad():
                for key, one in moving.items():
                    one.copy_(common[key])
            order = generator(0, "average", step, 0).permutation(len(y))
            for start in range(0, len(y), 8):
                some = order[start : start + 8]
                loss = functional.binary_cross_entropy_with_logits(module(ids[some], mask[some])[:, 0], y[some])
                module.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for one in moving.values():
                        one -= 0.5 * one.grad
            changes.append((len(y), {key: one.detach().double() for key, one in moving.items()}))
        total = sum(rows for rows, _ in changes)
        common = {key: sum(rows * one[key] for rows, one in changes) / total for key in common}
    return common


@pytest.mark.slow
def test_an_adapter_over_texts_is_trained_as_torch_trains_it(run, graph, tokenizer, frames):
    plan = texts.plan(graph, tokenizer)
    tables = {name: read(frame, plan.spec, name) for name, frame in frames.items()}
    assert any(one.test.any() for one in tables.values())
    found = by_hand(frames, tables)
    assert set(found) == {"down.weight", "up.weight", "head.weight", "head.bias"}
    for name, theirs in found.items():
        assert np.allclose(run.model.graph.network.tensors[name], theirs.numpy(), atol=5e-6)


@pytest.mark.parametrize(
    "scheme", ["mask", pytest.param("tee", marks=pytest.mark.slow), pytest.param("he", marks=pytest.mark.slow)]
)
def test_every_protection_gives_the_model_of_clear(run, graph, tokenizer, frames, scheme):
    again = potluck.run(texts.plan(graph, tokenizer, scheme), data=frames)
    assert again.model.digest() == run.model.digest()


def test_a_model_is_read_with_its_tokenizer_and_scores_texts_alike(run, frames, tokenizer, home, tmp_path):
    model = potluck.Model.read(home / "run" / "model.json")
    assert np.array_equal(model.scores(frames["a"]), run.model.scores(frames["a"]))
    (beside,) = (home / "run").glob("*.tokenizer.json")
    assert beside.read_bytes() == tokenizer.read_bytes()
    assert beside.stat().st_mode & 0o777 == 0o600
    for name in ("model.json", "model.graph"):
        (tmp_path / name).write_bytes((home / "run" / name).read_bytes())
    with pytest.raises(UsageError, match=beside.name):
        potluck.Model.read(tmp_path / "model.json")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / beside.name).write_bytes(beside.read_bytes())
    assert np.array_equal(potluck.Model.read(tmp_path / "model.json").scores(frames["a"]), model.scores(frames["a"]))
    (tmp_path / beside.name).write_bytes(texts.changed(added_tokens=[]))
    with pytest.raises(UsageError, match="not the tokenizer"):
        potluck.Model.read(tmp_path / "model.json")


def test_texts_are_the_same_from_files_frames_and_streams(graph, tokenizer, frames, tmp_path):
    spec, frame = texts.plan(graph, tokenizer).spec, frames["a"]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    mine = read(frame, spec, "a").cells["note"]
    every = np.arange(len(frame))
    for source in (tmp_path / "rows.csv", tmp_path / "rows.parquet", pa.Table.from_pandas(frame)):
        found = read(source, spec, "a").cells["note"]
        assert np.array_equal(found.digests, mine.digests)
        assert np.array_equal(found.take(every), mine.take(every))
        assert found.take(every).dtype == np.int64
        assert np.array_equal(found.mask(every), (mine.take(every) != 0).astype(np.int64))


def test_long_texts_are_cut_and_their_owner_is_told(graph, tokenizer, frames):
    frame, spec = frames["a"], texts.plan(graph, tokenizer).spec
    library = tokenizers.Tokenizer.from_str(texts.files()["wordpiece"].decode())
    wanted = sum(len(library.encode(text).ids) > texts.LENGTH for text in frame["note"])
    assert 0 < wanted < len(frame)
    tally = read(frame, spec, "a").tally
    assert tally.columns[0].cut == wanted
    assert any(f"{wanted} of 24 texts" in line and "cut" in line for line in lines(tally))
    assert not any(word in line for line in lines(tally) for word in ("patient", "pain"))


def test_a_missing_text_is_refused_left_out_or_a_feature(graph, tokenizer, frames, tmp_path):
    frame = frames["a"].copy()
    frame.loc[3, "note"] = ""
    with pytest.raises(DataError, match=r"column 'note' has no value in 1 row \(line 4\)"):
        read(frame, texts.plan(graph, tokenizer).spec, "a")
    left = read(frame, texts.plan(graph, tokenizer, note={"missing": "drop"}).spec, "a")
    assert left.rows == 23

    class Flagged(texts.Encoder):
        def forward(self, note, features):
            return super().forward(note, (note > 0).long()) + features

    net = texts.graph(tmp_path / "g", Flagged(), {"note": texts.INPUTS["note"], "features": [1]})
    found = read(frame, texts.plan(net, tokenizer, note={"missing": "flag"}).spec, "a")
    assert found.features[:, 0].tolist() == [float(row == 3) for row in range(24)]
    assert not found.cells["note"].mask(np.array([3])).any()
    assert found.cells["note"].take(np.array([3])).tolist() == [[0] * texts.LENGTH]


def test_a_changed_text_is_a_changed_row_also_behind_what_is_read_of_it(graph, tokenizer, frames):
    spec, key = texts.plan(graph, tokenizer).spec, Secret(bytes(32))
    before = tie.of_table(read(frames["a"], spec, "a"), key).digest
    changed = frames["a"].copy()
    changed.loc[2, "note"] += " " + "word " * 40 + "end"
    assert tie.of_table(read(changed, spec, "a"), key).digest != before
    assert tie.of_table(read(frames["a"].copy(), spec, "a"), key).digest == before


def test_the_plans_hash_holds_the_tokenizer_and_not_where_it_lies(graph, tokenizer, tmp_path):
    plan = texts.plan(graph, tokenizer)
    moved = texts.plan(graph, texts.written(tmp_path / "elsewhere.json"))
    assert digest(plan.spec) == digest(moved.spec)
    assert b"elsewhere" not in canonical(moved.spec)
    assert plan.spec.data.columns["note"].digest.encode() in canonical(plan.spec)
    (tmp_path / "other.json").write_bytes(texts.changed(decoder=None))
    assert digest(texts.plan(graph, tmp_path / "other.json").spec) != digest(plan.spec)
    with pytest.raises(PlanError, match=r"data\.columns\.note\.digest: is not that"):
        texts.plan(graph, tokenizer, note={"digest": "sha256:" + "0" * 64})


def test_a_letter_gives_graph_and_tokenizer_again_and_no_other_bytes_do(graph, tokenizer):
    spec = texts.plan(graph, tokenizer).spec
    bare = potluck.core.plan.bare(spec)
    letter = graph_of(spec)
    assert letter.startswith(graph.read_bytes())
    found = with_bytes(bare, letter)
    assert list(found.tokenizers) == list(spec.tokenizers)
    assert found.content == spec.content
    draw = np.random.default_rng(0)
    places = [0, 20, len(spec.content) + 5, len(letter) - 8, len(letter) - 1, *draw.integers(0, len(letter), 30)]
    for place in places:
        for wrong in (letter[:place], letter[place:] if place else b"", _flipped(letter, int(place))):
            with pytest.raises(GraphError, match="than the plan names"):
                with_bytes(bare, wrong)
    assert len(carried.key_of(bare)) == 64
    assert carried.key_of(bare) != bare.model.digest.removeprefix("sha256:")


@pytest.mark.parametrize("column", [{"digest": "sha256:" + "0" * 64}, {"tokenizer": "none.json", "length": 3}])
def test_a_letter_holds_no_tokenizer_of_a_column_that_is_not_read(graph, tokenizer, column):
    plain = texts.plan(graph, tokenizer).spec
    columns = {**plain.data.columns, "old": Column(kind="ignore", **column)}
    more = msgspec.structs.replace(plain, data=msgspec.structs.replace(plain.data, columns=columns))
    assert with_bytes(potluck.core.plan.bare(more), graph_of(more)).tokenizers.keys() == plain.tokenizers.keys()


def _flipped(body, place):
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ({"length": 11}, r"it takes int64 \[b, 12\], and the plan has \[b, 11\] of note"),
        ({"length": 11}, r"hint: make it with --input note=11:int64 --input note.mask=11:int64"),
        ({"length": 2}, "puts 2 tokens around each text"),
        ({"length": 0}, "length"),
        ({"length": 9000}, "length"),
        ({"length": None}, "says how many tokens"),
        ({"tokenizer": None}, "says how a text becomes tokens"),
        ({"shape": [12]}, "a text has none"),
        ({"low": 0}, "a text has none"),
    ],
)  # fmt: skip
def test_a_column_of_texts_is_checked(graph, tokenizer, note, said):
    whole = {
        key: value for key, value in {"tokenizer": str(tokenizer), "length": 12, **note}.items() if value is not None
    }
    try:
        errors, _ = _plan(graph, {"kind": "text", **whole}).problems()
    except PlanError as error:  # what no plan may say
        errors = [str(error)]
    assert any(re.search(said, line) for line in errors)


def _plan(graph, column, **more):
    data = {
        "columns": {"note": column, "y": texts.SIDE}, "target": {"column": "y", "positive": ["1"]},
        "split": {"test": 0.25}, "max_rows": 100, **more.pop("data", {}),
    }  # fmt: skip
    return texts.plan(graph, "none", data=data, **more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": {"kind": "network", "layers": [4]}}, "a text is what a network of a graph takes alone"),
        ({"model": {"kind": "logistic"}, "training": {"method": "newton"}}, "a text is what a network"),
        ({"data": {"person": "note"}}, "data.person: note is a text"),
        ({"data": {"where": [{"column": "note", "in": ["a"]}]}}, "note"),
        (
            {"privacy": {"noise": "shared", "unit": "site", "epsilon": 1, "delta": 1e-5, "clip": 1}},
            "noise is not for columns of texts",
        ),
    ],
)
def test_texts_are_refused_by_name_where_nothing_takes_them(graph, tokenizer, more, said):
    column = {"kind": "text", "tokenizer": str(tokenizer), "length": 12}
    with pytest.raises(PlanError, match=said):
        _plan(graph, column, **more).require()


def test_words_of_a_text_are_refused_of_other_columns(graph, tokenizer):
    for key, value in (("tokenizer", str(tokenizer)), ("length", 3), ("digest", "sha256:" + "0" * 64)):
        with pytest.raises(PlanError, match=f"{key}: a number has none"):
            _plan(graph, {"kind": "number", "low": 0, "high": 1, key: value}).require()


@pytest.mark.slow
def test_a_tokenizer_of_more_tokens_than_the_graph_has_places_for_is_refused(tokenizer, tmp_path):
    net = texts.graph(tmp_path / "g", texts.Encoder(words=60))
    with pytest.raises(PlanError, match=r"a table of 60 tokens, and its tokenizer gives \d+"):
        texts.plan(net, tokenizer).require()


def test_the_owner_is_told_of_texts_and_of_their_tokenizer(graph, tokenizer):
    plan = texts.plan(graph, tokenizer)
    (said,) = [line for line in potluck.check(plan).about if "note" in line]
    assert plan.spec.data.columns["note"].digest in said
    assert "WordPiece" in said
    assert "12 tokens" in said
    assert "filled up with token 0" in said


def test_a_hostile_tokenizer_never_comes_to_a_plan(graph, tmp_path):
    (tmp_path / "t.json").write_bytes(texts.changed(model=None))
    with pytest.raises(DataError, match="no model"):
        texts.plan(graph, tmp_path / "t.json")


def test_frames_of_objects_that_are_no_texts_are_read_as_their_texts(graph, tokenizer):
    frame = pd.DataFrame({"note": [5, "a b", 2.5, True], "y": [0, 1, 0, 1]})
    found = read(frame, texts.plan(graph, tokenizer).spec, "a")
    assert found.rows == 4
