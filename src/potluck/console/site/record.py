"""What holds: what was spent, the members."""

import time
from pathlib import Path

from starlette.responses import Response

from potluck.api.network.ledger import spending
from potluck.api.network.members import federation_show
from potluck.console.shell import Visit
from potluck.members.home import SiteHome
from potluck.owner.scored import words as scored


class Record:
    """The pages of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def budget(self, visit: Visit) -> Response:
        """What was spent, from the verified ledger."""
        found = spending(self._folder)
        return visit.page("budget_page.html", "Budget", it=found, runs=found.runs[::-1], scored=scored(found.scored))

    def members(self, visit: Visit) -> Response:
        """Who belongs to the federation, by the file that is pinned here."""
        found = federation_show(self._folder, time.time())
        days, me = _days(found.federation.expires), SiteHome.at(self._folder).name
        return visit.page("members.html", "Members", it=found.document(), days=days, me=me)


def _days(expires: float) -> int:
    return int((expires - time.time()) // 86400)
