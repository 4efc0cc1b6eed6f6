"""How the program is packed: by setuptools, and a wheel has the pages as a site inside, which `potluck docs` opens.

Whoever builds a wheel needs what makes the site (the extra `site`), and pip fetches it. An editable installation
takes its pages from the checkout and needs nothing of it, so `make demo` stays small. Reference: PEP 517, PEP 660.
"""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)
from setuptools.command.build_py import build_py

__all__ = [
    "WithSite",
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]
ROOT = Path(__file__).parents[2]


def get_requires_for_build_wheel(config_settings: Mapping[str, str | list[str] | None] | None = None) -> list[str]:
    """What builds a wheel beside setuptools: what makes the site."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *project["optional-dependencies"]["site"]]


class WithSite(build_py):  # type: ignore[misc]  # setuptools has no types
    """The package's files, and for a wheel the site beside them."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            make(Path(self.build_lib) / "potluck" / "site")


def make(folder: Path) -> None:
    """Build the site into `folder`, in place of what is there. Raises mkdocs' Abort where a page has a broken link."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    shutil.rmtree(folder, ignore_errors=True)
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
