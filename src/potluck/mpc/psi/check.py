"""What of a plan that intersects cannot be. One line a problem: `key: what. hint: what to do`."""

from collections.abc import Iterator, Sequence

from potluck.core.plan import Align, Plan, required


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings)."""
    spec = required(plan.align)
    return [*_federation(plan), *_privacy(plan), *keys(plan, spec), *readers("align.to", plan, spec.to)], [
        *_warnings(plan, spec)
    ]


def keys(plan: Plan, spec: Align) -> Iterator[str]:
    """What is wrong with the key columns, for whatever task matches rows by them."""
    if not spec.keys or any(not name for name in spec.keys):
        yield "align.keys: is empty. hint: name the columns that say whose row it is"
    if len(set(spec.keys)) < len(spec.keys):
        yield "align.keys: a column is there twice. hint: name each once"
    if plan.data.split is not None and plan.data.split.column in spec.keys:
        what = "rows are matched by it: sides that follow from keys would tell the server which keys all have"
        yield f"data.split.column: {what}. hint: another column, or data.split.test"
    if not plan.data.header:
        absent = [name for name in spec.keys if name not in plan.data.columns]
        if absent:
            what = f"without a header {absent[0]} is not declared"
            yield f'align.keys: {what}. hint: declare all columns in file order, a key with kind = "ignore"'


def readers(key: str, plan: Plan, to: Sequence[str]) -> Iterator[str]:
    """What is wrong with a list of sites that learn the result."""
    sites = plan.federation.sites
    strangers = [name for name in to if name not in sites]
    if strangers:
        yield f"{key}: {strangers[0]} is no site of this plan. hint: the sites are {', '.join(sites)}"
    if len(set(to)) < len(to):
        yield f"{key}: a site is there twice. hint: name each once"


def everybody(plan: Plan, what: str) -> Iterator[str]:
    """What counts of sites are given where no site may be missing. what: who takes part."""
    for key in ("corrupt", "dropouts"):
        if getattr(plan.federation, key):
            hint = "leave it out; explain --collude says what a coalition sees" if key == "corrupt" else "leave it out"
            yield f"federation.{key}: {what}, and says itself who sees what. hint: {hint}"


def _federation(plan: Plan) -> Iterator[str]:
    if len(plan.federation.sites) < 2:
        yield "federation.sites: an intersection is of two sites or more. hint: name the others"
    yield from everybody(plan, "an intersection takes every site")


def _privacy(plan: Plan) -> Iterator[str]:
    if plan.noisy:
        what = f'"{plan.privacy.noise}" is for sums: a size and members are exact'
        yield f'privacy.noise: {what}. hint: noise = "none", and align.reveal = "size" where members are too much'


def _warnings(plan: Plan, spec: Align) -> Iterator[str]:
    """What runs, and what to mind of it."""
    if plan.data.target or plan.data.split or plan.training or plan.model or plan.statistics:
        yield "align: tables of models and statistics are ignored: an intersection reads keys. hint: leave them out"
    several = len(plan.federation.sites) > 2
    if spec.protocol == "rr22" and (several or spec.reveal == "size"):
        why = "of more than two sites" if several else "of a size alone"
        yield (
            f'align.protocol: "rr22" finds two sites\' members; an intersection {why} runs on a curve, some '
            '10,000 keys a second. hint: protocol = "ecdh" says so'
        )
    if spec.reveal == "size":
        yield (
            "align.reveal: whoever puts in one key learns by a size of 0 or 1 whether all others have it: a size hides "
            "members from owners who put in what they have. hint: allow it to sites that you trust to"
        )
