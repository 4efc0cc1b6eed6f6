"""Runs as text for a terminal."""

from collections.abc import Callable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from potluck.api.results.outcome import Run
from potluck.cli.door import Voice
from potluck.cli.terminal import Terminal
from potluck.core.traits import traits_of
from potluck.learning.models.boosted.told import Boosted
from potluck.learning.models.summary import Summary
from potluck.report.forms import tables
from potluck.report.outcome import read
from potluck.tasks.trained import NOT_PRIVATE

CAVEAT = (
    "alone and pooled are fitted to convergence by Newton's method, federated is what the plan says.",
    "what this can support: with 46 to 303 rows a hospital, differences of a few hundredths of AUC are within the",
    "noise of the split; a hospital of 46 or 123 rows, most of them ill, can hardly judge a model on its own rows.",
)
WIDE = 12
"""Most classes that a table has columns for."""
METRICS = ("auc", "perplexity", "accuracy", "r2", "rmse")


def show_run(out: Terminal, run: Run) -> None:
    """What was learnt, what it cost, where it is."""
    document = run.document
    metrics, judging = document.get("metrics"), str(document.get("judged_by", "held-out rows"))
    if document.get("stamp"):
        out.say(str(document["stamp"]), "bold")
    if isinstance(metrics, Mapping) and "pooled" in metrics:
        out.print(comparison(metrics, judging))
        released = _table(metrics, "federated_released")
        if _noised(released):
            out.print(_measured(released, "metrics as released, with noise"))
    elif document.get("held_out") is False:
        out.say("no split: no row is held out" + ("" if "folds" in document else ", there are no metrics"))
    elif isinstance(metrics, Mapping) and not document.get("models"):
        out.print(_measured(_table(metrics, "federated"), f"metrics on {judging}"))
    if isinstance(metrics, Mapping):
        _labels(out, _table(_table(metrics, "federated"), "labels"))
        _confusion(out, _table(_table(metrics, "federated"), "confusion"), judging)
    _history(out, document)
    _results(out, run)
    _prediction(out, document)
    _intersection(out, document)
    _synthesis(out, document)
    out.say(spent(document))
    rounds = document["rounds"]
    if isinstance(rounds, list) and rounds:
        up = sum(int(one["bytes_up"]) for one in rounds)
        gone = sum(len(one["dropped"]) for one in rounds)
        each = sums_a_round if isinstance(sums_a_round := _table(document, "model").get("sums_a_round", 1), int) else 1
        often = f"{len(rounds)}" if each == 1 else f"{len(rounds) // each}, each of {each} sums"
        each_fold = _table(document, "folds").get("each")
        often += f" for {1 + len(each_fold)} models" if isinstance(each_fold, Sequence) else ""
        out.say(f"rounds: {often}, {up:,} bytes up from all sites, {gone} drop-outs")
    model = document.get("model")
    if isinstance(model, Mapping):
        out.say(f"model: {model['file']} ({model['digest']})")
        if run.model.summed or run.model.boosted:
            out.say(f"{_summed(run.model.summary())}: potluck model summary {run.folder}")
    out.say(f"report: {document['report']}")


def _summed(found: Summary | Boosted) -> str:
    """What a model's summary says."""
    if isinstance(found, Boosted):
        return "importances, and what each column adds" if found.curves else "importances"
    judged = any(term.se is not None for term in found.terms.values())
    return "coefficients in the data's units" + (", with standard errors" if judged else "")


def _labels(out: Terminal, found: Mapping[str, object]) -> None:
    """Each label's metrics, of which those above are the means."""
    if not found:
        return
    names = [name for name in METRICS if any(name in _table(found, label) for label in found)]
    table = Table("label", *names)
    for label in found:
        table.add_row(label, *(_number(_table(found, label).get(name)) for name in names))
    out.print(table)


