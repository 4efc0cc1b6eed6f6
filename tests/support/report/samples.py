"""Realistic runs as documents: the heart federation, a statistics plan, an aborted run, sixty sites."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from potluck.core.party import BROKER, SERVER, site
from potluck.core.plan import Column, Data, Statistic
from potluck.core.views import AnyOf, Assumption, Form, Never, Together, View
from potluck.learning.statistics.asked import asks, unit_of
from potluck.learning.statistics.forms import Bars, Box, Boxes, Curve, Curves, Dot, Dots, Frame, Grid
from potluck.learning.statistics.result import Values
from potluck.report import details as d
from potluck.report.proof import kept
from support.learning.sums import make

HEART = ("cleveland", "hungarian", "switzerland", "va")
PLAN = """version = 1
name = "heart-disease"
purpose = "Predict heart disease from routine measurements"
task = "train"

[federation]
sites = ["cleveland", "hungarian", "switzerland", "va"]
corrupt = 1
dropouts = 1
server = "lying"

[model]
kind = "logistic"
l2 = 1.0

[training]
method = "gradient"
rounds = 20
rate = 1.0
expected_rows = 500

[protect]
with = "mask"

[privacy]
noise = "shared"
unit = "row"
epsilon = 1.0
delta = 1e-5
clip = 1.0
"""
FEATURES = {
    "intercept": -0.31,
    "age": 0.42,
    "sex=0": -0.61,
    "sex=1": 0.55,
    "cp=1": -0.32,
    "cp=2": -0.71,
    "cp=3": -0.44,
    "cp=4": 1.12,
    "trestbps": 0.12,
    "chol": -0.29,
    "fbs=0": -0.11,
    "fbs=1": 0.21,
    "thalach": -0.88,
    "oldpeak": 1.31,
}
VERSIONS = {"python": "3.11.7", "potluck": "0.1.0", "numpy": "2.3.4", "scipy": "1.16.2", "cryptography": "47.0.0"}


def views(names: tuple[str, ...], form: Form = Form.MASKED) -> tuple[d.Seen, ...]:
    """What a masked run of these sites claims."""
    sites = [site(name) for name in names]
    hybrid = Assumption("both X25519 and ML-KEM-768 fall")
    found = []
    for one in sites:
        others = frozenset(sites) - {one}
        breaks = AnyOf((Together(2, others), hybrid))
        note = "the server may do anything; 3 shares open a secret"
        found.append(View(SERVER, f"{one}'s update", form, breaks, "docs/protections.md#mask", note=note))
        for other in sites:
            if other == one:
                found.append(
                    View(other, f"{one}'s update", Form.PLAIN, Never(), "docs/protections.md#mask", note="its own")
                )
            else:
                found.append(View(other, f"{one}'s update", Form.NOTHING, breaks, "docs/protections.md#mask"))
    for party in (SERVER, *sites):
        found.append(View(party, "the sum", Form.NOISED, Never(), "docs/privacy.md"))
        found.append(View(party, "the model", Form.RELEASED, Never(), "docs/privacy.md"))
    for one in sites:
        found.append(View(SERVER, f"{one}'s metrics", Form.NOTHING, Never(), "docs/evaluation.md"))
        for party in sites:
            form = Form.PLAIN if party == one else Form.NOTHING
            found.append(View(party, f"{one}'s metrics", form, Never(), "docs/evaluation.md"))
    return tuple(d.seen(view) for view in found)


def carried(names: tuple[str, ...]) -> tuple[d.Seen, ...]:
    """What the broker sees of the same run."""
    fall = Assumption("both X25519 and ML-KEM-768 fall")
    sealed = AnyOf((Together(1, frozenset({SERVER})), fall))
    stolen = Assumption("a site's long-term box key is stolen, even years later")
    opened = AnyOf((Together(1, frozenset({SERVER})), Together(1, frozenset(map(site, names))), stolen, fall))
    source, note = "docs/concepts/network.md", "across machines only; sees who writes to whom, when and how much"
    found = [View(BROKER, f"{n}'s update", Form.CIPHERTEXT, sealed, source, Form.MASKED, note) for n in names]
    found += [View(BROKER, of, Form.CIPHERTEXT, opened, source, note=note) for of in ("the sum", "the model")]
    found += [View(BROKER, f"{n}'s metrics", Form.NOTHING, Never(), source) for n in names]
    return tuple(d.seen(view) for view in found)


def scores(names: tuple[str, ...]) -> tuple[d.Score, ...]:
    """A comparison of made-up but plausible numbers."""
    found = []
    for metric, base, wide in (("auc", 0.84, 0.05), ("accuracy", 0.76, 0.07)):
        for label, better in (("federated", 0.0), ("federated, no noise", 0.015), ("pooled", 0.02)):
            value = base + better
            found.append(
                d.Score(label=label, metric=metric, value=value, low=value - wide / 2, high=value + wide / 2, rows=252)
            )
        for index, name in enumerate(names):
            value, span = base - 0.03 * (index % 4), wide * (1 + index % 3)
            for label, lift in (("alone", -0.04), ("federated", 0.0)):
                middle = value + lift
                rows = 103 - 11 * (index % 7)
                found.append(
                    d.Score(
                        label=label,
                        metric=metric,
                        value=middle,
                        site=name,
                        low=middle - span,
                        high=min(1, middle + span),
                        rows=rows,
                    )
                )
    return tuple(found)


def rounds(count: int, names: tuple[str, ...]) -> tuple[d.Round, ...]:
    """Training rounds and one evaluation, with a drop-out in the third and ninth."""
    steps = (
        d.Step(step="mask/keys", bytes=4 * 9800, letters=8),
        d.Step(step="mask/share", bytes=4 * 7200, letters=8),
        d.Step(step="mask/input", bytes=4 * 1320, letters=4),
        d.Step(step="mask/survivors", bytes=4 * 2100, letters=8),
        d.Step(step="mask/unmask", bytes=4 * 900, letters=4),
    )
    return tuple(
        d.Round(
            round=number,
            kind="train" if number < count else "evaluate",
            seconds=0.031 + 0.002 * (number % 5),
            bytes_up=(51_234 if number < count else 68_000) - (9_000 if number in (3, 9) else 0),
            bytes_down=40_321,
            dropped=(names[-1],) if number in (3, 9) else (),
            steps=steps,
        )
        for number in range(1, count + 1)
    )


def heart() -> tuple[dict, d.Details]:
    """The demo: four hospitals, masks against a lying server, noise of epsilon 1."""
    run = {
        "plan": {"name": "heart-disease", "hash": "sha256:" + "5f3c" * 16},
        "task": "train",
        "protect": "mask",
        "run": "/data/runs/heart-disease-20261124T021900Z",
        "report": "/data/runs/heart-disease-20261124T021900Z/report.html",
        "model": {
            "kind": "logistic",
            "file": "/data/model.json",
            "digest": "sha256:" + "9b1e" * 16,
            "coefficients": FEATURES,
        },
        "metrics": {"federated": {"auc": 0.84, "accuracy": 0.76, "rows": 252.4}},
        "privacy": {
            "noise": "shared",
            "unit": "row",
            "neighbours": "add-or-remove-one",
            "delta": 1e-5,
            "epsilon": dict.fromkeys(HEART, 0.98),
        },
        "rounds": [
            {"round": n, "dropped": [], "bytes_up": 51234, "bytes_down": 40321, "seconds": 0.03} for n in range(1, 21)
        ],
        "warnings": ["switzerland and va are small: with 46 held-out rows an AUC is known to about ±0.1"],
    }
    history = (
        d.Spend(run="heart-disease-20261103T101500Z", plan="heart-disease", epsilon=0.5),
        d.Spend(run="heart-disease-20261124T021900Z", plan="heart-disease", epsilon=0.98),
    )
    details = d.Details(
        name="heart-disease",
        purpose="Predict heart disease from routine measurements",
        created="2026-11-24T02:19:00Z",
        plan_toml=PLAN,
        overrides=("privacy.epsilon=1.0",),
        plan_hash=run["plan"]["hash"],
        task="train",
        protect="mask",
        server="lying",
        corrupt=1,
        dropouts=1,
        versions=VERSIONS,
        sites=tuple(d.Site(name=name) for name in HEART),
        comparison=scores(HEART),
        interval="95 %: DeLong for AUC, Wilson for accuracy",
        budget=tuple(
            d.Budget(
                site=name,
                spent=1.48 if name == "cleveland" else 0.98,
                delta=1e-5,
                unit="row",
                neighbours="add-or-remove-one",
                run_epsilon=0.98,
                course=((3, 0.35), (5, 0.46), (8, 0.59), (10, 0.67), (13, 0.77), (15, 0.84), (18, 0.92), (20, 0.98)),
                history=history if name == "cleveland" else history[1:],
            )
            for name in HEART
        ),
        views=views(HEART),
        timeline=rounds(21, HEART),
        in_process=True,
    )
    return run, details


HEADS = tuple(
    d.Head(site=name, entry=1042 + 7 * index, hash=f"{index}b7e" * 16, signature=f"{index}af3" * 32)
    for index, name in enumerate(HEART[:3])
)


def across() -> tuple[dict, d.Details]:
    """The same plan between machines: the server was killed twice, a try failed, one site never said its last word."""
    run, details = heart()
    run["metrics"] = {"federated": {"auc": 0.84, "accuracy": 0.76, "rows": 252.4}}
    told = {3: ("too few answers",), 7: ("silent", "bad signature: hungarian (mask/input)")}
    timeline = tuple(
        msgspec.structs.replace(
            one,
            when=f"2026-11-24T02:{19 + one.round // 4}:{13 * one.round % 60:02d}.120Z",
            why=dict.fromkeys(one.dropped, "silent"),
            tries=told.get(one.round, ()),
        )
        for one in details.timeline
    )
    network = d.Network(federation="hospitals", version=3, broker="tls://broker.example:4222", heads=HEADS, resumed=2)
    views = (*details.views, *carried(HEART))
    return run, msgspec.structs.replace(
        details, comparison=(), views=views, timeline=timeline, network=network, in_process=False
    )


def statistics() -> tuple[dict, d.Details]:
    """A plan of statistics with noise: a mean by sex, a count, a histogram, a contingency table."""
    counts = [3.2, 12.9, 41.0, 98.4, 160.2, 171.7, 99.1, 30.3, 6.5, -1.4]
    table = [[31.2, 80.9, 120.4, 61.7], [60.0, 110.8, 90.2, 388.1]]

    def shift(rows: list[list[float]], by: float) -> list[list[float]]:
        return [[value + by for value in row] for row in rows]

    run = {
        "plan": {"name": "heart-statistics", "hash": "sha256:" + "77aa" * 16},
        "task": "statistics",
        "protect": "mask",
        "results": {
            "mean_age": {
                "value": 53.51,
                "low": 53.02,
                "high": 54.0,
                "by": {
                    "0": {"value": 52.7, "low": 51.6, "high": 53.8},
                    "1": {"value": 53.9, "low": 53.3, "high": 54.4},
                },
            },
            "patients": {"value": 920.4, "low": 914.0, "high": 926.8},
            "ages": {
                "value": counts,
                "low": [c - 6 for c in counts],
                "high": [c + 6 for c in counts],
                "edges": [20 + 7 * i for i in range(11)],
            },
            "pain": {"value": table, "low": shift(table, -9), "high": shift(table, 9)},
        },
        "privacy": {
            "noise": "shared",
            "unit": "row",
            "neighbours": "add-or-remove-one",
            "delta": 1e-5,
            "epsilon": dict.fromkeys(HEART, 0.5),
        },
        "rounds": [],
        "warnings": [],
    }
    details = d.Details(
        name="heart-statistics",
        purpose="Who comes to the four hospitals",
        created="2026-11-24T03:00:00Z",
        plan_toml='version = 1\ntask = "statistics"\n',
        plan_hash=run["plan"]["hash"],
        task="statistics",
        protect="mask",
        server="lying",
        corrupt=1,
        sites=tuple(d.Site(name=name) for name in HEART),
        views=views(HEART),
        timeline=(d.Round(round=1, kind="statistics", seconds=0.2, bytes_up=90_000, bytes_down=61_000),),
        questions=questions(run["results"]),
    )
    return run, details


def values(found: dict, labels: tuple[tuple[str, ...], ...] | None) -> Values:
    """A result of the JSON."""

    def made(value: object) -> object:
        return tuple(map(made, value)) if isinstance(value, list) else value

    ends = {key: made(found[key]) for key in ("value", "low", "high")}
    by = {name: values(one, labels) for name, one in found.get("by", {}).items()}
    return Values(**ends, edges=made(found.get("edges")), labels=labels, by=by or None)


def questions(results: dict) -> tuple[d.Question, ...]:
    """What the kinds make of such results."""
    columns = {
        "age": Column(kind="number", low=20, high=90, unit="years"),
        "sex": Column(kind="category", values=("0", "1")),
        "cp": Column(kind="category", values=("1", "2", "3", "4")),
    }
    asked = (
        Statistic(name="mean_age", kind="mean", column="age", by="sex"),
        Statistic(name="patients", kind="count"),
        Statistic(name="ages", kind="histogram", column="age", bins=10),
        Statistic(name="pain", kind="contingency", columns=("sex", "cp")),
    )
    plan = make(task="statistics", data=Data(columns=columns), statistics=asked)
    labels = {"pain": (columns["sex"].values, columns["cp"].values)}
    found = []
    for one in asked:
        result = values(results[one.name], labels.get(one.name))
        found.append(
            d.Question(name=one.name, asks=asks(plan, one), unit=unit_of(plan, one), forms=result.shown(plan, one))
        )
    return tuple(found)


def shown() -> tuple[dict, d.Details]:
    """A statistic of a kind that no version knows, which says what it shows."""
    run, details = statistics()
    curves = Curves(
        title="in arm <b>A</b>",
        x="days",
        y="alive after days",
        curves=(
            Curve(
                name="A",
                x=(0.0, 10.0, 20.0),
                y=(1.0, 0.75, 0.5),
                low=(1.0, 0.7, None),
                high=(1.0, 0.8, None),
                counts=(1234, 567, 89),
            ),
            Curve(name="B", x=(0.0, 20.0), y=(1.0, None)),
        ),
        steps=True,
        beneath="at risk",
    )
    forms = (
        Frame(head=("arm", "median", "low", "high"), rows=(("A", 20.0, 12.5, None),), note="whom it is about"),
        Frame(
            name="curve",
            long=True,
            title="overall survival",
            head=("arm", "time", "alive"),
            rows=(("A", 10.0, 0.75), ("A", 20.0, 0.5)),
        ),
        curves,
        Dots(
            dots=(Dot(name="A", value=1.5, low=1.1, high=2.0), Dot(name="B", value=None)),
            x="ratio",
            level=1.0,
            factors=True,
        ),
        Bars(x="age", y="rows", edges=(0.0, 1.0, 2.0), values=(3, -1.5), low=(2, None), high=(4, None)),
        Boxes(
            x="age", boxes=(Box(name="A", q1=1, median=2, q3=4, low=0, high=9), Box(name="B", q1=1, median=None, q3=2))
        ),
        Grid(
            down="sex", across="site", rows=("0",), columns=("u", "v"), values=((1, 2),), low=((0, 1),), high=((2, 3),)
        ),
    )
    asked = d.Question(name="os", asks="Odd", forms=forms)
    return run | {"results": {"os": {"times": [1]}}}, msgspec.structs.replace(details, questions=(asked,))


def clear() -> tuple[dict, d.Details]:
    """No protection, no noise, nothing compared."""
    run = {
        "plan": {"name": "ridge", "hash": "sha256:" + "00" * 32},
        "task": "train",
        "protect": "clear",
        "model": {
            "kind": "linear",
            "file": "/m.json",
            "digest": "sha256:" + "11" * 32,
            "coefficients": {"intercept": 1.5, "x": -2.0},
        },
        "metrics": {"federated": {"r2": 0.61, "rmse": 1234.5, "rows": 80}},
        "privacy": {
            "noise": "none",
            "unit": None,
            "neighbours": None,
            "delta": None,
            "epsilon": {"a": None, "b": None},
        },
        "rounds": [{"round": 1, "dropped": [], "bytes_up": 900, "bytes_down": 20, "seconds": 0.004}],
        "warnings": [],
    }
    return run, d.Details(name="ridge", protect="clear", server="lying", sites=(d.Site(name="a"), d.Site(name="b")))


def aborted() -> tuple[dict, d.Details]:
    """A run that ended before its first round did."""
    run = {"plan": {"name": "heart-disease"}, "task": "train", "protect": "mask"}
    names = ("cleveland", "hungarian", "switzerland")
    aborts = ("too few left (mask/input): 2 of at least 3 sites answered",)
    return run, d.Details(
        name="heart-disease",
        protect="mask",
        server="lying",
        sites=tuple(d.Site(name=n) for n in names),
        views=views(names),
        aborts=aborts,
    )


def sixty() -> tuple[dict, d.Details]:
    """Sixty sites with long names and two hundred and fifty rounds."""
    names = tuple(f"regional-hospital-of-the-northern-district-{n:02d}" for n in range(60))
    run, details = heart()
    run["privacy"] |= {"epsilon": dict.fromkeys(names, 0.98), "unit": "person", "neighbours": "replace-one"}
    budget = tuple(
        d.Budget(site=n, spent=1.0 + i / 40, delta=1e-5, unit="person", neighbours="replace-one", run_epsilon=0.98)
        for i, n in enumerate(names)
    )
    kept = {
        "name": "sixty",
        "sites": tuple(d.Site(name=n) for n in names),
        "comparison": scores(names),
        "budget": budget,
    }
    more = {"views": views(names), "timeline": rounds(250, names)}
    run["model"]["coefficients"] = {f"a-rather-long-column-name-{n}=value-{n}": (-1) ** n * n / 30 for n in range(70)}
    return run, msgspec.structs.replace(details, **kept, **more)


def one() -> tuple[dict, d.Details]:
    """A single site, nothing else known."""
    run, _ = clear()
    return run, d.Details(name="one", sites=(d.Site(name="only"),), protect="clear")


SAMPLES: dict[str, Callable[[], tuple[dict, d.Details]]] = {
    "heart": heart,
    "across": across,
    "statistics": statistics,
    "shown": shown,
    "clear": clear,
    "aborted": aborted,
    "sixty": sixty,
    "one": one,
    "bare": lambda: ({}, d.Details()),
}


def write(folder: Path, run: dict, details: d.Details) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "details.json").write_bytes(d.dump(details))
    return folder


def proved(folder: Path) -> Path:
    """A run's folder with what attacks and audits found beside it, names and words as long as they come."""
    write(folder, *heart())
    hash_ = heart()[1].plan_hash
    words = (
        "of sites "
        + ", ".join(HEART)
        + " together nothing was found; on made-up rows that nothing protects it succeeds"
    )
    attacks = tuple(
        kept.Attack(
            name=name,
            sort=sort,
            of=of,
            tried=tried,
            succeeded=came,
            score=0.01,
            baseline=0.01,
            control=True,
            words=words,
        )
        for name, sort, of, tried, came in (
            ("analytic", "reconstruction", HEART, True, True),
            ("lira offline", "membership", HEART, True, False),
            ("inversion", "reconstruction", (), False, False),
        )
    )
    when = "2026-11-24T02:19:07+00:00"
    call = kept.Call(who=("server", "va"), before=True, compared=True, minutes=5.0, seed=0, when=when, attacks=attacks)
    columns = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach")
    row = ("63.41", "1", "3", "145.2", "233.1", "0", "2", "150.4")
    views = (
        kept.View(title="in the clear", attack="analytic", found=(True,), near=(200.0,), why="", cells=(row,)),
        kept.View(title="with noise, epsilon 8", attack="", found=(), near=(), why="no attack had a guess"),
    )
    rows = kept.MadeUp(seed=0, when=when, columns=columns, cells=(row,), views=views)
    bound = kept.Bound(name="paired: training", claimed=1.0, lower_bound=0.5, confidence=0.9999, held=True, words=words)
    check = kept.Check(name="shape of noise: training", held=True, words=words)
    audits = kept.Audits(plan_hash=hash_, minutes=5.0, seed=0, when=when, held=True, audits=(bound,), checks=(check,))
    found = kept.Attacks(plan_hash=hash_, calls=(call,), made_up=rows)
    (folder / kept.ATTACKS).write_bytes(msgspec.json.encode(found))
    (folder / kept.AUDITS).write_bytes(msgspec.json.encode(audits))
    return folder
