"""Cells that are lists of numbers give what .npy files of the same numbers give, from every source that has lists."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn

import potluck
from potluck.core.errors import DataError
from potluck.core.plan import Data
from potluck.learning.data.source import limits_of, opened
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import lines
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from potluck.tasks import tie
from support.files import pictures

pytestmark = pytest.mark.torch
ROWS = 30
TENSOR = {"kind": "tensor", "low": -5, "high": 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("lists")


@pytest.fixture(scope="module")
def graphs(home):
    """By shape, a network over the column `ecg`."""
    found = {}
    for shape in ((4,), (2, 3)):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 1))
        found[shape] = pictures.graph(home / f"{len(shape)}.graph", net, {"ecg": list(shape)})
    return found


def spec(graphs, shape=(4,), **column):
    columns = {"ecg": {**TENSOR, "shape": list(shape), **column}, "y": pictures.SIDE}
    return pictures.plan(graphs[shape], columns=columns)


def values(shape=(4,)):
    draw = np.random.default_rng(2)
    return draw.normal(0, 3, (ROWS, *shape)).round(3), np.tile([0, 1], ROWS // 2)


def table(cells, y, kind=None):
    return pa.table(
        {"ecg": pa.array([None if one is None else np.asarray(one).tolist() for one in cells], kind), "y": y}
    )


def parquet(folder, cells, y, kind=None):
    pq.write_table(table(cells, y, kind), folder / "rows.parquet")
    return folder / "rows.parquet"


def by_files(folder, cells, y):
    """The same numbers as .npy files."""
    for row, one in enumerate(cells):
        np.save(folder / f"{row}.npy", one)
    frame = pd.DataFrame({"ecg": [f"{row}.npy" for row in range(len(cells))], "y": y})
    frame.to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


EVERY = np.arange(ROWS)
KINDS = {
    (4,): (
        None,
        pa.list_(pa.float64(), 4),
        pa.large_list(pa.float64()),
    ),
    (2, 3): (None, pa.list_(pa.list_(pa.float64(), 3), 2), pa.list_(pa.list_(pa.float64()), 2)),
}


@pytest.mark.parametrize("shape", KINDS)
def test_lists_are_the_tensors_of_files_with_the_same_numbers(graphs, tmp_path, shape):
    plan, (cells, y) = spec(graphs, shape).spec, values(shape)
    wanted = read(by_files(tmp_path, cells, y), plan, "a")
    frame = pd.DataFrame({"ecg": list(cells), "y": y})
    nested = pd.DataFrame({"ecg": [one.tolist() for one in cells], "y": y})
    sources = [frame, nested, table(cells, y), pl.from_arrow(table(cells, y))]
    for kind in KINDS[shape]:
        sources += [table(cells, y, kind), parquet(tmp_path, cells, y, kind)]
    digests = set()
    for source in sources:
        found = read(source, plan, "a")
        assert np.array_equal(found.cells["ecg"].take(EVERY), wanted.cells["ecg"].take(EVERY))
        assert found.tally.columns[0].numbers == wanted.tally.columns[0].numbers
        assert found.tally.columns[0].clamped == wanted.tally.columns[0].clamped > 0
        digests.add(found.cells["ecg"].digests.tobytes())
    assert len(digests) == 1


def test_whole_and_narrow_numbers_are_taken(graphs, tmp_path):
    plan, y = spec(graphs).spec, values()[1]
    cells = np.random.default_rng(3).integers(-5, 6, (ROWS, 4))
    wanted = read(by_files(tmp_path, cells, y), plan, "a").cells["ecg"].take(EVERY)
    for kind in (pa.int8(), pa.int64(), pa.float32(), pa.float64()):
        found = read(parquet(tmp_path, cells, y, pa.list_(kind)), plan, "a")
        assert np.array_equal(found.cells["ecg"].take(EVERY), wanted)


@pytest.mark.slow
def test_a_run_over_lists_gives_the_model_of_a_run_over_files(graphs, tmp_path):
    found = []
    for listed in (False, True):
        sources = {}
        for number, name in enumerate(pictures.SITES):
            folder = tmp_path / f"{name}{listed}"
            folder.mkdir()
            cells, y = values()
            sources[name] = (parquet if listed else by_files)(folder, cells + number / 10, y)
        # Without a split: sides follow digests, and of a list and of a file they are others.
        columns = {"ecg": {**TENSOR, "shape": [4]}, "y": pictures.SIDE}
        data = {"columns": columns, "target": {"column": "y", "positive": ["1"]}, "max_rows": 100}
        plan = pictures.plan(graphs[(4,)], data=data)
        run = potluck.run(plan, data=sources)
        found.append(run.model.digest())
        scores = run.model.scores(sources["b"])
    assert found[0] == found[1]
    assert scores.shape == (ROWS,)


WRONG = {
    "shorter": [1.0, 2.0, 3.0],
    "longer": [1.0] * 5,
    "empty": [],
    "without a number": [1.0, None, 2.0, 3.0],
    "endless": [1.0, float("inf"), 2.0, 3.0],
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("source", ["parquet", "frame"])
def test_a_list_that_does_not_fit_is_told_as_a_bad_file_is(graphs, tmp_path, case, source):
    cells, y = values()
    cells = [one.tolist() for one in cells]
    cells[5] = WRONG[case]

    def rows():
        if source == "parquet":
            return parquet(tmp_path, cells, y, pa.list_(pa.float64()))
        return pd.DataFrame({"ecg": cells, "y": y})

    said = "nan or inf" if case in ("without a number", "endless") else "another shape"
    if source == "frame" and case == "without a number":
        said = "another shape"
    with pytest.raises(DataError, match=rf"column 'ecg', line 6: .*{said}"):
        read(rows(), spec(graphs).spec, "a")
    left = read(rows(), spec(graphs, missing="drop").spec, "a")
    assert left.rows == ROWS - 1
    assert any("cells that cannot be used" in line and "line 6" in line for line in lines(left.tally))


@pytest.mark.parametrize(
    "cell",
    ["1,2,3,4", [[1.0, 2.0], [3.0, 4.0]], ["1", "2", "3", "4"], [True] * 4, {"a": 1}, [[1.0], [2.0, 3.0]]],
    ids=str,
)
def test_cells_of_a_frame_that_are_no_such_list_are_told(graphs, cell):
    cells, y = values()
    frame = pd.DataFrame({"ecg": list(cells), "y": y})
    frame["ecg"] = frame["ecg"].astype(object)
    frame.at[3, "ecg"] = cell
    with pytest.raises(DataError, match=r"column 'ecg', line 4: is of another shape"):
        read(frame, spec(graphs).spec, "a")


def test_a_row_without_a_list_is_missing(graphs, tmp_path):
    cells, y = values()
    cells = [one.tolist() for one in cells]
    cells[2] = None
    for source in (parquet(tmp_path, cells, y), pd.DataFrame({"ecg": cells, "y": y}), table(cells, y)):
        with pytest.raises(DataError, match="column 'ecg' has no value in 1 row"):
            read(source, spec(graphs).spec, "a")
        assert read(source, spec(graphs, missing="drop").spec, "a").rows == ROWS - 1


def test_a_changed_list_is_a_changed_row(graphs, tmp_path):
    key, (cells, y) = Secret(bytes(32)), values()
    before = tie.of_table(read(parquet(tmp_path, cells, y), spec(graphs).spec, "a"), key).digest
    assert tie.of_table(read(parquet(tmp_path, cells, y), spec(graphs).spec, "a"), key).digest == before
    cells[3, 1] = 50.0 + abs(cells[3, 1])  # beyond the range, where it is clamped to the same number
    once = tie.of_table(read(parquet(tmp_path, cells, y), spec(graphs).spec, "a"), key).digest
    cells[3, 1] += 1
    assert len({before, once, tie.of_table(read(parquet(tmp_path, cells, y), spec(graphs).spec, "a"), key).digest}) == 3


def test_lists_are_refused_by_name_where_no_tensor_is_declared(graphs, tmp_path):
    cells, y = values()
    number = {"kind": "number", "low": 0, "high": 1}
    image = {**pictures.IMAGE, "shape": [1, 2, 2]}
    for column in (number, image, {"kind": "category", "values": ["a", "b"]}):
        plan = pictures.plan(graphs[(4,)], columns={"ecg": column, "y": pictures.SIDE}).spec
        for source in (parquet(tmp_path, cells, y), table(cells, y), pd.DataFrame({"ecg": list(cells), "y": y})):
            with pytest.raises(DataError, match="column 'ecg' holds values of type"):
                read(source, plan, "a")


def test_lists_of_texts_and_truths_are_refused(graphs, tmp_path):
    for kind, cell in ((pa.string(), "a"), (pa.bool_(), True), (pa.date32(), 5)):
        rows = pa.table({"ecg": pa.array([[cell] * 4] * 4, pa.list_(kind)), "y": [0, 1, 0, 1]})
        with pytest.raises(DataError, match="column 'ecg' holds values of type"):
            read(rows, spec(graphs).spec, "a")


def test_lists_beyond_the_policys_memory_end_the_reading_by_name(graphs, tmp_path):
    cells, y = values()
    plan = spec(graphs).spec
    limits = limits_of(plan.data, 4 * 4 * (ROWS - 1)).here()
    small = _Small(opened(table(cells, y), "a", limits), limits)
    with pytest.raises(DataError, match=r"lists of column 'ecg' need more memory than source\.memory"):
        read(small, plan, "a")


class _Small:
    """Rows that are read within the usual memory of an engine, and held within less."""

    def __init__(self, rows, limits):
        self.rows, self.limits = rows, limits

    def names(self):
        return self.rows.names()

    def open(self, *given):
        whole = opened(self.rows.source, "a", limits_of(Data(columns={"ecg": potluck.core.plan.Column(kind="tensor")})))
        return whole.open(*given)


def test_a_duckdb_file_gives_lists_too(graphs, tmp_path):
    import duckdb

    cells, y = values()
    parquet(tmp_path, cells, y)
    with duckdb.connect(tmp_path / "rows.duckdb") as base:
        base.execute(f"CREATE TABLE r AS SELECT * FROM '{tmp_path / 'rows.parquet'}'")
    asked = {"url": Secret(b"duckdb:///rows.duckdb"), "query": "SELECT * FROM r", "folder": "."}
    plan = spec(graphs).spec
    found = read(open_source(Source(**asked), tmp_path, plan.data, "a"), plan, "a")
    mine = read(tmp_path / "rows.parquet", plan, "a")
    assert np.array_equal(found.cells["ecg"].take(EVERY), mine.cells["ecg"].take(EVERY))
