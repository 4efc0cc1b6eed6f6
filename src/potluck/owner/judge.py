"""May this plan be run on this owner's rows? Policy against plan, without a row, a file or a clock.

Every reason against it is reported, not the first alone. The words are the owner's to read; to the other side only
the code travels, a key of the policy. It does NOT ask a person: what is denied here nobody can approve, and what is
not denied still needs `requests`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from potluck.core.plan import Plan
from potluck.learning.data.columns import least
from potluck.learning.models.finished.finished import models_of
from potluck.learning.models.room import room
from potluck.owner.denial import Code, Denial, TooFew
from potluck.owner.hours import ANY, within
from potluck.owner.policy import MOST_DELTA, Allow, Policy
from potluck.owner.reach import columns_read, covers, read_by

UTF_8 = "utf-8"


@dataclass(frozen=True, slots=True)
class Year:
    """What the runs of the last year come to, composed at `allow.delta`: before this plan's run, and with all of it."""

    before: float = 0.0
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged. promised: epsilon that the plan spends here at most, or None; year: what the last year comes to;
    watched: a person reads it before it is approved; owner: the site, of a plan whose columns are at different ones."""

    plan: Plan
    asker: frozenset[str]
    now: datetime
    year: Year
    promised: float | None
    watched: bool
    owner: str | None = None


def computing(policy: Policy, plan: Plan, *, asker: frozenset[str], now: datetime) -> tuple[Denial, ...]:
    """The same of a party that only computes: it has no columns, no rows and no budget."""
    case = Case(plan, asker, now, Year(), None, policy.approve.rule != "policy")
    found = (rule(policy.allow, case) for rule in (_who, _tasks, _protect, _server, _noise, _sites, _hours, _permit))
    return tuple(denial for denial in found if denial is not None)


def judge(
    policy: Policy,
    plan: Plan,
    *,
    asker: frozenset[str],
    now: datetime,
    year: Year,
    promised: float | None,
    owner: str | None = None,
) -> tuple[Denial, ...]:
    """Every reason of the policy against the plan; none: it is allowed.

    asker: the names of who asks (federation, fingerprint); now: the owner's local time; owner: the site whose policy it
    is.
    """
    case = Case(plan, asker, now, year, promised, policy.approve.rule != "policy", owner)
    found = (rule(policy.allow, case) for rule in _RULES)
    beside = _table(policy, plan), _attestation(policy, plan), _memory(policy, plan)
    return tuple(denial for denial in (*found, *beside) if denial is not None)


def budgeted(policy: Policy, plan: Plan, *, now: datetime, year: Year, promised: float | None) -> tuple[Denial, ...]:
    """The reasons of the policy's budget against the plan, and no others."""
    case = Case(plan, frozenset(), now, year, promised, watched=True)
    found = (rule(policy.allow, case) for rule in (_per_plan, _per_year))
    return tuple(denial for denial in found if denial is not None)


def rows_allowed(policy: Policy, rows: int) -> None:
    """Raises TooFew, for the owner's eyes alone: fewer rows than allow.min_rows. The number of rows is not said.

    rows: those that a plan learns from; held-out ones do not count, or a plan could hold out all but a few.
    """
    if rows < policy.allow.min_rows:
        what = f"there are fewer rows to learn from than allow.min_rows ({policy.allow.min_rows})"
        raise TooFew(what, where="policy", hint="the fewer rows, the more a sum says about each of them")


def models_allowed(policy: Policy, kind: str) -> Denial | None:
    """The reason against a model whose kind the plan does not say: one that is to score others' rows."""
    return _listed("models", "model", kind, policy.allow.models)


def columns_allowed(policy: Policy, names: Sequence[str]) -> Denial | None:
    """The reason against columns that the plan does not name: those of a model that is to score rows."""
    denied = [name for name in names if not any(covers(one, name) for one in policy.allow.columns)]
    if not denied:
        return None
    return Denial("columns", f"the plan reads {_list(denied)}", _allowed("columns", policy.allow.columns))


def _who(allow: Allow, case: Case) -> Denial | None:
    if ANY in allow.who or case.asker & set(allow.who):
        return None
    return Denial("who", f"{_list(sorted(case.asker))} may not ask", _allowed("who", allow.who))


def _tasks(allow: Allow, case: Case) -> Denial | None:
    return _listed("tasks", "task", case.plan.task, allow.tasks)


def _models(allow: Allow, case: Case) -> Denial | None:
    model, finished = case.plan.model, models_of(case.plan)
    if case.plan.traits.counts or model is None:
        return None
    kinds = [one.kind for one in finished] if finished else [model.kind] if model.kind is not None else []
    denied = (_listed("models", "model", kind, allow.models) for kind in kinds)
    return next((one for one in denied if one is not None), None)


