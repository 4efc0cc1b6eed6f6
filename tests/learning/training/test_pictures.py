"""A network of a graph takes pictures from files: as torch would, batch by batch, and no changed file passes."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from PIL import Image
from torch.nn import functional

import potluck
from potluck.core.errors import DataError, PlanError
from potluck.core.plan import Data
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.learning.data.files import folder
from potluck.learning.data.table import read
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from potluck.tasks import tie
from support.files import pictures, written

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return pictures.graph(tmp_path_factory.mktemp("graph") / "net.graph")


@pytest.fixture
def sources(tmp_path):
    return pictures.written_to(tmp_path)


def seen(path, table):
    """What Pillow and pandas say of a site's training rows."""
    rows, train = pd.read_csv(path), ~table.test
    every = np.stack([np.asarray(Image.open(path.parent / one), np.float64) for one in rows["image"]])
    image = torch.tensor(2 * every[train, None] / 255 - 1, dtype=torch.float32)
    age = torch.tensor((2 * rows["age"].to_numpy() / 100 - 1)[train, None], dtype=torch.float32)
    return image, age, torch.tensor(rows["y"].to_numpy()[train], dtype=torch.float32)


def by_hand(sources, tables):
    """FedAvg of the same module by torch, over pictures that Pillow alone reads."""
    module = pictures.Beside()
    common = {name: one.detach().double() for name, one in module.named_parameters()}
    for step in range(2):
        changes = []
        for name, path in sources.items():
            image, age, y = seen(path, tables[name])
            with torch.no_grad():
                for key, one in module.named_parameters():
                    one.copy_(common[key])
            order = generator(0, "average", step, 0).permutation(len(y))
            for start in range(0, len(y), 8):
                some = order[start : start + 8]
                loss = functional.binary_cross_entropy_with_logits(module(image[some], age[some])[:, 0], y[some])
                module.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for one in module.parameters():
                        one -= 0.1 * one.grad
            changes.append((len(y), {key: one.detach().double() for key, one in module.named_parameters()}))
        total = sum(rows for rows, _ in changes)
        common = {key: sum(rows * one[key] for rows, one in changes) / total for key in common}
    return common


def test_a_network_over_pictures_is_trained_as_torch_trains_it(graph, sources):
    plan = pictures.plan(graph)
    tables = {name: read(path, plan.spec, name) for name, path in sources.items()}
    assert any(one.test.any() for one in tables.values())
    found = potluck.run(plan, data=sources).model
    for name, theirs in by_hand(sources, tables).items():
        assert np.allclose(found.graph.network.tensors[name], theirs.numpy(), atol=2e-6)


def test_a_step_by_gradient_is_one_on_all_pictures_in_one_place(graph, sources):
    plan = pictures.plan(graph)
    plan = plan.set("training", {"method": "gradient", "rounds": 1, "rate": 0.5})
    tables = {name: read(path, plan.spec, name) for name, path in sources.items()}
    found = potluck.run(plan, data=sources).model
    module = pictures.Beside()
    image, age, y = map(torch.cat, zip(*(seen(path, tables[name]) for name, path in sources.items()), strict=True))
    functional.binary_cross_entropy_with_logits(module(image, age)[:, 0], y).backward()
    for name, one in module.named_parameters():
        wanted = (one.detach() - 0.5 * one.grad).numpy()
        assert np.allclose(found.graph.network.tensors[name], wanted, atol=2e-6), name
    some = [read(path, plan.spec, "a").keys for path in sources.values()]
    assert len(np.unique(np.concatenate(some))) == sum(map(len, some))  # rows are told apart by their pictures too


@pytest.mark.parametrize("scheme", ["mask", pytest.param("he", marks=pytest.mark.slow)])
def test_every_protection_gives_the_model_of_clear(graph, sources, scheme):
    plain = potluck.run(pictures.plan(graph), data=sources).model.digest()
    assert potluck.run(pictures.plan(graph, scheme), data=sources).model.digest() == plain


