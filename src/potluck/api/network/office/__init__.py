"""The office: a coordinator's process that carries out several runs at once, and keeps others in a queue."""

from potluck.api.network.office.office import Office, opened
from potluck.api.network.office.written import Event

__all__ = ["Event", "Office", "opened"]