def _confusion(out: Terminal, found: Mapping[str, object], judging: str) -> None:
    """Rows that judge the model, by what they are and what it says; of many classes where to look."""
    labels, counts, said = found.get("labels"), found.get("counts"), found.get("said")
    if not isinstance(labels, Sequence) or not isinstance(counts, Sequence):
        return
    most = _table(found, "largest")
    if most:
        noised = "about " if found.get("low") else ""
        out.say(f"without a model {most['label']!r}, said of every row, has accuracy {noised}{_number(most['share'])}")
    if len(labels) > WIDE:
        out.say(f"which of {len(labels)} classes are taken for which: in the report, and in run.json")
        return
    heads = said if isinstance(said, Sequence) else [f"said {one}" for one in labels]
    table = Table(f"{judging} that are", *map(str, heads))
    low, high = found.get("low"), found.get("high")
    for i, (label, row) in enumerate(zip(labels, counts, strict=True)):
        cells = list(map(_count, row))
        if isinstance(low, Sequence) and isinstance(high, Sequence) and low:
            each = zip(cells, low[i], high[i], strict=True)
            cells = [f"{cell} ({_between(ends, _count)})" for cell, *ends in each]
        table.add_row(str(label), *cells)
    out.print(table)


def _history(out: Terminal, document: Mapping[str, object]) -> None:
    """Looks at validation rows: how many, and what the one said whose model is kept."""
    looks, kept = document.get("history"), _table(document, "model").get("round")
    if not isinstance(looks, Sequence) or not looks:
        return
    said: Mapping[str, object] = next((one for one in looks if one["round"] == kept), {})
    told = ", ".join(f"{name} {_number(value)}" for name, value in said.items() if name != "round")
    out.say(f"looks at validation rows: {len(looks)}; the model is that of round {kept}{': ' if told else ''}{told}")


def _prediction(out: Terminal, document: Mapping[str, object]) -> None:
    if "predictions" not in document:
        return
    if document["predictions"] is None:
        out.say("predictions: in the client's home")
        return
    out.say(f"predictions: {document['predictions']}")
    if document["max_error_bound"] is not None:
        out.say(f"no score is off by more than {document['max_error_bound']:.3g}")
    notes = document["notes"]
    out.lines(map(str, notes if isinstance(notes, Sequence) else ()))
    beside = _table(document, "agreement")
    if beside:
        same = "" if beside["same_labels"] is None else f"{beside['same_labels']} of {beside['rows']} labels agree, "
        error = f"the largest error is {beside['largest_error']:.3g}"
        out.say(f"beside plain scoring ({NOT_PRIVATE}): {same}{error}")


def _intersection(out: Terminal, document: Mapping[str, object]) -> None:
    if "size" not in document:
        return
    size = document["size"]
    out.say("common keys: at the owners that learn them" if size is None else f"common keys: {size}")
    if document.get("members"):
        out.say(f"members: {document['members']}")
    if document.get("reused"):
        out.say("no key has changed: the alignment of an earlier run was taken again")
    if document.get("plain_size") is not None:
        out.say(f"plain sets ({NOT_PRIVATE}): {document['plain_size']}")


def _synthesis(out: Terminal, document: Mapping[str, object]) -> None:
    if "synthetic" not in document:
        return
    quality = _table(document, "quality")
    out.say(f"made-up rows: {document['synthetic']} ({quality['rows']:,})")
    pairs, hidden, most = (quality[key] for key in ("pairs", "hidden_pairs", "mean_pair_most"))
    assert isinstance(pairs, Sequence)
    if most is not None:
        off = f"by at most {most:.2g} of 2 on average"
        told = f"; of {hidden} of {len(pairs)} noise hides how far" if hidden else ""
        out.say(f"pairs of columns are off from what was opened {off}{told}")
    elif pairs:
        out.say(f"how far pairs of columns are off from what was opened noise hides, of all {hidden}")
    out.say(str(quality["limits"]))


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = table.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)


def _count(value: object) -> str:
    """A number of rows: whole, though noise leaves a part of one."""
    return str(round(value)) if isinstance(value, float) else _number(value)


def _noised(scores: Mapping[str, object]) -> bool:
    return any(f"{name}_low" in scores for name in METRICS)


