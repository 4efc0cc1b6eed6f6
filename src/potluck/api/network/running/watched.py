"""Which of the broker's nodes answer, looked at once a minute beside what a process does: with three of them a run goes
on though one is gone, and without a word nobody would see to it before the next one is.

A node's answer is the moment's, and the broker's own word. A broker of one node needs none of this: its connection
says the same.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from potluck.core.errors import PotluckError
from potluck.net.probe import probe
from potluck.net.session import Account

EVERY = 60.0
"""Seconds between two looks."""


@dataclass(slots=True)
class Nodes:
    """accounts: where and with what this party connects now, the first counts; say: words where a node goes or comes
    back. `answers` may be read by any thread: by address, empty where there is one node or none was asked yet."""

    accounts: Callable[[], Account]
    say: Callable[[str], None]
    answers: Mapping[str, bool] = field(default_factory=dict)

    def look(self) -> None:
        """Ask each once. Takes seconds where one does not answer. Raises nothing."""
        with contextlib.suppress(PotluckError):
            account = self.accounts()
            urls = account.url.split(",")
            if len(urls) == 1:
                self.answers = {}
                return
            found = {}
            for number, url in enumerate(urls, 1):
                one = probe(replace(account, url=url))
                found[url] = one.failed in (None, "queues")
                if found[url] != self.answers.get(url, True):
                    why = "it answers again" if found[url] else f"it is of no use now ({one.error and one.error.what})"
                    self.say(f"node {number} of the broker, {url}: {why}")
            self.answers = found


@contextlib.contextmanager
def watched(nodes: Nodes) -> Iterator[Nodes]:
    """It is looked at them until the block ends."""
    over = threading.Event()

    def run() -> None:
        nodes.look()
        while not over.wait(EVERY):
            nodes.look()

    threading.Thread(target=run, name="potluck-nodes", daemon=True).start()
    try:
        yield nodes
    finally:
        over.set()
