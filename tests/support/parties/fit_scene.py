"""What tests of fits share: owners with made-up columns, a stand-in for the engine that computes in plain, a round."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from potluck.api.plan.plan import Plan
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.plan import digest
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Memory
from potluck.drivers.once import root_cause
from potluck.learning.data.columns import read
from potluck.mpc.credentials import issue
from potluck.mpc.replicated import held, join, share
from potluck.mpc.spu import Compiled, Value
from potluck.owner.run_secrets import RunSecrets
from potluck.secret.random import system
from potluck.tasks.fit.halves import Brought, RoundContext, assist, bring, direct
from potluck.tasks.matching.alignment import Tools, read_keys

RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
ALPHA = RANKS[0]
STEP = 1 << 18


def frames(rows=240, owners=2, seed=0, number=False):
    """Columns x0.. in turn at the owners o0, o1, ..; o0 has the target y and the split; each has rows of its own."""
    draw = np.random.default_rng(seed)
    x = np.round(np.clip(draw.normal(size=(rows, 2 * owners)) * 0.5, -1, 1), 4)
    margin = x @ np.linspace(2, -2, 2 * owners) + 0.3
    y = np.round(np.clip(margin / 4, -1, 1), 4) if number else (draw.random(rows) < expit(margin)).astype(int)
    found = {}
    for owner in range(owners):
        frame = pd.DataFrame({f"x{2 * owner}": x[:, 2 * owner], f"x{2 * owner + 1}": x[:, 2 * owner + 1]})
        frame["id"] = [f"k{row}" for row in range(rows)]
        if owner == 0:
            frame["y"] = y
            frame["fold"] = np.where(draw.random(rows) < 0.25, "test", "train")
        alone = frame.iloc[:3].assign(id=[f"only o{owner} {row}" for row in range(3)])
        found[f"o{owner}"] = pd.concat([frame, alone]).sample(frac=1, random_state=owner + seed).reset_index(drop=True)
    return found


def plan(owners=2, **settings):
    """A plan of these columns. settings: dotted keys, with __ for the dot."""
    columns = {f"x{n}": {"kind": "number", "low": -1, "high": 1, "owner": f"o{n // 2}"} for n in range(2 * owners)}
    made = Plan(
        name="columns",
        purpose="test",
        task="fit",
        federation={"sites": [f"o{n}" for n in range(owners)], "server": "curious"},
        data={
            "columns": columns | {"y": {"kind": "category", "values": ["0", "1"], "owner": "o0"}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"column": "fold"},
        },
        align={"keys": ["id"], "protocol": "ecdh"},
        model={"kind": "logistic", "l2": 1.0},
        training={"method": "newton", "rounds": 8},
        protect={"with": "share"},
        privacy={"noise": "none"},
    )
    for key, value in settings.items():
        made = made.set(key.replace("__", "."), value)
    return made


def pooled(given, owners=2):
    """All columns of the common rows in one table, as no party has them."""
    whole = given["o0"]
    for owner in range(1, owners):
        whole = whole.merge(given[f"o{owner}"], on="id", suffixes=("", f"_{owner}"))
    return whole


def leaving(given, side, count):
    """The target's owner leaves all targets of one side out but `count`, of both classes."""
    frame, common = given["o0"].copy(), set(pooled(given).id)
    mine = frame[(frame.fold == side) & frame.id.isin(common)].sort_values("y")
    some = mine.iloc[np.linspace(0, len(mine) - 1, count).astype(int)].id
    frame["y"] = frame.y.astype(object).where(~frame.id.isin(mine.id) | frame.id.isin(some), np.nan)
    return {**given, "o0": frame}


class Hub:
    """All engines' shared middle, in plain: what real engines do in secret. calls: programs that were run."""

    def __init__(self, ranks=RANKS):
        self.ranks, self.given, self.results, self.calls = ranks, {}, None, []

    def ran(self, party, numbers, takes, gives, shares):
        self.given[party] = shares
        return lambda: self._result(party, numbers, takes, gives)

    def _result(self, party, numbers, takes, gives):
        if self.results is None:
            arrays = [self._opened(number, take) for number, take in enumerate(takes)]
            self.calls.append(numbers)
            self.results = self._shared(regression(numbers, arrays), gives)
        return [one[self.ranks.index(party)] for one in self.results]

    def _opened(self, number, take):
        words = join({one: shares[number] for one, shares in self.given.items()}, self.ranks, int(np.prod(take.shape)))
        found = words.view(np.int64).reshape(take.shape)
        return found / STEP if take.kind == "fixed" else found

    def _shared(self, arrays, gives):
        found = []
        for array, give in zip(arrays, gives, strict=True):
            ring = np.rint(np.ravel(array) * (STEP if give.kind == "fixed" else 1)).astype(np.int64).view(np.uint64)
            count = len(self.ranks)
            pieces = [np.frombuffer(system(8 * len(ring)), "<u8") for _ in range(count - 1)]
            pieces.append(ring - np.sum(pieces, axis=0, dtype=np.uint64))
            found.append([share(*held(pieces, rank)) for rank in range(count)])
        return found


@dataclass
class Late:
    """A result that is there when it is asked for."""

    result: object