def _protect(allow: Allow, case: Case) -> Denial | None:
    if not case.plan.traits.guarded:
        return None
    return _listed("protect", "protection", case.plan.protect.scheme, allow.protect)


def _intersect(allow: Allow, case: Case) -> Denial | None:
    align = case.plan.align
    if align is None:
        return None
    shown = "members" if case.plan.traits.joins else align.reveal
    return _listed("intersect", "a matching of keys that shows", shown, allow.intersect)


def _readers(allow: Allow, case: Case) -> Denial | None:
    """Of others: what an owner reads itself it need not allow."""
    others = [name for name in read_by(case.plan) if name != case.owner]
    return _named("readers", "read what comes of it", others, allow.readers)


def _compute(allow: Allow, case: Case) -> Denial | None:
    """Also of one that is called as the owner is: it is another member, with keys of its own."""
    return _named("compute", "compute", [party.name for party in case.plan.compute], allow.compute)


def _named(code: Code, do: str, names: Sequence[str], allowed: Sequence[str] | None) -> Denial | None:
    if allowed is None or ANY in allowed:
        return None
    denied = [name for name in names if name not in allowed]
    return Denial(code, f"{_list(denied)} would {do}", _allowed(code, allowed)) if denied else None


def _rows(allow: Allow, case: Case) -> Denial | None:
    """Rows that count are a secret in a fit: what the plan holds to is all that keeps them from being few. With noise
    they are not counted, and `rows_allowed` asks of those that all have."""
    if not case.plan.traits.joins or case.plan.noisy or allow.min_rows <= least(case.plan):
        return None
    words = f"a model may be of {least(case.plan)} rows (fit.min_rows)"
    return Denial("min_rows", words, f"allow.min_rows needs {allow.min_rows}")


def _attestation(policy: Policy, plan: Plan) -> Denial | None:
    if not plan.protect.facts.enclave or policy.attestation.policy is not None:
        return None
    what = "rows and model" if plan.traits.scores else "the updates"
    words = f"{what} would be opened in an enclave, and nothing says which may open this site's"
    return Denial("attestation", words, 'attestation.policy = "enclave.toml" says which: potluck docs tee')


def _memory(policy: Policy, plan: Plan) -> Denial | None:
    """Of a graph that is trained: its weights, sums of them, and a batch, forward and back; where the graph is here."""
    need, most = room(plan), policy.source.memory
    if need is None or need.memory <= most:
        return None
    words = f"training the plan's graph may take {need.memory} bytes, {need.batch} of them for a batch"
    return Denial("memory", words, f"source.memory lets it have {most}; the plan may take smaller batches")


def _table(policy: Policy, plan: Plan) -> Denial | None:
    join = plan.data.join
    if join is None or join.table in policy.source.tables:
        return None
    known = _list(list(policy.source.tables)) if policy.source.tables else "none"
    words = f"the plan joins the table {_list([join.table])}, and the policy knows {known}"
    return Denial("tables", words, "source.tables says where each table is that a plan may join")


def _server(allow: Allow, case: Case) -> Denial | None:
    word = case.plan.federation.server
    return None if allow.server is None else _listed("server", "a server that is taken to be", word, allow.server)


def _units(allow: Allow, case: Case) -> Denial | None:
    unit = case.plan.privacy.unit
    if allow.units is None or not case.plan.noisy or unit is None:
        return None
    return _listed("units", "noise for every", unit, allow.units)


def _person(allow: Allow, case: Case) -> Denial | None:
    """If `person` is a measured column, noise hides single values, not patients: a patient with k values is k units.
    Without a header the plan's names are its own, as in `_columns`."""
    data, column = case.plan.data, case.plan.data.person
    if not case.plan.noisy or case.plan.privacy.unit != "person" or column is None or ANY in allow.person:
        return None
    if not any(covers(one, column) for one in allow.person):
        return Denial(
            "person", f"a person would be whatever column {_list([column])} says", _allowed("person", allow.person)
        )
    if data.header or case.watched:
        return None
    words = "the plan takes columns by position: the name of the person's is its own and says nothing"
    return Denial("person", words, 'such a plan needs allow.person = ["*"], or somebody who looks: another rule')


def _noise(allow: Allow, case: Case) -> Denial | None:
    return _listed("noise", "noise", case.plan.privacy.noise, allow.noise)


def _columns(allow: Allow, case: Case) -> Denial | None:
    denied = [
        name for name in columns_read(case.plan, case.owner) if not any(covers(one, name) for one in allow.columns)
    ]
    if not denied and not case.plan.data.header and not case.watched and ANY not in allow.columns:
        words = "the plan takes columns by position: the names it gives them are its own and say nothing"
        return Denial("columns", words, 'such a plan needs allow.columns = ["*"], or somebody who looks: another rule')
    if not denied and not case.watched and _remembers(allow, case.plan):
        how = "" if case.plan.data.header else "takes columns by position"
        how = how if case.plan.data.encoding == UTF_8 else f"reads {case.plan.data.encoding} where {UTF_8} is usual"
        if how:
            words = f"the plan {how}, so that rows would not be known again"
            return Denial("columns", words, "beside allow.min_cell such a plan needs noise, or somebody who looks")
    if not denied:
        return None
    return Denial("columns", f"the plan reads {_list(denied)}", _allowed("columns", allow.columns))


