"""Models that are graphs, for predictions: over a table, over pictures beside a number, and an adapter on a base."""

import csv

import numpy as np
import torch
from torch import nn

import potluck
from potluck.core.slices import digest_of
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.graph.bases import FOLDER, base_in
from potluck.learning.graph.file import parsed
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.model import Model
from support.files import pictures, written
from support.parties import predict_scene as scene

ILL = Goal(column="ill", side="binary", positive=("1",))
KINDS = Goal(column="kind", side="classes", classes=("a", "b", "c"))
IMAGE = Field(name="image", kind="image", shape=(1, 8, 8), low=0.0, high=255.0, missing="drop")
AGE = Field(name="age", kind="number", low=0.0, high=100.0)


class Adapter(nn.Module):
    """A frozen layer, and beside it a product of two thin ones that train (LoRA)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.base = nn.Linear(3, 6).requires_grad_(False)
        self.down, self.up = nn.Linear(3, 2, bias=False), nn.Linear(2, 6, bias=False)
        self.head = nn.Linear(6, 1)

    def forward(self, features):
        return self.head(torch.tanh(self.base(features) + self.up(self.down(features))))


def model_of(path, how, goal, models=None):
    content = path.read_bytes()
    made = parsed(content, str(path))
    if made.graph.base is not None and models is not None:
        made = parsed(content, str(path), base_in(models, made.graph.base))
    return Model("network", how, goal, np.zeros(0), graph=GraphModel(made))


def table(folder):
    """Of the rows of `predict_scene`: three features, three classes."""
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(3, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 3))
    potluck.graph(module, inputs={"features": [3]}, path=folder / "net.graph")
    return model_of(folder / "net.graph", Encoding(fields=(scene.AGE, scene.SEX), missing=("",)), KINDS)


def adapter(folder):
    """The same with frozen weights in a base, which lies in models/."""
    (folder / FOLDER).mkdir(exist_ok=True)
    base = folder / FOLDER / "frozen.safetensors"
    potluck.graph(Adapter(), inputs={"features": [3]}, path=folder / "net.graph", base=base)
    how = Encoding(fields=(scene.AGE, scene.SEX), missing=("",))
    return model_of(folder / "net.graph", how, ILL, folder / FOLDER), digest_of(base.read_bytes())


def seen(folder):
    """A convolution over pictures, joined to a number."""
    return model_of(pictures.graph(folder / "net.graph"), Encoding(fields=(IMAGE, AGE), missing=("",)), ILL)


def scans(folder, rows=6, gone=()):
    """A CSV file of pictures beside it; gone: rows without one. Gives its text."""
    draw = np.random.default_rng(3)
    (folder / "scans").mkdir()
    with (folder / "rows.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["image", "age"])
        for row in range(rows):
            (folder / "scans" / f"{row}.png").write_bytes(written.png(pictures.stripes(draw, row % 2)))
            out.writerow(["" if row in gone else f"scans/{row}.png", round(draw.uniform(0, 100), 1)])
    return (folder / "rows.csv").read_text()
