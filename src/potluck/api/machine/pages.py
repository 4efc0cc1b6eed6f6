"""The pages as a site, which every wheel holds: where a page is, and copies of the files that go with them.

A page is named as in the repository, `docs/reference/policy.md`; folder and ending may be left out where one page alone
is meant. Nothing is fetched: whatever a page loads lies beside it.
"""

import difflib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import UsageError, unwritable

PLACES = (Path(__file__).parents[2] / "site", Path(__file__).parents[4] / "build" / "site")
"""Of the site: in an installation, and in a checkout after `make docs`."""
FRONT = "README.md"


@dataclass(frozen=True)
class Found:
    """name: as in the repository; path: of the site's file or folder, or of its copy."""

    name: str
    path: Path

    def document(self) -> dict[str, str]:
        """The JSON of `potluck docs`."""
        return {"name": self.name, "file": str(self.path), "address": self.path.as_uri()}


def page(name: str = FRONT) -> Found:
    """A page, a file or a folder of the site. Raises UsageError: the site is not there, or has nothing of that name."""
    site = _site()
    known = {_name(path.relative_to(site)): path for path in site.rglob("*.html") if path.name != "404.html"}
    asked = name.partition("#")[0].strip("/")
    if asked in known:
        return Found(asked, known[asked])
    if _inside(site, site / asked):
        return Found(asked, site / asked)
    short = asked.removesuffix(".md").lower()
    named = [one for one in known if one.lower().removesuffix(".md").endswith(f"/{short}") or _stem(one) == short]
    if len(named) == 1:
        return Found(named[0], known[named[0]])
    if named:
        raise UsageError("is the end of several names", where=name, hint=f"name one: {', '.join(sorted(named))}")
    raise UsageError("is no page or file of the docs", where=name, hint=_near(short, known))


def copied(name: str, to: Path) -> Found:
    """A file or folder that goes with the pages, copied to the new path `to`; of the front page, the whole site.

    Raises UsageError: nothing has that name, it is a page (which shows nothing without the site), or `to` is there or
    cannot be written.
    """
    site = _site()
    whole = name == FRONT
    source = site if whole else site / name.strip("/")
    if not whole and (not _inside(site, source) or source.suffix == ".html"):
        raise UsageError("is no file or folder that can be copied", where=name, hint="examples, or one of its files")
    if to.exists():
        raise UsageError("is there already", where=str(to), hint="name a new file or folder with -o")
    try:
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", *([] if whole else ["*.html"])))
        else:
            shutil.copyfile(source, to)
    except OSError as error:
        raise unwritable(error, to, "name another file or folder with -o") from None
    return Found(name, to.absolute())


def _site() -> Path:
    for place in PLACES:
        if (place / "index.html").is_file():
            return place
    hint = "in a checkout: make docs, or read docs/README.md; an installed wheel has them"
    raise UsageError("the pages are not built here", hint=hint)


def _near(short: str, known: Mapping[str, Path]) -> str:
    """Pages of a like name; else those that speak of it most."""
    names = {_stem(one): one for one in known}
    every = "all pages: potluck docs docs/README.md"
    found = [one for stem, one in names.items() if short in stem] if short else []
    found = found or [names[one] for one in difflib.get_close_matches(short[:100], names, 1, 0.7)]
    if found:
        return f"did you mean {' or '.join(sorted(found)[:5])}? {every}"
    said = {one: _article(path).count(short) for one, path in known.items()} if short else {}
    speak = sorted((one for one, times in said.items() if times), key=lambda one: (-said[one], one))
    return f"{' and '.join(speak[:3])} {'speak' if speak[1:] else 'speaks'} of it; {every}" if speak else every


def _article(path: Path) -> str:
    """A page's own letters, small, without what stands on every page."""
    text = path.read_text(encoding="utf-8")
    return text[max(text.find("<article"), 0) :].lower()


def _inside(site: Path, path: Path) -> bool:
    return path.exists() and path.resolve() != site.resolve() and path.resolve().is_relative_to(site.resolve())


def _name(page: Path) -> str:
    """What the repository calls a page of the site."""
    if page.name == "index.html":
        return (page.parent / "README.md").as_posix()
    name = page.as_posix().removesuffix(".html")
    return name if name.endswith(".ipynb") else f"{name}.md"


def _stem(name: str) -> str:
    return Path(name).stem.lower()
