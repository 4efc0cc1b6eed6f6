"""How well each model did: a picture and a table for each metric, by site where that may be shown; and the model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.report import charts, words
from potluck.report.charts import Mark, Row, Shape
from potluck.report.details import Details, Score
from potluck.report.outcome import METRICS, Metrics

LANES = 12  # most sites that get a heading and a line a model; more of them get one line each
BARS = 24  # most coefficients that are drawn
TOGETHER = "All held-out rows"
RELEASED = "federated, released"
LABELS = ("alone", "federated", RELEASED, "federated, no noise", "pooled")
SHAPES: Mapping[str, Shape] = {
    "alone": "ring",
    "federated": "dot",
    RELEASED: "ring",
    "federated, no noise": "diamond",
    "pooled": "square",
}
TITLES = {"auc": "AUC", "accuracy": "Accuracy", "rmse": "RMSE", "r2": "R²", "perplexity": "Perplexity"}
MEANS = {
    "auc": "How often a positive row gets a higher score than a negative one. 0.5 is chance, 1 is perfect.",
    "accuracy": "The share of rows of which the model is right: of two sides at a threshold of one half, of several "
    "classes by the largest score; of tokens, those that are guessed.",
    "rmse": "The typical error, in the target's own units. Smaller is better.",
    "r2": "The share of the target's variance that is explained. 1 is perfect, 0 is no better than the mean.",
    "perplexity": "Among how many equally likely tokens the next one is hidden, on average. Smaller is better.",
}
FALLING = ("rmse", "perplexity")
"""Of which less is better."""
MODELS = {
    "alone": "trained by that site on its own rows only, without noise",
    "federated": "the model of this run",
    RELEASED: "the same model, as the run released it: noise is in the numbers, and lines are of it alone",
    "federated, no noise": "the same run without noise, which would cost more privacy",
    "pooled": "trained on all rows in one place, without noise, which nobody could really do",
}

NOISY = "too noisy to say"
NOISE = "on these very rows, from the noise alone"
POPULATION = "on rows like these, from the choice of rows"
BOTH = "on rows like these, from noise and the choice of rows"

Cells = Mapping[tuple[str | None, str], Score]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, ready to print.

    table: (site, held-out rows, a cell a label); missing: sites that other metrics know; big: the one number there is;
    open: what noise, and noise and the choice of rows, leave open: (of what, interval).
    """

    title: str
    means: str
    chart: str
    labels: tuple[str, ...]
    table: tuple[tuple[str, str, tuple[str, ...]], ...]
    wide: bool
    big: str
    open: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    verdict: str
    note: str = ""


def metrics(scores: Sequence[Score], details: Details) -> tuple[Metric, ...]:
    """One entry a metric that was measured, the first being the main one."""
    names = [name for name in METRICS if any(score.metric == name for score in scores)]
    known = {score.site for score in scores}
    return tuple(_metric(name, [s for s in scores if s.metric == name], details, known) for name in names)


def labels(scores: Sequence[Score]) -> tuple[str, ...]:
    """The kinds of model that were measured, in a fixed order."""
    found = dict.fromkeys(score.label for score in scores)
    return tuple(sorted(found, key=lambda one: LABELS.index(one) if one in LABELS else len(LABELS)))


def _metric(name: str, scores: Sequence[Score], details: Details, known: Collection[str | None]) -> Metric:
    cells = {(score.site, score.label): score for score in scores}
    order = [None, *dict.fromkeys([*(site.name for site in details.sites), *(s.site for s in scores if s.site)])]
    places = [place for place in order if any(site == place for site, _ in cells)]
    shown = labels(scores)
    compact = len(places) > LANES + 1
    rows = _compact(cells, places, shown) if compact else _lanes(cells, places, shown, name)
    title = TITLES[name]
    desc = "; ".join(f"{s.site or TOGETHER}, {s.label}: {words.score(s.value, name)}" for s in scores[:40])
    table = tuple(
        (place or TOGETHER, _rows(cells, place, shown), tuple(_cell(cells.get((place, one)), name) for one in shown))
        for place in places
    )
    big = _value(scores[0]) if len(cells) == 1 else ""
    note = ""
    if big and scores[0].value is None:
        big, note = prose.capital(big), "What was opened, with its noise in it, gives no value that can be."
    elif big and name == "r2" and (scores[0].value or 0.0) < 0:
        big, note = "below 0", f"R² is {big}: the mean of the target, said of every row, would be nearer."
    whose = "" if big else "as released, "
    told = tuple((whose + of, said) for score in scores for of, said in _open(score, name))
    missing = tuple(place for place in order if place and place in known and place not in places)
    chart = charts.dots(f"metric-{name}", f"{title} by site and model", desc, rows)
    said = _verdict(cells, [place for place in places if place], name)
    return Metric(title, MEANS[name], "" if big else chart, shown, table, compact, big, told, missing, said, note)


