"""A run in one paragraph and a few facts.

The sentences say only what the documents of the run hold; where a fact is absent its sentence is.
"""

from collections.abc import Sequence

from potluck.core import prose
from potluck.core.schemes import scheme_of
from potluck.core.traits import traits_of
from potluck.learning.models.kinds import MODELS
from potluck.learning.training.trained import outvoted_words
from potluck.report import words
from potluck.report.comparison import TITLES, ends
from potluck.report.confusion import guess
from potluck.report.details import Budget, Details, Score
from potluck.report.outcome import METRICS, Outcome
from potluck.report.traffic import Timeline

SERVERS = {"lying": "against a lying server", "curious": "server follows the protocol"}
TPM = (
    "updates went to an enclave that only a TPM vouches for, which encrypts no memory: its host could read each of them"
)
SIMULATED = "updates went to a simulated enclave, which protects nothing: its host could read each of them"


def sentences(
    outcome: Outcome, details: Details, scores: Sequence[Score], budgets: Sequence[Budget]
) -> tuple[str, ...]:
    """The summary, a sentence each."""
    did, left = _did(outcome, details), _left(outcome, details)
    beside = guess(outcome) if _main(scores) == "accuracy" else ""
    came = _result(scores, outcome.judged_by), _farther(scores), beside, _folds(outcome)
    return tuple(s for s in (did, _voted(outcome), left, _cost(outcome, budgets), *came) if s)


def _title(kind: str) -> str:
    """A kind of model in words; a run may be of one that this version does not know."""
    known = MODELS.entries.get(kind)
    return known.title if known else "a model"


def _did(outcome: Outcome, details: Details) -> str:
    if details.shown is not None:
        return details.shown.did
    who = prose.capital(prose.count(len(details.sites), "site")) if details.sites else "The sites"
    if traits_of(outcome.task).joins:
        what = _title(outcome.model.kind) if outcome.model else "a model, which its readers have"
        return f"{who} fitted {what} over columns that each has of the same rows."
    if outcome.results:
        sums = prose.count(max(1, len(outcome.rounds)), "sum")
        return f"{who} computed {prose.count(len(outcome.results), 'statistic')} together, from {sums}."
    if outcome.models:
        many = prose.count(len(outcome.models), "finished model")
        return f"{who} judged {many} together, which none of this run trained, from one sum."
    if outcome.model is None:
        return f"{who} set out together, but this run ended without a result."
    what = _title(outcome.model.kind)
    rounds = sum(one.kind == "train" and not one.fold for one in details.timeline) or len(outcome.rounds)
    each = outcome.model.sums_a_round
    often = f" in {prose.count(rounds // each, 'round')}" if rounds else ""
    often += f" of {prose.count(each, 'sum')}" if rounds and each > 1 else ""
    return f"{who} trained {what} together{often}."


def _voted(outcome: Outcome) -> str:
    """Where the sites voted a model down, or some were against it in vain, in words."""
    back, kept = outcome.rolled_back, outcome.model.round if outcome.model else 0
    if back is None:
        said = outvoted_words(outcome.votes)
        return f"{said}." if said else ""
    who = f"{len(back.against)} of {back.of} sites ({prose.listed(back.against)})"
    model = f"that of round {kept}" if kept else "the first one, untrained"
    return f"{who} found the model of round {back.round} worse and voted it down: this model is {model}."


def _left(outcome: Outcome, details: Details) -> str:
    if details.shown is not None:
        return details.shown.left
    if traits_of(outcome.task).joins:
        return "No column was sent anywhere but in shares, of which no single party can read one."
    exposed = SIMULATED if details.simulated else TPM
    left = exposed if details.exposed or details.simulated else scheme_of(details.protect).left
    return f"No row was sent anywhere: {left}." if left and _came(outcome) else ""


def _came(outcome: Outcome) -> bool:
    """Whether anything came of it."""
    return bool(outcome.model or outcome.results or outcome.models)


