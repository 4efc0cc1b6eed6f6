"""The pages in a real Chromium, over a real server."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one the test is skipped, which fails in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds on a page: (rule, elements) each. It has to have looked at something."""
    found = Axe().run(page, options={"resultTypes": ["violations", "passes"]}).response
    assert len(found["passes"]) > 15
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]


def press(page: Page, *keys: str) -> None:
    """Keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    """What has the focus: its text, or its name."""
    return page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name")


def unfold(page: Page) -> None:
    """Open all that is folded."""
    for fold in page.locator("details").all():
        fold.evaluate("one => one.open = true")


def reach(page: Page, name: str) -> None:
    """Tab until this element has the focus, which must show. name: the first line of its text, or its name."""
    for _ in range(60):
        press(page, "Tab")
        if focused(page).partition("\n")[0] == name:
            look = "getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{look}.outlineStyle + {look}.outlineWidth") == "solid3px"
            return
    raise AssertionError(f"{name} is not reached by Tab")
