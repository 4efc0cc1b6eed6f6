"""What came of a request, and its papers: which runs of its plan have them, writing, signing, and taking them along.

To write them changes the home, so it is asked for with a form, and the access log says who did. They are served as
files to keep, never shown as a page of this program: what a plan's author wrote is in them.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from potluck.api.network import papers
from potluck.api.network.asked import Asked
from potluck.api.network.history import runs_of
from potluck.api.network.holdings import holdings
from potluck.api.network.papers import CHARTER
from potluck.api.network.result import came_of
from potluck.console.paging import address
from potluck.console.shell import Visit
from potluck.console.site.requests import place
from potluck.core import private
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.owner.requests import State
from potluck.report.papers.annex import HTML, JSON, SEAL
from potluck.tasks import own

FILES = {
    HTML: ("text/html", "to read, and to print"),
    JSON: ("application/json", "the same for programs: this is what is signed"),
    SEAL: ("application/toml", "the signature"),
    CHARTER: ("application/toml", "the federation file, by which the signature is verified"),
}
"""What is taken along: of what kind it is, and what for."""


class Papers:
    """The pages of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, visit: Visit) -> Response:
        """The run that the address names, else every run of a plan, with the papers that there are."""
        asked = self._chosen(visit, visit.query.get("run", ""))
        there = {one.run: one.when for one in holdings(self._folder) if one.papers}
        fates = {one.request.run: one.fate for one in runs_of(self._folder, visit.name)}
        run = asked[-1].request.run if visit.query.get("run") else ""
        form = visit.form(f"/requests/{visit.name}/papers/write", run)
        runs = [
            (one.request, fates[one.request.run], there.get(one.request.run, ""),
             came_of(self._folder, one) if one.request.state is State.FINISHED else None)
            for one in asked
        ]  # fmt: skip
        title = f"Result and papers: {asked[-1].plan.name}"
        return visit.page("papers.html", title, it=asked[-1], runs=runs, form=form, files=FILES, only=run,
                          others=len(fates) - len(runs), place=place, here="/past")  # fmt: skip

    def write(self, visit: Visit) -> Response:
        """Write and sign those that the page showed, as things stand now."""
        run = visit.take(f"/requests/{visit.name}/papers/write").shown
        self._chosen(visit, run)
        papers.write(self._folder, run or visit.name, datetime.now(UTC), visit.person)
        return RedirectResponse(address(f"/requests/{visit.name}/papers", {"run": run}), 303)

    def _chosen(self, visit: Visit, run: str) -> list[Asked]:
        """Of every run of the plan, or of one. Raises UsageError: there is none."""
        found = papers.asked_for(self._folder, run or _hash(visit.name))
        if any(one.request.hash != _hash(visit.name) for one in found):
            raise HTTPException(404)
        return found

    def file(self, visit: Visit) -> Response:
        """One file of a run's papers: the address says of which run, the query which file."""
        name = visit.query.get("file", "")
        path = SiteHome.at(self._folder).folder / own.FOLDER / file_name(visit.name) / name
        if name not in FILES:
            raise HTTPException(404)
        try:
            data = private.read(path, links=False)
        except OSError:
            raise HTTPException(404) from None
        saved = f'attachment; filename="{path.parent.name[:32]}-{name}"'
        return Response(data, media_type=FILES[name][0], headers={"Content-Disposition": saved})


def _hash(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise HTTPException(404)
    return name
