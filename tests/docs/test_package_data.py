"""What a wheel will hold, asked of the checkout: `test_wheel` asks the wheel itself, which takes long to build."""

import tomllib

import pytest

from potluck.api.machine import pages
from potluck.core.errors import UsageError
from support.docs.cited import cited
from support.docs.pages import PAGES, ROOT
from support.places import SRC


def lacking(patterns: list[str]) -> list[str]:
    """Files of the package that are no Python and that none of these patterns takes along."""
    taken = {path for pattern in patterns for path in SRC.glob(pattern)}
    files = [path for path in SRC.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [str(path) for path in files if path.suffix != ".py" and path not in taken]


@pytest.fixture
def patterns() -> list[str]:
    (found,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "package-data"
    ].values()
    return found


def test_every_file_of_the_package_is_taken_along(patterns):
    assert lacking(patterns) == []
    for pattern in patterns:  # the control: without any of them a file is lacking
        assert lacking([one for one in patterns if one != pattern]), pattern


def test_what_the_program_names_is_there(tmp_path, monkeypatch):
    """In a site of empty files, with the names that the real one has."""
    for path in (path for name in ("docs", "examples") for path in (ROOT / name).rglob("*") if path.is_file()):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.relative_to(ROOT)).touch()
    for page in PAGES:
        name = page.relative_to(ROOT)
        shown = tmp_path / (name.parent / "index.html" if name.name == "README.md" else name.with_suffix(".html"))
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.touch()
    monkeypatch.setattr(pages, "PLACES", (tmp_path,))
    named = cited()
    assert {"docs/concepts/tee.md", "policy", "examples/systemd"} <= set(named)
    for name, path in named.items():
        assert pages.page(name).path.exists(), path
    with pytest.raises(UsageError, match="is no page or file"):  # the control
        pages.page("docs/no-such-page.md")
