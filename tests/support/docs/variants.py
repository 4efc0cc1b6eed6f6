"""Toy variants as the pages on how to add one have them: registered for a while, and forgotten."""

import re
from contextlib import contextmanager

from potluck.api.plan import plan as _rooms  # noqa: F401  fills the tables
from potluck.core.registry import _TABLES
from potluck.tasks.catalog import TASKS
from potluck.tasks.sums.protections import PROTECTIONS
from support.docs.pages import DOCS, FENCE

ADDING = ("statistic", "model", "method", "optimizer", "data-source", "operation", "task", "protection")
PAGES = [page for page in sorted(DOCS.glob("add-a*.md")) if re.sub("^add-an?-", "", page.stem) in ADDING]


@contextmanager
def forgotten():
    """Afterwards the tables hold what they held before."""
    tables = [one.entries for one in (TASKS, PROTECTIONS, *_TABLES.values())]
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, held in zip(tables, before, strict=True):
            table.clear()
            table.update(held)


@contextmanager
def added(what: str):
    """While it lasts, the toy of the page on how to add a `what`: the page's code before its test, run."""
    page = next(page for page in PAGES if page.stem.endswith(what))
    code = page.read_text(encoding="utf-8").partition("## The test it must pass")[0]
    names: dict[str, object] = {"__name__": "__main__"}
    with forgotten():
        for kind, _, body in FENCE.findall(code):
            if kind == "python":
                exec(compile(body, page.name, "exec"), names)
        yield
