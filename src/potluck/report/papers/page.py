"""The permit annex as one static HTML file, to be read, printed and filed: no script, no request.

It says what `annex.json` says; both are signed.
"""

from potluck.core.party import BROKER
from potluck.core.tables.permit import WORDS
from potluck.report import matrix
from potluck.report.page import HERE, environment
from potluck.report.papers.annex import JSON, SEAL, Annex


def render(annex: Annex, sites: tuple[str, ...], digest: str) -> str:
    """The page. sites: of the plan; digest: of annex.json, in hex."""
    views = [one for one in annex.protection.views if one.party != BROKER.name or one.of.endswith("update")]
    policies = {one.digest: number for number, one in enumerate(annex.policies, 1)}
    return (
        environment()
        .get_template("papers/annex.html")
        .render(
            it=annex,
            css=(HERE / "report.css").read_text(encoding="utf-8"),
            table=matrix.short(views, sites) if views else None,
            numbers=policies,
            before={line.key: line.says for line in annex.policies[0].lines} if annex.policies else {},
            retention=dict(annex.permit).get(WORDS["retention"], ""),
            digest=digest,
            json=JSON,
            seal=SEAL,
        )
    )
