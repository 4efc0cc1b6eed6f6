"""Who could see what of a fit over columns at different owners, and which coalition breaks it: the claims as data.

Each compute party holds two of three parts, or one of two, so any two hold all of them. A site whose name a compute
party has, too, is that compute party's owner: it counts as that one in a coalition.
"""

from collections.abc import Sequence
from itertools import combinations

from msgspec.structs import replace

from potluck.core.party import SERVER, Party, Role, site
from potluck.core.plan import Plan, required
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Never, Together, View, at_sites
from potluck.mpc.psi import views as psi_views
from potluck.mpc.share.views import FALLS, NO_LETTER, opened

SOURCE = "docs/concepts/fit.md"


def views(plan: Plan, readers: Sequence[Party], tells: str) -> list[View]:
    """Of every owner's columns, of the matched rows, the model and its metrics: what each party sees, and what it takes
    to see more. tells: what an exact model of this kind tells a reader, beside what any does."""
    matched = replace(plan, align=replace(required(plan.align), reveal="members", to=()))
    found = [*_columns(plan), *_matching(plan, psi_views.views(matched)), *_split(plan)]
    found += [View(party, "the size", Form.RELEASED, Never(), SOURCE, Form.RELEASED) for party in plan.compute]
    found += [*_keys(plan), *_kept(plan)]
    return [*found, *_results(plan, readers, tells)]


def _keys(plan: Plan) -> list[View]:
    """Of the keys by which rows are matched: a compute party has a hash of the whole common order, and no more."""
    guessed = Assumption("the whole set of common keys is guessed, which a hash of them confirms")
    found = []
    for party in plan.compute:
        for one in plan.sites:
            if one.name == party.name:
                found.append(View(party, f"{one}'s keys", Form.PLAIN, Never(), SOURCE, note="its owner's own"))
                continue
            found.append(View(party, f"{one}'s keys", Form.NOTHING, Together(1, frozenset({one})), SOURCE))
        told = any(one.name == party.name for one in plan.sites)
        with_one = AnyOf((Together(1, frozenset(plan.sites)), guessed))
        note = "its owner's" if told else "a hash of all of them in their order"
        form = Form.RELEASED if told else Form.NOTHING
        found.append(View(party, "the common keys", form, Never() if told else with_one, SOURCE, Form.RELEASED, note))
    return found


def _opens(plan: Plan) -> Condition:
    """What opens everything: two of those who compute, or their owners."""
    names = [party.name for party in plan.compute]
    return AnyOf((_two(plan, names), *FALLS))


def _two(plan: Plan, names: Sequence[str]) -> Condition:
    shared = set(names) & set(plan.federation.sites)
    if not shared:
        return Together(2, frozenset(plan.compute))
    return AnyOf(tuple(AllOf((_held(plan, a), _held(plan, b))) for a, b in combinations(names, 2)))


def _held(plan: Plan, name: str) -> Condition:
    """A compute party, or the site that is its owner."""
    owner = {site(name)} if name in plan.federation.sites else set[Party]()
    return Together(1, frozenset({Party(Role.COMPUTE, name), *owner}))


def _columns(plan: Plan) -> list[View]:
    opens, found = _opens(plan), []
    for one in plan.sites:
        of = f"{one}'s columns"
        found.append(View(SERVER, of, Form.NOTHING, opens, SOURCE, note="it carries no share"))
        for party in plan.compute:
            if party.name == one.name:
                found.append(View(party, of, Form.PLAIN, Never(), SOURCE, note="its owner's own"))
                continue
            note = f"semi-honest: {opened(plan.compute)} every column; each learns whose numbers are out of range"
            found.append(View(party, of, Form.SHARE, opens, SOURCE, note=note))
        found += at_sites(plan.sites, one, View(one, of, Form.NOTHING, opens, SOURCE, note=NO_LETTER))
    return found


def _by_column(plan: Plan) -> bool:
    """Whether a column says which rows are held out: its owner tells the others, through the server."""
    return plan.data.split is not None and plan.data.split.column is not None


def _matching(plan: Plan, found: Sequence[View]) -> list[View]:
    """The views of the matching. The server that hands on which rows are held out sees how many are common."""
    if not _by_column(plan):
        return [*found]
    told = View(SERVER, "the size", Form.RELEASED, Never(), SOURCE, Form.RELEASED, "it hands on which are held out")
    return [told if (one.party, one.of) == (SERVER, "the size") else one for one in found]


def _split(plan: Plan) -> list[View]:
    """Which rows are held out: every owner knows it; the server where a column says it, as positions."""
    of = "which rows are held out"
    found = [View(party, of, Form.RELEASED, Never(), SOURCE, Form.RELEASED) for party in plan.sites]
    some = Together(1, frozenset(plan.sites))
    found += [View(one, of, Form.NOTHING, some, SOURCE, Form.RELEASED, "how many, not which") for one in plan.compute]
    if _by_column(plan):
        note = "positions in the common order: a split that follows from keys says which of guessed keys all have"
        return [View(SERVER, of, Form.RELEASED, Never(), SOURCE, Form.RELEASED, note), *found]
    helped = AnyOf((Together(1, frozenset(plan.sites)), psi_views.SEALED))
    note = "it follows from keys that all have: none of it passes the server"
    return [View(SERVER, of, Form.NOTHING, helped, SOURCE, Form.RELEASED, note), *found]


def _kept(plan: Plan) -> list[View]:
    """Whether as many rows are kept as the plan says: all hear of a round that ends of it. With noise nobody asks."""
    if plan.noisy:
        return []
    note = "one bit, of the rows to train on and of those held out together; how many, the model's readers learn"
    everybody = (SERVER, *plan.compute, *plan.sites)
    of = "whether enough rows are kept"
    return [View(party, of, Form.RELEASED, Never(), SOURCE, Form.RELEASED, note) for party in everybody]


def _model_note(plan: Plan, tells: str) -> str:
    """What a reader may work out from the model. tells: beside what any tells."""
    if plan.noisy:
        return (
            "made of sums that were noised before anything was opened; not that a row is there, which all owners know"
        )
    exact = "exact: with all rows but one, that one can be worked out from it"
    return f"{exact}; {tells}" if tells else exact


def _results(plan: Plan, readers: Sequence[Party], tells: str) -> list[View]:
    """The model and its metrics: whoever has one reader's letters and keys reads what that one reads."""
    helped: Condition = AnyOf((Together(1, frozenset(readers)), _opens(plan)))
    found = []
    noisy = plan.noisy
    for of in ("the model",) if noisy else ("the model", "the metrics"):
        found.append(View(SERVER, of, Form.NOTHING, helped, SOURCE, Form.RELEASED))
        found += [View(party, of, Form.SHARE, helped, SOURCE, Form.RELEASED) for party in plan.compute]
        for one in plan.sites:
            if one in readers:
                note = _model_note(plan, tells) if of == "the model" else ""
                opens = _opens(plan) if noisy else Never()
                form = Form.NOISED if noisy else Form.RELEASED
                found.append(View(one, of, form, opens, SOURCE, Form.RELEASED, note))
            else:
                found.append(View(one, of, Form.NOTHING, helped, SOURCE, Form.RELEASED))
    return found