class PlainEngine:
    """Stands in for `mpc.engine.Engine`, without a process."""

    def __init__(self, party, hub, salt=b""):
        self.party, self.hub, self.salt, self.closed = party, hub, salt, False

    def standing(self):
        return ""

    def offer(self, party, round_):
        return issue(party, f"{round_.run}/{round_.number}", 1.8e9), "127.0.0.1:1"

    def link(self, round_, rank, own, certificates, at):
        return Late(lambda: None)

    def program(self, name, numbers):
        takes, gives = kinds(numbers)
        said = hashlib.sha256(self.salt + json.dumps([name, numbers]).encode()).digest()
        self.numbers = numbers
        return Compiled(said, takes, gives, 1)

    def execute(self, program, shares):
        return Late(self.hub.ran(self.party, self.numbers, program.takes, program.gives, shares))

    def close(self):
        self.closed = True


def kinds(about):
    """What the program `regression` takes and gives."""
    rows, takes = about["train"] + about["test"], []
    for count in about["features"]:
        takes += [Value("fixed", (rows, count))] if count else []
        takes.append(Value("integer", (rows,)))
    logistic = about["kind"] == "logistic"
    takes.append(Value("integer" if logistic else "fixed", (rows,)))
    width = sum(about["features"]) + 1
    takes += [Value("fixed", (about["rounds"], width))] * about["noises"]
    gives = [Value("integer", (len(about["features"]) + 1,)), Value("fixed", (width,)), Value("integer", (4,))]
    if about["test"]:
        gives.append(Value("integer", (2, 256)) if logistic else Value("fixed", (4,)))
    return tuple(takes), tuple(gives)


def regression(about, arrays):
    """The program `regression` of a logistic model, in plain."""
    parts, keeps, faults, left = [], [], [], iter(arrays)
    for count in about["features"]:
        parts += [next(left)] if count else []
        keeps.append(next(left))
        faults.append(int((np.abs(parts[-1]) > 1).sum()) if count else 0)
    y, keep, train = next(left), np.prod(keeps, axis=0), about["train"]
    x = np.column_stack([np.ones(len(y)), *parts])
    if about["noises"]:
        faults.append(0)
        return [np.array(faults), descended(about, x, y, keep, sum(left)), np.array([1, 0, 0, 0])]
    kept = [keep[:train].sum(), *([keep[train:].sum()] if about["test"] else [])]
    faults.append(int(min(kept) < about["least"]))
    weights = newton(x[:train], y[:train], keep[:train], about["l2"])
    said = [1, 0, keep[:train].sum(), (keep * y)[:train].sum()]
    found = [np.array(faults), weights, np.array(said)]
    if about["test"]:
        place = np.floor((np.clip(x[train:] @ weights, -8, 7.999) + 8) * 16).astype(int)
        cells = np.zeros((2, 256))
        np.add.at(cells, (y[train:], place), keep[train:])
        found.append(cells)
    return found


def newton(x, y, keep, l2):
    """x [n, width] with a 1 in front -> the weights of the penalised fit."""
    weights, ridge = np.zeros(x.shape[1]), np.diag([0.0, *[l2] * (x.shape[1] - 1)])
    for _ in range(25):
        mean = expit(x @ weights)
        slope = x.T @ ((mean - y) * keep) + ridge @ weights
        weights = weights - np.linalg.solve(x.T @ ((mean * (1 - mean) * keep)[:, None] * x) + ridge, slope)
    return weights


def descended(about, x, y, keep, noise):
    """Steps down the sum of clipped rows, with noise [rounds, width]. x [n, width] with a 1 in front."""
    weights, most = np.zeros(x.shape[1]), about["clip"] / np.linalg.norm(x, axis=1)
    for fresh in noise:
        slope = x.T @ (np.clip(expit(x @ weights) - y, -most, most) * keep) + fresh
        ridge = about["l2"] * np.array([0.0, *weights[1:]])
        weights = weights - about["rate"] / about["divisor"] * (slope + ridge)
    return weights


def sat(made, given, *, change=lambda party, half: half, salt=None, secrets=None, number=1, **memory):
    """One round in memory. change(party, half): what a party does instead; secrets: a folder, where a round is done
    again, under another number. Gives (desks, memory)."""
    spec = made.spec
    context, hub = RoundContext(spec, RoundId("a run", number)), Hub(spec.compute)
    post = Memory((*spec.sites, *spec.compute), digest(spec), **memory)
    halves = {SERVER: direct(context, post.seat(SERVER))}
    for party in spec.compute:
        engine = PlainEngine(party, hub, (salt or {}).get(party, b""))
        halves[party] = change(party, assist(context, engine, post.seat(party)))
    for party in spec.sites:
        frame = given[party.name]
        tools = Tools(secrets=RunSecrets(secrets / party.name)) if secrets else Tools()
        brought = Brought(read_keys(frame, spec, party.name), read(frame, spec, party.name), tools)
        halves[party] = change(party, bring(context, brought, post.seat(party)))
    return post.round(context.round, halves), post


def result(made, given, reader="o0", **more):
    """What a reader has. Raises the abort that the driver would raise."""
    desks, _ = sat(made, given, **more)
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort}
    if aborts:
        raise root_cause(aborts.pop(SERVER, None), aborts)
    return desks[site(reader)].result