def _cost(outcome: Outcome, budgets: Sequence[Budget]) -> str:
    spent = [b for b in budgets if b.run_epsilon is not None]
    if spent:
        worst = max(spent, key=lambda b: b.run_epsilon or 0.0)
        cost = worst.run_epsilon or 0.0
        secret = words.secret(worst.unit, worst.neighbours)
        odds = words.hundred(cost, worst.delta)
        return (
            f"It cost each owner at most ε = {words.epsilon(cost)}: whoever guesses from the result {secret} "
            f"is right in at most {odds} of 100 cases, where a coin is right in 50."
        )
    if traits_of(outcome.task).exact:
        return ""
    if outcome.privacy is not None and outcome.privacy.noise == "none":
        return "No noise was added: whatever was opened is exact."
    return ""


def _main(scores: Sequence[Score]) -> str | None:
    """The metric that is told first."""
    return next((m for m in METRICS if any(s.metric == m for s in scores)), None)


def _result(scores: Sequence[Score], rows: str) -> str:
    name = _main(scores)
    if name is None:
        return ""
    overall = {s.label: s for s in scores if s.metric == name and s.site is None}
    if "federated" not in overall:
        return ""
    ours = overall["federated"]
    if ours.value is None:
        return f"On the {rows} of all sites its {TITLES[name]} is too noisy to say."
    text = f"On the {rows} of all sites it reaches {_an(TITLES[name])} of {_value(ours)}"
    beside = [
        f"{_value(overall[label])} {said}"
        for label, said in (("federated, no noise", "without noise"), ("pooled", "with all rows in one place"))
        if label in overall
    ]
    return f"{text}; {prose.listed(beside)}." if beside else f"{text}."


def _farther(scores: Sequence[Score]) -> str:
    """Where the model of this run is worse than none."""
    ours = next((s for s in scores if (s.label, s.metric, s.site) == ("federated", "r2", None)), None)
    if ours is None or ours.value is None or ours.value >= 0:
        return ""
    return f"It is farther off than the mean of the target, said of every row (R² {_value(ours)})."


def _folds(outcome: Outcome) -> str:
    """What a cross-validation says of the way the model was trained."""
    found = outcome.folds
    if found is None:
        return ""
    name, middle = next(((m, mean) for m in METRICS if (mean := found.mean.get(m)) is not None), ("", 0.0))
    if not name:
        return ""
    each = [value for one in found.each if (value := getattr(one, name)) is not None]
    said, low, high = (words.score(value, name) for value in (middle, min(each), max(each)))
    many, all_ = prose.count(len(each), "model"), len(found.each)
    many += "" if len(each) == all_ else f" of {all_}"
    what = f"{_an(TITLES[name])} of {said} in the mean ({low} to {high})"
    return f"{prose.capital(many)}, each trained without one fold of the rows, reach {what} on that fold."


def _an(title: str) -> str:
    return f"an {title}" if title[0] in "AR" else f"a {title}"


def _value(score: Score) -> str:
    said = words.score(score.value, score.metric)
    return (
        f"{said} (95 % from the noise alone: {ends((score.low, score.high), score.metric)})" if score.noised else said
    )


def facts(outcome: Outcome, details: Details, moved: Timeline | None) -> tuple[tuple[str, str, str], ...]:
    """(what, a few words, a few more) for the strip under the summary."""
    found = []
    if details.sites:
        allowed = f"{details.dropouts} may drop out" if details.dropouts else ""
        found.append(("Sites", str(len(details.sites)), allowed))
    if details.protect:
        known = scheme_of(details.protect)
        bare = "the server reads every update" if known.left else ""  # of no sum over rows, nothing: `left` says it
        against = SERVERS.get(details.server, "") if known.hides else bare
        found.append(("Protection", details.protect, against))
    privacy = outcome.privacy
    if privacy is not None and privacy.noise:
        spent = [e for e in (privacy.epsilon or {}).values() if e is not None]
        cost = f"ε ≤ {words.epsilon(max(spent))} for {words.WHO.get(privacy.unit or '', 'one unit')}" if spent else ""
        found.append(("Noise", privacy.noise, cost))
    if moved is not None:
        found.append(("Moved", words.size(moved.up + moved.down), f"{words.size(moved.up)} of it up"))
        count = prose.count(moved.sums, "round" if details.joint else "sum")
        found.append(("Time in rounds", words.duration(moved.seconds), count))
    return tuple(found)
