"""What pages for people cost: lists of 100 requests and of 100 runs, an access log of 10,000 lines; processor time.

The whole answer: guard, session, reading the home, template. Beside each the same page with one request, run or line.
"""

import time
from collections.abc import Iterator

from harness.measure import Row, in_turns, less
from harness.pages import coordinator, owner

TURNS = 5
MANY, LINES = 100, 10_000


def rows() -> Iterator[Row]:
    """The owner's pages, then the coordinator's."""
    with owner(MANY, LINES) as many, owner(1, 1) as one:
        for page, what in (("/", f"{MANY} requests wait"), ("/past", f"{MANY} asked"), ("/log", f"{LINES:,} lines")):
            taken = in_turns(TURNS, lambda: many(page), lambda: one(page), clock=time.process_time)  # noqa: B023
            yield less(f"a page of the owner, {what}", (1e3 * taken[0], 1e3 * taken[1]), "one", "ms")
    with coordinator(MANY, LINES) as many, coordinator(1, 1) as one:
        for page, what in (("/", f"{MANY} runs"), ("/log", f"{LINES:,} lines")):
            taken = in_turns(TURNS, lambda: many(page), lambda: one(page), clock=time.process_time)  # noqa: B023
            yield less(f"a page of the coordinator, {what}", (1e3 * taken[0], 1e3 * taken[1]), "one", "ms")
