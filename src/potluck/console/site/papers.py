"""The papers of a request: which runs of its plan have them, writing and signing them, and taking them along.

To write them changes the home, so it is asked for with a form, and the access log says who did. They are served as
files to keep, never shown as a page of this program: what a plan's author wrote is in them.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from potluck.api.network import papers
from potluck.api.network.holdings import holdings
from potluck.api.network.papers import CHARTER
from potluck.console.shell import Visit
from potluck.core import private
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.report.papers.annex import HTML, JSON, SEAL
from potluck.tasks import own

FILES = {HTML: "text/html", JSON: "application/json", SEAL: "application/toml", CHARTER: "application/toml"}
"""What is taken along, and of what kind it is."""


class Papers:
    """The pages of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, visit: Visit) -> Response:
        """Every run of a plan, with the papers that it has."""
        asked = papers.asked_for(self._folder, _hash(visit.name))
        there = {one.run: one.when for one in holdings(self._folder) if one.papers}
        form = visit.form(f"/requests/{visit.name}/papers/write")
        runs = [(one.request, there.get(one.request.run, "")) for one in asked]
        return visit.page("papers.html", f"Papers: {asked[-1].plan.name}", it=asked[-1], runs=runs, form=form,
                          files=FILES)  # fmt: skip

    def write(self, visit: Visit) -> Response:
        """Write and sign those of every run of the plan, as things stand now."""
        visit.take(f"/requests/{visit.name}/papers/write")
        papers.write(self._folder, _hash(visit.name), datetime.now(UTC), visit.person)
        return RedirectResponse(f"/requests/{visit.name}/papers", 303)

    def file(self, visit: Visit) -> Response:
        """One file of a run's papers: the address says of which run, the query which file."""
        name = visit.query.get("file", "")
        place = SiteHome.at(self._folder).folder / own.FOLDER / file_name(visit.name) / name
        if name not in FILES:
            raise HTTPException(404)
        try:
            data = private.read(place)
        except OSError:
            raise HTTPException(404) from None
        saved = f'attachment; filename="{place.parent.name[:32]}-{name}"'
        return Response(data, media_type=FILES[name], headers={"Content-Disposition": saved})


def _hash(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise HTTPException(404)
    return name
