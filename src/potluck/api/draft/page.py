"""A draft as the TOML of a plan, with comments: where each range and value comes from, and why columns are left out."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from textwrap import wrap

from potluck.api.draft.draft import Draft
from potluck.api.draft.guess import CONFIRM, Guess
from potluck.api.plan import toml
from potluck.core.prose import agree, listed
from potluck.core.visible import visible

SCHEMA = "plan.schema.json"
"""What `potluck schema plan` is written into, for an editor."""
WIDE = 118
ENOUGH = 3
"""Sites, from which on one of them may collude."""
FEW = 5
"""Sites that are named."""
SPELT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "oe", "æ": "ae"}
)
TEST = 0.25
SUITS = "suits these columns, rows and noise, as `potluck check` advises"


def page(draft: Draft) -> str:
    """The text of the plan."""
    parts = (
        _head(draft),
        _permit(),
        _federation(draft),
        _data(draft),
        _columns(draft),
        _derive(draft),
        _aim(draft),
        _privacy(draft),
    )
    return "\n".join(line for part in map(list, parts) if part for line in (*part, ""))


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(visible(text), WIDE - 2)]


def _entry(name: str, value: object, note: str = "") -> str:
    return f"{toml.key(name)} = {toml.value(value)}" + (f"  # {visible(note)}" if note else "")


def _head(draft: Draft) -> Iterator[str]:
    task, about = (
        ("train", f"Predict {draft.target}") if draft.aim else ("statistics", "Describe the rows of all sites")
    )
    name = re.sub("[^A-Za-z0-9_-]+", "-", _plain(draft.target or "table")).strip("-") or "plan"
    yield f"#:schema {SCHEMA}"
    named = [*draft.rows][:FEW] + (["others"] if len(draft.rows) > FEW else [])
    yield from _comment(
        f'A first plan, drafted from the rows of {listed(named)}. What says "{CONFIRM}" was read from these rows, so '
        "it may say something of somebody: keep this file to yourself until each such line has been confirmed, or "
        "replaced by what is public knowledge, and its comment removed."
    )
    yield from ("version = 1", _entry("name", name), _entry("purpose", about, f"{CONFIRM}: for those who approve"))
    yield _entry("task", task)


def _plain(text: str) -> str:
    """Letters with marks as they are spelt without: ü is ue, é is e."""
    spelt = text.translate(SPELT)
    return "".join(one for one in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(one))


def _permit() -> Iterator[str]:
    yield from _comment(
        "On what ground rows are used: owners read it first, and their papers have it. Fill in what you have; after "
        "the last day (UTC) no owner's site takes part."
    )
    for line in (
        "[permit]",
        _entry("number", "...", "of the permit, as its issuer counts"),
        _entry("basis", "...", "the legal basis"),
        _entry("controller", "...", "who answers for the use"),
        _entry("contact", "...", "whom to ask"),
        _entry("retention", "...", "how long results are kept"),
        _entry("expires", "2027-12-31", "the last day"),
    ):
        yield f"# {line}"


def _federation(draft: Draft) -> Iterator[str]:
    many = len(draft.rows)
    yield "[federation]"
    yield _entry("sites", [*draft.rows])
    if many >= ENOUGH:
        yield _entry("corrupt", 1, "sites that may collude with the server")
    elif many == 1:
        yield from _comment("one site: add the others, then corrupt = 1, protect.with and noise as below")


def _data(draft: Draft) -> Iterator[str]:
    how = draft.written
    yield "[data]"
    if how.separator != ",":
        yield _entry("separator", how.separator)
    if how.encoding != "utf-8":
        yield _entry("encoding", how.encoding, f"{CONFIRM}: look at letters such as ä and é")
    if draft.decimal != ".":
        yield _entry("decimal", draft.decimal)
    if draft.fold:
        yield _entry("fold", True, "values that differ in case alone are one")
    if [*draft.missing] != [""]:
        yield _entry("missing", [*draft.missing], f'{CONFIRM}: what means "no value" in these files')
    if draft.person:
        yield _entry("person", draft.person, "whose row it is; a site's policy has to allow it")
    if draft.held:
        yield _entry("split", {"test": TEST}, "rows held out, on which the model is judged")
    elif draft.aim:
        yield from _comment(
            "No rows are held out, so that there are no metrics: with noise for so few persons they would say nothing. "
            f"With more of them, or a larger epsilon: split = {{ test = {TEST} }} here, and privacy.evaluation, a part "
            "of epsilon; `potluck check` says how well metrics will then be known."
        )
    if draft.files:
        yield from ("", "[data.files]", *(_entry(site, file) for site, file in draft.files.items()))


def _columns(draft: Draft) -> Iterator[str]:
    yield "[data.columns]"
    left = []
    for name, one in draft.columns.items():
        if not one.used:
            left.append((name, one))
            continue
        note = one.note
        if draft.aim and name == draft.target and draft.aim.note:
            note = "; ".join(filter(None, (note, draft.aim.note)))
        yield _entry(name, _with_gaps(draft, name, one), note)
    if left:
        yield from ("", "# Left out:")
    for name, one in left:
        said = f"{toml.key(name)} = {toml.value(one.entry)}" if one.entry else toml.key(name)
        yield f"# {said}: {visible(one.why)}" if not one.entry else f"# {said}  # {visible(one.why)}"


def _with_gaps(draft: Draft, name: str, one: Guess) -> Mapping[str, object]:
    """The entry, with what becomes of a row without a value. What others are made of leaves a feature of gaps to
    these; where rows are left out, both say so. A date says nothing of it."""
    entry = dict(one.entry or {})
    left = one.derive and (draft.aim is not None or entry["kind"] == "date")
    return entry if left or name == draft.target else {**entry, **_gap(draft, name)}


def _gap(draft: Draft, name: str) -> Mapping[str, object]:
    return ({"missing": "flag"} if draft.aim else {"missing": "drop"}) if name in draft.gaps else {}


def _derive(draft: Draft) -> Iterator[str]:
    if draft.derived:
        yield "[data.derive]"
    for name, (column, entry) in draft.derived.items():
        note = f"{CONFIRM}: the day to which years are counted" if "to" in entry else ""
        yield _entry(name, {**entry, **_gap(draft, column)}, note)


def _aim(draft: Draft) -> Iterator[str]:
    if draft.aim is None:
        named = [*(name for name, one in draft.columns.items() if one.used and not one.derive), *draft.derived]
        yield from ("[[statistics]]", _entry("name", "table1"), _entry("kind", "table1"), _entry("columns", named))
        yield from _comment('by = "COLUMN" of a category makes a table by group; other kinds: potluck docs statistics')
        return
    aim = draft.aim
    for condition in aim.where:
        yield from ("[[data.where]]  # rows whose target is not among the values above are left out",
                    *(_entry(key, one) for key, one in condition.items()), "")  # fmt: skip
    yield "[data.target]"
    yield from (_entry(key, one, aim.note if key == "positive" else "") for key, one in aim.target.items())
    rows = sum(draft.rows.values())
    expected, of = (_two_digits(rows * (1 - TEST)), "three quarters of ") if draft.held else (_two_digits(rows), "")
    yield from ("", "[model]", *(_entry(key, one) for key, one in aim.model.items()))
    yield from ("", "[training]", *(_entry(key, one) for key, one in aim.training.items()))
    for key, one in draft.settings.items():
        if key.startswith("training."):
            yield _entry(key.removeprefix("training."), one, SUITS)
    yield _entry("expected_rows", expected, f"{CONFIRM}: {of}the rows here, rounded; public")


def _privacy(draft: Draft) -> Iterator[str]:
    together = len(draft.rows) > 1
    yield from ("[protect]", _entry("with", "mask" if together else "clear"), "")
    yield "[privacy]"
    yield from _comment(
        f"{CONFIRM} all of it: `potluck check` says what it costs, and how much the results will be worth"
    )
    yield _entry("noise", "shared" if together else "site")
    yield _entry("unit", "person" if draft.person else "row", *(() if draft.person else ("a row is not a person",)))
    yield from (_entry("epsilon", 1.0), _entry("delta", 1e-5))
    if draft.aim and draft.aim.clipped:
        clip = draft.settings.get("privacy.clip")
        yield _entry("clip", 1.0 if clip is None else clip, "" if clip is None else SUITS)
    if draft.person and draft.held:
        yield _entry("evaluation", draft.evaluation, "of epsilon, for the metrics: the least that says something")
    if draft.person:
        most = max(1, round(draft.persons))
        yield _entry("rows_per_person", most, f"{CONFIRM}: further rows of a person are left out")


def _two_digits(number: float) -> int:
    """Rounded down to two digits."""
    power = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return max(1, int(number // power * power))


def summary(draft: Draft) -> list[str]:
    """What was found, in a few lines, without a value."""
    used = [name for name, one in draft.columns.items() if one.used]
    left = [toml.key(name) for name, one in draft.columns.items() if not one.used]
    rows = sum(draft.rows.values())
    found = [f"{rows:,} rows of {len(draft.rows)} {agree(len(draft.rows), 'site', 'sites')}: {len(used)} of "
             f"{len(draft.columns)} columns used, to be confirmed"]  # fmt: skip
    return [*found, f"left out: {', '.join(left)}"] if left else found
