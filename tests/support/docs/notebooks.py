"""Notebooks, carried out without Jupyter: their cells of code in one namespace, and what each of them shows."""

import ast
import contextlib
import io
import json
import sys
from pathlib import Path


def cells(path: Path) -> list[dict[str, object]]:
    """Its cells of code."""
    return [one for one in json.loads(path.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == "code"]


def shown(path: Path) -> list[str]:
    """What each cell prints, and what its last expression comes to: HTML where that has some, of a figure its words."""
    space: dict[str, object] = {"__name__": "__main__"}
    try:
        return [
            _cell(f"{path.name}, cell {place + 1}", _text(one["source"]), space)
            for place, one in enumerate(cells(path))
        ]
    finally:
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")


def kept(path: Path) -> list[str]:
    """What the file keeps of each cell: what it printed, and HTML where there is some."""
    return ["".join(_kept(one) for one in cell["outputs"]) for cell in cells(path)]  # type: ignore[attr-defined]


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
    return out.getvalue() + ("" if value is None else _value(value))


def _value(value: object) -> str:
    if hasattr(value, "savefig"):
        from matplotlib.text import Text

        value._repr_png_()  # type: ignore[attr-defined]  # it is drawn to its end
        return "\n".join(one.get_text() for one in value.findobj(Text))  # type: ignore[attr-defined]
    html = getattr(value, "_repr_html_", None)
    return html() if html else repr(value)


def _kept(output: dict[str, object]) -> str:
    data = output.get("data", {})
    found = output.get("text") or data.get("text/html") or data.get("text/plain") or ""  # type: ignore[attr-defined]
    return _text(found)


def _text(source: object) -> str:
    return source if isinstance(source, str) else "".join(map(str, source))  # type: ignore[call-overload]