def test_metrics_and_scores_are_those_of_the_network(graph, sources):
    found = potluck.run(pictures.plan(graph), data=sources)
    table = read(sources["a"], pictures.plan(graph).spec, "a")
    scores = found.model.scores(sources["a"])
    assert scores.shape == (24,)
    assert np.array_equal(scores, found.model.scored_features(table.inputs))
    assert found.metrics["federated"]["rows"] > 0


def test_validation_rows_are_looked_at_with_their_pictures(graph, sources):
    plan = pictures.plan(graph)
    plan = plan.set("data.split", {"test": 0.2, "validation": 0.3})
    plan = plan.set("training.evaluate_every", 1)
    found = potluck.run(plan, data=sources)
    table = read(sources["a"], plan.spec, "a")
    assert table.validation.any()
    assert [one["round"] for one in found.document["history"]] == [1, 2]


def test_a_batch_is_what_its_files_say_and_nothing_more_is_decoded(graph, sources, monkeypatch):
    table = read(sources["a"], pictures.plan(graph).spec, "a")
    cells = table.cells["image"]
    store = cells.reader.store
    store.most = 3 * 8 * 8 * 4
    opened, real = [], folder.read
    monkeypatch.setattr(folder, "read", lambda root, path: opened.append(path) or real(root, path))
    store._kept.clear()
    store._bytes = 0
    found = cells.take(np.array([5, 2, 5]))
    assert opened == ["scans/5.png", "scans/2.png"]
    for row, values in zip((5, 2, 5), found, strict=True):
        pixels = np.asarray(Image.open(sources["a"].parent / f"scans/{row}.png"), np.float64)
        assert np.allclose(values[0], 2 * pixels / 255 - 1, atol=1e-6)
    cells.take(np.arange(24))
    assert store._bytes <= store.most
    assert len(store._kept) == 3


def test_a_file_that_changed_since_it_was_read_is_not_trained_on(graph, sources):
    plan = pictures.plan(graph).spec
    table = read(sources["a"], plan, "a")
    table.cells["image"].reader.store._kept.clear()
    picture = sources["a"].parent / "scans" / "3.png"
    data = picture.read_bytes()
    for changed in (written.png(np.zeros((8, 8))), b"no picture", None):
        picture.unlink()
        if changed is not None:
            picture.write_bytes(changed)
        with pytest.raises(Abort) as caught:
            table.cells["image"].take(np.array([3]))
        assert caught.value.cause is Cause.CHANGED
        assert "'image'" in str(caught.value)
    picture.write_bytes(data)
    assert table.cells["image"].take(np.array([3])).shape == (1, 1, 8, 8)


def test_a_changed_picture_is_a_changed_row(graph, sources):
    plan, key = pictures.plan(graph).spec, Secret(bytes(32))
    before = tie.of_table(read(sources["a"], plan, "a"), key).digest
    (sources["a"].parent / "scans" / "0.png").rename(sources["a"].parent / "other.png")
    text = sources["a"].read_text()
    sources["a"].write_text(text.replace("scans/0.png", "other.png"))
    assert tie.of_table(read(sources["a"], plan, "a"), key).digest == before  # the same bytes by another name
    picture = sources["a"].parent / "other.png"
    values = np.array(Image.open(picture))
    values[0, 0] ^= 1
    picture.write_bytes(written.png(values))
    assert tie.of_table(read(sources["a"], plan, "a"), key).digest != before


def test_sides_follow_the_bytes_of_pictures_and_not_their_names_or_order(tmp_path):
    rows = [(f"{n}.png", 1) for n in range(60)]
    for n, (name, _) in enumerate(rows):
        (tmp_path / name).write_bytes(written.png(np.full((2, 2), n)))
    columns = {"image": {**pictures.IMAGE, "shape": [1, 2, 2]}, "y": pictures.SIDE}
    spec = pictures.plan(pictures.graph(tmp_path / "g", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1)),
                                        {"image": [1, 2, 2]}), columns=columns).spec  # fmt: skip

    def sides(order):
        pd.DataFrame([rows[n] for n in order], columns=["image", "y"]).to_csv(tmp_path / "rows.csv", index=False)
        return read(tmp_path / "rows.csv", spec, "a").test

    forward, backward = sides(range(60)), sides(range(59, -1, -1))
    assert 4 < forward.sum() < 30  # pictures alone tell these rows apart
    assert np.array_equal(forward, backward[::-1])