def _open(score: Score, name: str) -> list[tuple[str, str]]:
    """What is not known of a released metric."""
    lines = [(NOISE, ends((score.low, score.high), name))] if score.noised else []
    if score.population is not None:
        lines.append((BOTH if score.noised else POPULATION, ends(score.population, name)))
    return lines


def figure(score: Score) -> tuple[str, str, str]:
    """(what, value, intervals) of one metric."""
    return TITLES[score.metric], _value(score), known(score)


def lines(score: Score) -> list[tuple[str, str, str]]:
    """The same of one model, which is named."""
    name, value, said = figure(score)
    return [(f"{name}, {score.label}", value, said)]


def known(score: Score) -> str:
    """The intervals of one metric."""
    found = [f"{interval} {of}" for of, interval in _open(score, score.metric)]
    if not found and score.low is not None and score.high is not None:
        found = [f"{ends((score.low, score.high), score.metric)} {POPULATION}"]
    return "; ".join(found)


def ends(found: tuple[float | None, float | None], name: str) -> str:
    """An interval in words; an end that is `None` is open."""
    low, high = found
    return f"{'−∞' if low is None else words.score(low, name)} to {'∞' if high is None else words.score(high, name)}"


def _verdict(cells: Cells, sites: Sequence[str], name: str) -> str:
    """How the federated model does against each site's own, on that site's rows."""
    pairs = [
        (cells[s, "federated"], cells[s, "alone"]) for s in sites if {(s, "federated"), (s, "alone")} <= set(cells)
    ]
    if not pairs:
        return ""
    sign = -1 if name in FALLING else 1
    better = sum(sign * ((ours.value or 0.0) - (own.value or 0.0)) > 0 for ours, own in pairs)
    apart = sum(_apart(ours, own) for ours, own in pairs)
    text = f"The federated model is ahead of a site's own at {better or 'none'} of {len(pairs)} sites"
    return f"{text}; the intervals are apart at {apart or 'none'}."


def _apart(one: Score, other: Score) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or other.low > one.high


def _lanes(cells: Cells, places: Sequence[str | None], shown: Sequence[str], name: str) -> list[Row]:
    rows = []
    for place in places:
        count = _rows(cells, place, shown)
        rows.append(Row(f"{place or TOGETHER}{f' · {count} rows' if count else ''}", head=True))
        for one in shown:
            score = cells.get((place, one))
            if score is not None:
                rows.append(Row(one.removeprefix("federated, "), _mark(score), _value(score)))
    return rows


def _compact(cells: Cells, places: Sequence[str | None], shown: Sequence[str]) -> list[Row]:
    found = [(place, [cells[place, one] for one in shown if (place, one) in cells]) for place in places]
    return [
        Row(place or TOGETHER, tuple(Mark(one.value or 0.0, shape=SHAPES.get(one.label, "ring")) for one in scores))
        for place, scores in found
    ]


def _mark(score: Score) -> tuple[Mark, ...]:
    if score.value is None:  # the noise left no value, but an interval
        return ()
    return (Mark(score.value, score.low, score.high, SHAPES.get(score.label, "ring")),)


def _rows(cells: Cells, place: str | None, shown: Sequence[str]) -> str:
    counts = [cells[place, one].rows for one in shown if (place, one) in cells]
    return next((f"{count:,}" for count in counts if count is not None), "")


def _cell(score: Score | None, name: str) -> str:
    if score is None:
        return "–"
    if score.low is None or score.high is None:
        return _value(score)
    return f"{_value(score)} ({ends((score.low, score.high), name)})"


def _value(score: Score) -> str:
    """A metric, or that the noise leaves none to say, however narrow its interval is."""
    return NOISY if score.value is None and score.noised else words.score(score.value, score.metric)


def rows_between(found: Metrics | None) -> str:
    """The interval of the number of held-out rows, where noise is in it."""
    one = (found.federated_released or found.federated) if found else None
    if one is None or one.rows_low is None or one.rows_high is None:
        return ""
    return f"95 %: {one.rows_low:,.0f} to {one.rows_high:,.0f}".replace("-", "−")


Coefficients = Mapping[str, float | dict[str, float]]


def ordered(found: Coefficients) -> list[tuple[str, float]]:
    """Coefficients, intercepts first, then by size; of several classes each with its class."""
    named = [
        (one, name if one is name else f"{name}: {one}", value)
        for name, given in found.items()
        for one, value in (given.items() if isinstance(given, dict) else [(name, given)])
    ]
    return [(name, value) for _, name, value in sorted(named, key=lambda one: (one[0] != "intercept", -abs(one[2])))]


def coefficients(given: Coefficients) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A picture of the largest coefficients, and the table of all."""
    found = ordered(given)
    rows = [Row(name, (Mark(value),), f"{value:+.2f}".replace("-", "−")) for name, value in found[:BARS]]
    desc = "; ".join(f"{name}: {value:.3g}" for name, value in found[:BARS])
    chart = charts.levers("coefficients", "Coefficients of the model, by size", desc, rows)
    return chart, tuple((name, f"{value:+.6f}".replace("-", "−")) for name, value in found)
