"""How a run of the coordinator's ended other than well, as its journal keeps it: as words, and to be raised again."""

from typing import Literal

import msgspec

from potluck.core.errors import DataError, GraphError, PlanError, PotluckError, Refused, Unreachable, UsageError
from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.core.visible import visible

_KINDS: dict[str, type[PotluckError]] = {
    one.__name__: one for one in (PlanError, DataError, GraphError, UsageError, Refused, Unreachable)
}


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ended a run. kind: of the error; "bug" of ours; "abort" of a round, whose cause, step and detail stand in
    `what`, `where` and `hint`. party: role and name, of an abort."""

    kind: Literal["PlanError", "DataError", "GraphError", "UsageError", "Refused", "Unreachable", "abort", "bug"]
    what: str
    where: str = ""
    hint: str = ""
    party: tuple[Role, str] | None = None

    @property
    def words(self) -> str:
        """One line, for whoever reads how the run stands."""
        if self.kind == "abort":
            return f"Abort: {self.raised()}"
        if self.kind == "bug":
            return f"bug: {self.what}"
        return str(self.raised())

    def raised(self) -> PotluckError | Abort:
        """The error again. A bug is an error of the program that carried the run out, and said as such."""
        if self.kind == "abort":
            party = Party(*self.party) if self.party else None
            return Abort(Cause(self.what), party=party, step=self.where, detail=self.hint)
        if self.kind == "bug":
            hint = "it is said in its log: report it"
            return PotluckError(f"the run ended in a bug of the server's ({self.what})", hint=hint)
        return _KINDS[self.kind](self.what, where=self.where, hint=self.hint)


def ending(error: Exception) -> Ending:
    """What an error says, to be kept. Of an error that is none of ours only its kind: its words may hold anything."""
    if isinstance(error, Abort):
        party = (error.party.role, error.party.name) if error.party else None
        return Ending("abort", error.cause.value, error.step, visible(error.detail), party)
    for kind, of in _KINDS.items():
        if isinstance(error, of):
            return Ending(kind, error.what, error.where, error.hint)  # type: ignore[arg-type]
    return Ending("bug", type(error).__name__)