WRONG = {
    "there is none": (lambda home: (home / "scans/3.png").unlink(), "no such file"),
    "damaged": (
        lambda home: (home / "scans/3.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
        "is a PNG file without a header",
    ),
    "another kind": (lambda home: (home / "scans/3.png").write_bytes(b"GIF89a"), "is of no kind that is known"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_cannot_be_used_is_told_by_line_or_counts_as_missing(graph, sources, kind):
    break_it, said = WRONG[kind]
    break_it(sources["a"].parent)
    with pytest.raises(DataError) as caught:
        read(sources["a"], pictures.plan(graph).spec, "a")
    assert f"column 'image', line 5: {said}" in str(caught.value)
    assert "scans" not in str(caught.value)
    columns = {"image": {**pictures.IMAGE, "missing": "drop"}, "age": pictures.AGE, "y": pictures.SIDE}
    table = read(sources["a"], pictures.plan(graph, columns=columns).spec, "a")
    assert table.rows == 23
    assert table.tally.dropped == {"image": 1}
    (told,) = table.tally.columns[0].unusable
    assert told.startswith(f"line 5: {said}")


def test_a_flagged_picture_that_is_missing_is_zeros_and_a_feature(tmp_path, sources):
    (sources["a"].parent / "scans/3.png").unlink()
    columns = {"image": {**pictures.IMAGE, "missing": "flag"}, "age": pictures.AGE, "y": pictures.SIDE}
    net = pictures.graph(tmp_path / "g", Wide(), {"image": pictures.SHAPE, "features": [2]})
    table = read(sources["a"], pictures.plan(net, columns=columns).spec, "a")
    assert table.features[:, 0].tolist() == [float(row == 3) for row in range(24)]
    assert not table.cells["image"].take(np.array([3])).any()
    assert not table.cells["image"].digests[3].any()


class Wide(pictures.Beside):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3 * 9 + 2, 1)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("/etc/passwd", "an absolute path"),
        ("../b/scans/1.png", "a path that leaves the folder"),
        ("link.png", "a symbolic"),
    ],
)
@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_a_path_that_leaves_the_folder_is_an_error_whatever_missing_says(graph, sources, cell, said, missing):
    (sources["a"].parent / "link.png").symlink_to("/etc/passwd")
    sources["a"].write_text(sources["a"].read_text().replace("scans/3.png", cell))
    columns = {"image": {**pictures.IMAGE, "missing": missing}, "age": pictures.AGE, "y": pictures.SIDE}
    with pytest.raises(DataError, match=f"column 'image', line 5: {said}"):
        read(sources["a"], pictures.plan(graph, columns=columns).spec, "a")


def test_clamped_numbers_are_counted_for_the_owner(graph, sources):
    columns = {"image": {**pictures.IMAGE, "high": 200}, "age": pictures.AGE, "y": pictures.SIDE}
    tally = read(sources["a"], pictures.plan(graph, columns=columns).spec, "a").tally
    pixels = [np.asarray(Image.open(one)) for one in (sources["a"].parent / "scans").iterdir()]
    assert tally.columns[0].numbers == 24 * 64
    assert tally.columns[0].clamped == sum(int((one > 200).sum()) for one in pixels)
    assert "clamped" in tally.document()["columns"][0]
    assert "clamped" not in tally.document()["columns"][1]


