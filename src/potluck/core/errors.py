"""What can go wrong, said once: what, where, and what to do.

Every error a user can cause is a `PotluckError` with the exit code that the command line documents.
Messages name columns, line numbers and kinds of error; they never carry a value of a row.
"""

from potluck.core.visible import visible


class PotluckError(Exception):
    """An expected failure: `what` happened, `where`, and a `hint` that says what to do. others: what else is wrong
    with the same file."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        self.others: tuple[PotluckError, ...] = ()
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f". hint: {self.hint}" if self.hint else ""
        return visible(f"{type(self).__name__}: {place}{self.what}{advice}")


class PlanError(PotluckError):
    """The plan cannot be run as written (exit 2)."""

    exit_code = 2


class DataError(PotluckError):
    """A file or a table does not fit the plan (exit 2)."""

    exit_code = 2


class GraphError(PotluckError):
    """A graph cannot be made, or a file of one is not what it has to be (exit 2)."""

    exit_code = 2


class UsageError(PotluckError):
    """A path, a flag or an argument is wrong (exit 2)."""

    exit_code = 2


class Refused(PotluckError):
    """A policy, a budget or a verification said no (exit 3)."""

    exit_code = 3


class Unreachable(PotluckError):
    """The broker or the other parties could not be reached in time (exit 4)."""

    exit_code = 4


def unwritable(error: OSError, where: object, hint: str) -> UsageError:
    """What is said of a file or folder that cannot be written."""
    return UsageError(f"cannot be written ({reason(error)})", where=str(where), hint=hint)


def reason(error: OSError | UnicodeError) -> str:
    """Why a file cannot be read or written, in the system's words, without its path or a byte of it."""
    said = error.strerror if isinstance(error, OSError) else "not UTF-8"
    return said or type(error).__name__


def pip(extra: str) -> str:
    """How what an extra of pyproject.toml brings is installed. An install from a wheel's file has no index that knows
    Potluck, so that the packages themselves are named beside it."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needs = requires("potluck") or []
    except PackageNotFoundError:
        needs = []
    own = [one.split(";")[0].strip() for one in needs if re.search(rf"""extra == ["']{extra}["']""", one)]
    more = f", or, where Potluck came as a file, pip install {' '.join(map(repr, own))}" if own else ""
    return f"pip install 'potluck[{extra}]'{more}"
