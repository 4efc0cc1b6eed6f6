"""The permit annex as one static HTML file, to be read, printed and filed: no script, no request.

It says what `annex.json` says; both are signed.
"""

import re
from dataclasses import replace

from potluck.core.party import BROKER
from potluck.core.prose import capital
from potluck.core.tables.permit import WORDS
from potluck.report import matrix
from potluck.report.matrix import Matrix
from potluck.report.page import HERE, environment
from potluck.report.papers.annex import JSON, SEAL, Annex

MOST = 40
"""Columns that are named; the JSON has all."""
FEW = 3
"""Looks at the rows, and changes to one policy, that are named, the newest."""


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
            table=_on_paper(matrix.short(views, sites)) if views else None,
            numbers=policies,
            before={line.key: line.says for line in annex.policies[0].lines} if annex.policies else {},
            retention=dict(annex.permit).get(WORDS["retention"], ""),
            digest=digest,
            json=JSON,
            seal=SEAL,
            most=MOST,
            few=FEW,
        )
    )


def _on_paper(table: Matrix) -> Matrix:
    """The same, whose notes name the page on which a claim is argued: a path leads nowhere from a sheet of paper."""
    return replace(table, notes=tuple(replace(one, source=_page(one.source)) for one in table.notes))


def _page(source: str) -> str:
    """docs/concepts/protections.md#mask -> (Potluck's documentation: Protections, on mask)"""
    found = re.fullmatch(r"(?:[\w-]+/)*([\w-]+)\.md(?:#([\w-]+))?", source)
    if found is None:
        return source
    page, part = (one and one.replace("-", " ") for one in found.groups())
    return f"(Potluck's documentation: {capital(page or '')}{f', on {part}' if part else ''})"