def test_rows_from_python_name_files_from_the_working_directory(graph, sources, monkeypatch):
    plan = pictures.plan(graph).spec
    monkeypatch.chdir(sources["a"].parent)
    frame, theirs = pd.read_csv(sources["a"]), read(sources["a"], plan, "a")
    for rows in (frame, pa.Table.from_pandas(frame)):
        assert np.array_equal(read(rows, plan, "a").cells["image"].digests, theirs.cells["image"].digests)


def test_rows_of_a_query_need_a_folder_that_the_policy_names(graph, sources, tmp_path):
    import duckdb

    with duckdb.connect(tmp_path / "rows.duckdb") as base:
        base.execute(f"CREATE TABLE r AS SELECT * FROM read_csv('{sources['a']}')")
    plan = pictures.plan(graph).spec
    asked = {"url": Secret(b"duckdb:///rows.duckdb"), "query": "SELECT * FROM r"}

    def rows(**more):
        return read(open_source(Source(**asked, **more), tmp_path, Data(max_rows=100), "a"), plan, "a")

    with pytest.raises(DataError, match="nobody says in which folder"):
        rows()
    for nowhere in ("c/nothing", "rows.duckdb"):
        with pytest.raises(DataError, match="their folder is not there"):
            rows(folder=nowhere)
    found = rows(folder="a")
    assert np.array_equal(found.cells["image"].digests, read(sources["a"], plan, "a").cells["image"].digests)


def test_a_plan_whose_graph_does_not_take_its_columns_is_refused(graph, tmp_path):
    small = {"image": {**pictures.IMAGE, "shape": [1, 4, 4]}, "age": pictures.AGE, "y": pictures.SIDE}
    for columns, said in (
        (small, r"it takes float32 \[b, 1, 8, 8\], and the plan has \[b, 1, 4, 4\] of image"),
        ({"age": pictures.AGE, "y": pictures.SIDE}, "it takes image, features, and the plan gives features"),
        ({"image": pictures.IMAGE, "y": pictures.SIDE}, "it takes image, features, and the plan gives image"),
    ):
        with pytest.raises(PlanError, match=said):
            pictures.plan(graph, columns=columns).require()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"kind": "logistic"}, "training": {"method": "newton"}}, "what a network of a graph takes alone"),
        ({"model": {"kind": "network", "layers": [4]}}, "what a network of a graph takes alone"),
    ],
)
def test_tensors_are_refused_by_name_where_no_graph_takes_them(graph, change, said):
    with pytest.raises(PlanError, match=said):
        pictures.plan(graph, **change).require()


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"shape": [8, 8]}, "an image has channels"),
        ({"shape": [1, 0, 8]}, "says of which shape"),
        ({"shape": [1, 100_000, 100_000]}, "says of which shape"),
        ({"shape": None}, "says of which shape"),
        ({"low": None}, "needs low and high"),
        ({"low": 255}, "low must be below high"),
        ({"values": ["a"]}, "has none"),
        ({"format": "%Y"}, "has none"),
    ],
)
def test_a_column_of_images_is_checked(graph, column, said):
    whole = {key: value for key, value in {**pictures.IMAGE, **column}.items() if value is not None}
    with pytest.raises(PlanError, match=said):
        pictures.plan(graph, columns={"image": whole, "age": pictures.AGE, "y": pictures.SIDE}).require()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"where": [{"column": "image", "in": ["a"]}]}, r"data\.where\.1\.column: image is an image, which has no"),
        ({"where": [{"column": "image", "at_least": 1}]}, r"data\.where\.1\.column: image is an image, which has no"),
        ({"person": "image"}, "data.person: image is an image"),
        ({"split": {"column": "image"}}, "data.split.column: image"),
    ],
)
def test_tensors_are_refused_where_a_value_is_expected(graph, table, said):
    data = {
        "columns": {"image": pictures.IMAGE, "age": pictures.AGE, "y": pictures.SIDE},
        "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.25}, "max_rows": 100,
    }  # fmt: skip
    with pytest.raises(PlanError, match=said):
        pictures.plan(graph, data={**data, **table}).require()
