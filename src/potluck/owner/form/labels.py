"""What a policy's keys and words are called on a form, for people who do not read TOML. All rules are in `judge`."""

import re
from dataclasses import dataclass

from potluck.core.schemes import SCHEMES
from potluck.core.traits import TRAITS


@dataclass(frozen=True, slots=True)
class Label:
    """title: of the control; more: what to write there, and what an empty one means; free: of "any" or "no limit", any:
    of the word that stands for all of a list of words."""

    title: str
    more: str = ""
    free: str = "Any"
    any: str = "any"


LABELS: dict[str, Label] = {
    "allow.who": Label(
        "Coordinators that may ask", "The federation's name, or its fingerprint, one a line. Empty: nobody."
    ),
    "allow.tasks": Label("What they may ask for", "Nothing ticked: nothing."),
    "allow.models": Label("Kinds of model", "Those that may be trained or judged on your rows. Nothing ticked: none."),
    "allow.columns": Label(
        "Columns that a plan may read", "One a line; lab* allows all that begin with lab. Empty: none."
    ),
    "allow.hours": Label(
        "When a run may begin",
        "By the clock of the site's machine, one a line: mon-fri 08:00-18:00, or sat. Empty: never.",
        "At any time",
    ),
    "allow.protect": Label("How the sum may be computed", "Nothing ticked: no sum at all."),
    "allow.server": Label("What a plan may take the server for", "A plan that bears a lying server protects more."),
    "allow.min_corrupt": Label(
        "Sites that may work together with the server",
        "A plan's noise and protection must hold against so many of them.",
    ),
    "allow.min_sites": Label("Fewest sites of a sum", "This one included, after others dropped out."),
    "allow.compute": Label(
        "Compute parties that may hold parts of your rows",
        "Their names, one a line. Any two of them could open what they hold. Empty: none.",
    ),
    "allow.readers": Label(
        "Sites that may read what a fit, match or prediction shows", "Their names, one a line. Empty: none but yours."
    ),
    "allow.intersect": Label("What matching of keys may show", "Nothing ticked: no matching."),
    "allow.noise": Label(
        "Noise of what is learnt",
        "Who adds it; or none, which means exact sums.",
        any="any, and so exact sums without noise, too",
    ),
    "allow.epsilon_per_plan": Label(
        "Most epsilon of a plan", "The larger, the more a guesser learns of a row. 0: no plan with noise.", "No limit"
    ),
    "allow.epsilon_per_year": Label(
        "Most epsilon of a year", "Of all plans of the last 366 days together.", "No limit"
    ),
    "allow.delta": Label(
        "Delta of a year",
        "How likely a year's noise may fail to keep its epsilon. 1e-05 suits most sites; "
        "whoever answers for statistics may say less.",
    ),
    "allow.units": Label("Whom noise must hide", "Nothing ticked: no plan with noise."),
    "allow.person": Label(
        "Columns that say whose a row is",
        "One a line. Noise for a person hides whatever such a column says. Empty: none.",
    ),
    "allow.looks": Label(
        "Looks at validation rows", "How often a plan may look as it trains, an exact sum each.", "No limit"
    ),
    "allow.min_rows": Label("Fewest rows to learn from", ""),
    "allow.min_cell": Label("Fewest rows behind an exact number", "", "No limit"),
    "allow.dominance": Label(
        "Largest share of one row in an exact sum", "0.5: no row is more than half of it.", "No limit"
    ),
    "allow.max_parameters_per_row": Label(
        "Most numbers of an exact model for each row", "0.33: a third as many numbers as rows.", "No limit"
    ),
    "approve.rule": Label("Who says yes to what the policy allows"),
    "approve.people": Label("How many different persons must say yes"),
    "federation.follow": Label("Newer federation files"),
    "keep.predictions": Label("Keep what the model says of your own rows", "It stays in this site's home."),
}

WORDS: dict[str, dict[str, str]] = {
    "allow.noise": {
        "none": "exact sums, without any noise",
        "site": "each site adds noise enough for itself",
        "shared": "each site adds a part of the noise",
        "reveal": "whoever opens the sum adds it",
    },
    "allow.intersect": {"size": "how many keys all sites have", "members": "which keys"},
    "allow.server": {"lying": "it may do anything", "curious": "it plays fair, and looks at what it gets"},
    "allow.units": {
        "row": "a row",
        "person": "a person, with all of their rows",
        "site": "a whole site",
    },
    "approve.rule": {
        "person": "somebody approves every run",
        "hash": "somebody approves a plan, which then may run again",
        "policy": "nobody is asked: all that the policy allows runs",
    },
    "federation.follow": {
        "all": "are followed as they come; new members wait for a person's word",
        "renewals": "are followed where no member is new or has new keys; others wait for a person",
        "nothing": "are followed once a person joins them",
    },
    "approve.people": {"1": "one", "2": "two"},
}
"""By key: what a word means, where no table of variants says it."""


def code(word: str) -> str:
    """What a reason against a plan is about: its key's title, where a form has the key."""
    label = LABELS.get(f"allow.{word}")
    return label.title if label else word


_CODE = re.compile(r"([a-z_]+\.[a-z_]+)(: | )(.*)")
_PART = re.compile(r"; (?=(?:allow|approve|federation|keep)\.[a-z_]+(?:: | [+-]))")
"""Where a line of the log has several keys in one."""


def told(short: str) -> str:
    """A change as the access log has it (`Change.short`), in the words of the form."""
    return "; ".join(_told(one) for one in _PART.split(short))


def _told(short: str) -> str:
    match = _CODE.fullmatch(short)
    if match is None or match[1] not in LABELS:
        return short
    title, known = LABELS[match[1]].title, WORDS.get(match[1], {}) | {"True": "yes", "False": "no"}
    if match[2] == " ":  # words of a list: they stand there quoted
        said = re.sub(
            r'(^| )([+-])(?=["0-9])', lambda sign: f"{sign[1]}{'added ' if sign[2] == '+' else 'taken out '}", match[3]
        )
        return f"{title}: {said}"
    before, arrow, now = match[3].partition(" -> ")
    return f"{title}: {known.get(before, before)} → {known.get(now, now)}" if arrow else short


def meaning(key: str, word: str) -> str:
    """What a word of a key means; empty: it says it itself."""
    if key == "allow.tasks":
        return TRAITS.of(word).title
    return SCHEMES.of(word).said if key == "allow.protect" else WORDS.get(key, {}).get(word, "")