def _remembers(allow: Allow, plan: Plan) -> bool:
    """Whether rows are to be known again: as `allow.columns` lets plans read them, which is by name, and in one
    encoding, or letters beyond ASCII would make them others."""
    return allow.min_cell is not None and plan.traits.sums and not plan.noisy


def _sites(allow: Allow, case: Case) -> Denial | None:
    fewest = case.plan.fewest
    if fewest >= allow.min_sites:
        return None
    words = f"a sum may be over {fewest} sites only (all of the plan's but its drop-outs)"
    return Denial("min_sites", words, f"the policy needs {allow.min_sites}")


def _corrupt(allow: Allow, case: Case) -> Denial | None:
    """Of sums. What is no sum says itself who sees what, and takes no `corrupt`."""
    reckoned = case.plan.federation.corrupt
    if not case.plan.traits.sums or reckoned >= allow.min_corrupt:
        return None
    words = f"the plan reckons with {reckoned} sites that collude with the server (federation.corrupt)"
    return Denial("min_corrupt", words, f"allow.min_corrupt needs {allow.min_corrupt}")


def _looks(allow: Allow, case: Case) -> Denial | None:
    if allow.looks is None or case.plan.looks <= allow.looks:
        return None
    words = f"the plan looks at validation rows {case.plan.looks} times (training.evaluate_every)"
    return Denial("looks", words, f"the policy allows {allow.looks}")


def _per_plan(allow: Allow, case: Case) -> Denial | None:
    if not case.plan.noisy:
        return None
    if case.promised is None:
        return Denial("epsilon_per_plan", "what the plan spends is not known", "nothing is spent that was not promised")
    delta = case.plan.privacy.delta
    capped = math.isfinite(min(allow.epsilon_per_plan, allow.epsilon_per_year))
    if capped and delta is not None and delta > MOST_DELTA:
        words = f"at delta {delta:.6g} no epsilon means much"
        return Denial("epsilon_per_plan", words, f"delta is at most {MOST_DELTA:g} where epsilon is capped")
    if case.promised <= allow.epsilon_per_plan:
        return None
    words = f"the plan spends up to epsilon {case.promised:.6g}"
    return Denial("epsilon_per_plan", words, f"the policy allows {allow.epsilon_per_plan:.6g} a plan")


def _per_year(allow: Allow, case: Case) -> Denial | None:
    if not case.plan.noisy or case.year.after <= allow.epsilon_per_year:
        return None
    words = f"with it the year's runs come to epsilon {case.year.after:.6g}, {case.year.before:.6g} without it"
    return Denial("epsilon_per_year", words, f"the policy allows {allow.epsilon_per_year:.6g} at delta {allow.delta:g}")


def _hours(allow: Allow, case: Case) -> Denial | None:
    if allow.hours is None or within(allow.hours, case.now):
        return None
    return Denial("hours", f"it is {case.now:%a %H:%M}".lower(), _allowed("hours", allow.hours))


def _permit(allow: Allow, case: Case) -> Denial | None:
    """Whatever a policy says: who approves would approve of what its own words say is over."""
    permit = case.plan.permitted
    if permit is None or not permit.ended(case.now):
        return None
    return Denial("permit", f"the plan's permit ended on {permit.expires}", "its asker needs a new one, and a new plan")


_RULES: Sequence[Callable[[Allow, Case], Denial | None]] = (
    _who,
    _tasks,
    _models,
    _columns,
    _protect,
    _intersect,
    _readers,
    _compute,
    _server,
    _noise,
    _units,
    _person,
    _per_plan,
    _per_year,
    _rows,
    _sites,
    _corrupt,
    _looks,
    _hours,
    _permit,
)


def _listed(code: Code, what: str, word: str, allowed: Sequence[str]) -> Denial | None:
    if ANY in allowed or word in allowed:
        return None
    return Denial(code, f"{what} {_list([word])}", _allowed(code, allowed))


def _allowed(key: str, words: Sequence[str]) -> str:
    return f"allow.{key} lets in {_list(words)}" if words else f"allow.{key} lets in nothing"


def _list(names: Sequence[str]) -> str:
    """Names, some of them from outside, as they may be printed: on one line, without control letters, not too long."""
    shown = [ascii(name if len(name) <= 60 else f"{name[:60]}...") for name in names[:8]]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(shown) or "nobody") + more
