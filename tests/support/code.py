"""The program's own files, read and parsed once a process: for tests of how it is written."""

import ast
from functools import cache
from types import MappingProxyType

from support.places import SRC


@cache
def sources() -> MappingProxyType[str, str]:
    """The text of each file, by its path within the package."""
    return MappingProxyType(
        {path.relative_to(SRC).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SRC.rglob("*.py"))}
    )


@cache
def tree(name: str) -> ast.Module:
    """A file as a tree. Callers leave it as it is."""
    return ast.parse(sources()[name])


@cache
def nodes(name: str) -> tuple[ast.AST, ...]:
    """All nodes of a file."""
    return tuple(ast.walk(tree(name)))
