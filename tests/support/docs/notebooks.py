"""Notebooks, carried out without Jupyter: their cells of code in one namespace, and what each of them shows."""

import ast
import contextlib
import io
import json
from pathlib import Path


def cells(path: Path) -> list[dict[str, object]]:
    """Its cells of code."""
    return [one for one in json.loads(path.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == "code"]


def shown(path: Path) -> list[str]:
    """What each cell prints, and what its last expression comes to: HTML where that has some."""
    space: dict[str, object] = {"__name__": "__main__"}
    return [
        _cell(f"{path.name}, cell {place + 1}", _text(one["source"]), space) for place, one in enumerate(cells(path))
    ]


def _cell(name: str, source: str, space: dict[str, object]) -> str:
    tree, value = ast.parse(source, name), None
    last = tree.body[-1]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if isinstance(last, ast.Expr):
            tree.body.pop()
            exec(compile(tree, name, "exec"), space)
            value = eval(compile(ast.Expression(last.value), name, "eval"), space)
        else:
            exec(compile(tree, name, "exec"), space)
    html = getattr(value, "_repr_html_", None)
    return out.getvalue() + ("" if value is None else html() if html else repr(value))


def _text(source: object) -> str:
    return source if isinstance(source, str) else "".join(map(str, source))  # type: ignore[call-overload]
