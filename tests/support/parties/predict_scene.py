"""A small prediction: a model's owner, a client with rows, and a stand-in that protects nothing."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from potluck.core.party import SERVER, Party, site
from potluck.core.predicting import Meeting, Net, Scored
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Record
from potluck.core.views import Form, Never, View
from potluck.he.predict.circuit import Forecast, Outline
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models.model import Model
from potluck.learning.models.model_file import Network
from potluck.tasks.predict import scorers

ASKED, SCORED = "insecure/rows", "insecure/scores"
BOUND = 1e-6
AGE = Field(name="age", kind="number", low=20.0, high=90.0)
SEX = Field(name="sex", kind="category", values=("0", "1"))
CHOL = Field(name="chol", kind="number", low=100.0, high=400.0, missing="flag")
WEIGHT = Field(name="kg", kind="number", low=30.0, high=150.0, missing="drop")
PLAN = """version = 1
name = "scores"
purpose = "Score visitors"
task = "predict"
[federation]
sites = ["hospital", "clinic"]
[data]
missing = ["", "NA"]
[data.files]
clinic = "rows.csv"
[model]
file = "model.json"
[predict]
owner = "hospital"
client = "clinic"
max_rows = 50
[protect]
with = "he"
[privacy]
noise = "none"
"""


class InsecurePredict:
    """Sends rows and scores in plain, each score off by half of the bound that it states."""

    closed = 0

    def helpers(self) -> tuple[Party, ...]:
        return ()

    def query(self, meeting: Meeting, me: Credentials, features: np.ndarray) -> Half[Scored]:
        label = meeting.label(ASKED)
        send = {SERVER: Parcel(label, msgspec.msgpack.encode(features.tolist()))}
        inbox = yield Exchange(meeting.label(SCORED), send=send, expect=frozenset({SERVER}), at_least=1, hops=4)
        margins = np.array(msgspec.msgpack.decode(inbox.got[SERVER]))
        off = np.where(np.arange(margins.shape[1]) % 2, -BOUND, BOUND) / 2
        return Scored(margins + off, BOUND, ("nothing is hidden: a stand-in",))

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        inbox = yield Exchange(meeting.label(ASKED), expect=frozenset({SERVER}), at_least=1, hops=4)
        values = np.array(msgspec.msgpack.decode(inbox.got[SERVER]))
        if len(values) > meeting.rows:
            raise Abort(Cause.TERMS, party=meeting.client, detail="more rows than were agreed on")
        record = Record(f"scored/{meeting.round.run}/{meeting.round.number}", b"%d" % len(values))
        label = meeting.label(SCORED)
        body = msgspec.msgpack.encode(forward(net, values).tolist())
        yield Exchange(label, send={SERVER: Parcel(label, body)}, record=record)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        for step, sender, to in ((ASKED, meeting.client, meeting.owner), (SCORED, meeting.owner, meeting.client)):
            label = meeting.label(step)
            inbox = yield Exchange(label, expect=frozenset({sender}), at_least=1, hops=3)
            yield Exchange(label, send={to: Parcel(label, inbox.got[sender])})

    def assist(self, meeting: Meeting, me: Credentials) -> Half[None]:
        yield from ()

    def close(self) -> None:
        InsecurePredict.closed += 1


def forward(net: Net, values: np.ndarray) -> np.ndarray:
    """The layers, by hand."""
    for place, layer in enumerate(net.layers):
        values = values @ layer.weights.T + layer.bias
        if place + 1 < len(net.layers):
            values = {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh, "square": np.square}[net.activation](values)
    return values


def views(plan) -> list[View]:
    """What the stand-in shows to whom."""
    owner, client = site(plan.predict.owner), site(plan.predict.client)
    rows, source = f"{client}'s rows", "docs/concepts/prediction.md"
    found = [View(party, rows, Form.PLAIN, Never(), source) for party in (SERVER, owner, client)]
    return [*found, View(client, "the model", Form.NOTHING, Never(), source)]


def problems(outline: Outline) -> list[str]:
    """Nothing is too large for it."""
    return []


def forecast(outline: Outline) -> Forecast:
    """Made up."""
    return Forecast("none", 0, 0, 0, 0, outline.rows * outline.widths[0] * 8, outline.rows * outline.widths[-1] * 8)


ROW = scorers.Scorer(views, problems, forecast, lambda plan, demand=None: InsecurePredict(), None)


def logistic(*fields: Field, layout: tuple[str, ...] = (), missing: tuple[str, ...] = ("",)) -> Model:
    how = Encoding(fields=fields or (AGE, SEX), missing=missing, layout=layout)
    goal = Goal(column="ill", side="binary", positive=("1",))
    return Model("logistic", how, goal, np.linspace(-1.5, 1.7, 1 + len(how.names)))


def linear() -> Model:
    how = Encoding(fields=(AGE, SEX), missing=("",))
    goal = Goal(column="days", side="number", low=0.0, high=30.0)
    return Model("linear", how, goal, np.array([0.1, -0.4, 0.2, 0.3]))


def labels() -> Model:
    """The same network, of three labels."""
    return replace(network(), target=Goal(side="labels", columns=("a", "b", "c"), positive=("1",)))


def network() -> Model:
    how = Encoding(fields=(AGE, SEX), missing=("",))
    goal = Goal(column="kind", side="classes", classes=("a", "b", "c"))
    size = 4 * 5 + 6 * 3
    weights = np.random.default_rng(1).normal(size=size)
    return Model("network", how, goal, weights, Network(layers=(5,), activation="square"))


def deep(depth: int) -> Model:
    """A network with `depth` hidden layers of two units."""
    how = Encoding(fields=(AGE, SEX), missing=("",))
    goal = Goal(column="ill", side="binary", positive=("1",))
    size = (3 + 1) * 2 + (depth - 1) * 6 + 3
    return Model("network", how, goal, np.full(size, 0.5), Network(layers=(2,) * depth, activation="square"))


def rows(count: int = 7) -> str:
    rng = np.random.default_rng(count)
    lines = [f"{rng.uniform(20, 90):.2f},{rng.integers(0, 2)},x{i}" for i in range(count)]
    return "age,sex,name\n" + "\n".join(lines) + "\n"


def settle(folder: Path, model: Model | None = None, text: str | None = None, plan: str = PLAN) -> Path:
    """A folder with a model, rows and a plan; gives the plan's path."""
    (model or logistic()).write(folder / "model.json")
    (folder / "rows.csv").write_text(rows() if text is None else text)
    (folder / "plan.toml").write_text(plan)
    return folder / "plan.toml"


def parties() -> tuple[Party, Party]:
    return site("hospital"), site("clinic")
