"""A plan that trains a torch module by federated averaging, its graph, and what its sites' rows are read from."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import potluck
import potluck.owner.source  # the kinds of source that owners have
from harness import fashion
from potluck.api.plan.plan import opened
from potluck.core.plan import Plan
from potluck.learning.data.table import Table
from potluck.tasks.sums.rows import rows_of

RATE = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row is: the column's name, its entry in a plan, the type and shape of its cells, how many classes; batch:
    rows of a step."""

    column: str
    entry: str
    kind: str
    sizes: tuple[int, ...]
    classes: int
    batch: int


PICTURES = Shape("image", 'kind = "image", shape = [1, 28, 28], low = 0, high = 255', "float32", (1, 28, 28), 10, 64)
TEXTS = Shape("note", 'kind = "text", tokenizer = "tokenizer.json", length = 32', "int64", (32,), 2, 8)


@dataclass(frozen=True, slots=True)
class Wish:
    """sites: by name, the file of each one's rows; base: the file of frozen weights, where there are any, beside which
    a tokenizer may lie."""

    shape: Shape
    sites: dict[str, str]
    rounds: int
    protect: str = "clear"
    base: Path | None = None


def tables(
    room: Path, module: Any, some: fashion.Pictures, labels: fashion.Labels, parts: Sequence[Any], rounds: int
) -> tuple[Plan, list[Table]]:
    """A plan about pictures, and the table of each site, read from PNG files."""
    names = [f"s{place}" for place in range(len(parts))]
    given = opened(written(room, module, Wish(PICTURES, {name: f"{name}/rows.csv" for name in names}, rounds)))
    given.require()
    files = [fashion.written(room / name, some[part], labels[part]) for name, part in zip(names, parts, strict=True)]
    return given.spec, [rows_of(file, given.spec, name) for file, name in zip(files, names, strict=True)]


def written(room: Path, module: Any, wish: Wish) -> Path:
    """The graph and the plan, as files in `room`; frozen weights in `models/`, where sites look for them."""
    shape, base = wish.shape, None
    if wish.base is not None:
        (room / "models").mkdir()
        base = Path(shutil.copy(wish.base, room / "models"))
        shutil.copy(wish.base.with_name("tokenizer.json"), room)
    potluck.graph(module, inputs={shape.column: (shape.kind, shape.sizes)}, path=room / "net.graph", base=base)
    held = f'base = "{_base(room)}"' if base else ""
    files = "\n".join(f'{name} = "{file}"' for name, file in wish.sites.items())
    path = room / "plan.toml"
    path.write_text(
        f"""version = 1
name = "training"
purpose = "bench"
task = "train"
[federation]
sites = {list(wish.sites)!r}
corrupt = {int(wish.protect == "mask")}
patience = 300
[data]
max_rows = 60000
[data.columns]
{shape.column} = {{ {shape.entry} }}
[data.target]
column = "kind"
classes = {[f"k{kind}" for kind in range(shape.classes)]!r}
[data.files]
{files}
[model]
kind = "network"
graph = "net.graph"
l2 = 0
{held}
[training]
method = "average"
rounds = {wish.rounds}
rate = {RATE}
batch = {shape.batch}
[protect]
with = "{wish.protect}"
[privacy]
noise = "none"
""",
        encoding="utf-8",
    )
    return path


def _base(room: Path) -> str:
    """How the graph in `room` names its base."""
    from potluck.learning.graph.file import read

    return str(read(room / "net.graph").graph.base)