def _measured(scores: Mapping[str, object], title: str) -> Table | str:
    """Metrics with what noise, and noise and the choice of held-out rows, leave open."""
    noised = _noised(scores)
    heads = ["value", *(["these rows (noise), 95 %"] if noised else []), "rows like these, 95 %"]
    table = Table("metric", *heads, title=title, title_justify="left")
    for name in (*METRICS, "rows"):
        ends, wide = [scores.get(f"{name}_low"), scores.get(f"{name}_high")], scores.get(f"{name}_population")
        if scores.get(name) is None and f"{name}_low" not in scores:
            continue
        shown = _count if name == "rows" else _number
        middle = [_between(ends if f"{name}_low" in scores else None, shown)] if noised else []
        value = scores.get(name)
        table.add_row(name, "too noisy to say" if value is None else shown(value), *middle, _between(wide, shown))
    return table if table.row_count else f"{title}: none may be shown"


def _between(ends: object, shown: Callable[[object], str]) -> str:
    """An interval in words; an end that is None is open."""
    if not isinstance(ends, Sequence):
        return ""
    low, high = ends
    return f"{'-inf' if low is None else shown(low)} to {'inf' if high is None else shown(high)}"


def comparison(metrics: Mapping[str, object], judging: str) -> Table:
    """Each site alone, federated with and without noise, pooled: all on the same rows."""
    federated = _table(metrics, "federated")
    names = [name for name in METRICS if name in federated]
    table = Table(f"on the same {judging}", *names, title=NOT_PRIVATE, title_justify="left")

    def add(label: str, scores: Mapping[str, object]) -> None:
        table.add_row(label, *(_number(scores.get(name)) for name in names))

    for site, scores in _table(metrics, "alone").items():
        add(f"{site} alone", scores if isinstance(scores, Mapping) else {})
    add("federated, no noise", _table(metrics, "federated_no_noise"))
    add("federated", federated)
    add("pooled (nobody could)", _table(metrics, "pooled"))
    return table


def _results(out: Terminal, run: Run) -> None:
    """Of statistics, of finished models and of folds what is read first. Those with the same columns are one table."""
    if not any(run.document.get(key) for key in ("results", "models", "folds")):
        return
    every: dict[tuple[tuple[str, ...], int], list[tuple[str, ...]]] = {}
    for question in read(run.folder)[1].questions:
        for one in tables(question):
            every.setdefault((one.head, one.texts), []).extend((one.caption, *row) for row in one.rows)
    for (head, _), rows in every.items():
        several = len({name for name, *_ in rows}) > 1
        title = None if several else rows[0][0]
        table = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        for name in ("statistic", *head) if several else head:
            table.add_column(name, overflow="fold")  # a digit that is cut off makes another number
        for row in rows:
            table.add_row(*(row if several else row[1:]))
        out.print(table)


def spent(document: Mapping[str, object]) -> str:
    """The epsilon at each owner with its unit and neighbouring relation."""
    privacy = _table(document, "privacy")
    exact = traits_of(document.get("task")).exact
    if exact:
        return f"privacy: {exact}"
    if privacy["noise"] == "none":
        return "privacy: no noise: whoever reads the sums or the model learns what they imply"
    owners = ", ".join(f"{name} {_number(value)}" for name, value in _table(privacy, "epsilon").items())
    by = f" by column {privacy['person']!r}" if privacy.get("person") else ""
    kind = f"unit {privacy['unit']}{by}, {privacy['neighbours']}, delta {privacy['delta']}, noise {privacy['noise']}"
    return f"epsilon spent: {owners} ({kind})"


def finished(say: Voice, done: Run, show: Callable[[Terminal, Run], None] = show_run) -> int:
    """Print a run: what to mind of it, and what comes of it. Gives the exit code: 4 where its sites voted a model down,
    or rules left no made-up row, since the run is not what its plan is about."""
    say.warn([*done.warnings, *done.row_warnings()])
    say.notes(done.row_notes())
    say.data(done.document, lambda out: show(out, done))
    empty = _table(done.document, "quality").get("rows") == 0
    return 4 if done.document.get("rolled_back") or empty else 0


def show_demo(out: Terminal, run: Run) -> None:
    """The demo: the comparison, the cost, who could see what, and what four small sites can support."""
    show_run(out, run)
    out.lines([*run.seen(), *CAVEAT])
