"""What a report shows of an intersection: how many keys, who learnt what, where they are, and no key."""

from potluck.core import prose
from potluck.core.plan import Plan, required
from potluck.tasks.here import Beside, Outcome
from potluck.tasks.intersect.halves import Intersected
from potluck.tasks.matching.alignment import MEMBERS
from potluck.tasks.shown import Shown

CAVEATS = (
    (
        "The result",
        "It is exact. Who learns members learns of each that all other sites have it. A size alone says the same where "
        "a site put in one key.",
    ),
    (
        "Made-up keys",
        "Nobody checks that a site has the keys that it puts in: whoever can guess keys learns which of them all "
        "others have.",
    ),
)


def shown(outcome: Outcome, plan: Plan, beside: Beside) -> Shown:
    """Of all owners' run, or of what the server knows."""
    assert isinstance(outcome, Intersected)
    spec = required(plan.align)
    to = [one for one in plan.federation.sites if not spec.to or one in spec.to]
    size = (
        "A number of keys not known here" if outcome.size is None else prose.capital(prose.count(outcome.size, "key"))
    )
    what = "how many keys all have" if spec.reveal == "size" else "which of their own keys all have"
    lines = [("Matched by", prose.listed(spec.keys)), ("Who learnt what", f"{prose.listed(to)}: {what}.")]
    if spec.reveal == "members":
        here = f"{MEMBERS}, in the run's folder" if outcome.members is not None else ""
        lines.append(("Where the common keys are", here or "in the learners' own homes: the server has none of them"))
    if outcome.reused:
        lines.append(("Taken again", "No key has changed since the owners last matched them: no new search was made."))
    if isinstance(beside, int):
        said = f"All keys in one place give {beside:,}."
        lines.append(("Beside plain sets", f"not private: all keys are in one process here. {said}"))
    found = "" if outcome.size is None else f": {size}"
    return Shown(
        title="Common keys",
        many=prose.capital(size),
        what="at all sites",
        lines=tuple(lines),
        did=f"{prose.capital(prose.count(len(plan.federation.sites), 'site'))} matched their keys{found} in common.",
        left="Keys left only blinded: no site saw another's but those in common, where the plan reveals them.",
        kind="intersection",
        cost="An intersection spends no epsilon: what it shows is exact. A site's policy says whether it may show a "
        "size, or members.",
        caveats=CAVEATS,
    )
