"""A notebook as a page: its text, its code, and what its cells showed when it was saved. Nothing is run."""

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGE = "image/png"


@dataclass(frozen=True)
class Notebook:
    """markdown: the page, with a mark in place of each cell's output; shown: these outputs, as HTML."""

    markdown: str
    shown: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        """The notebook in a file of nbformat 4."""
        parts, shown = [f"[This notebook as a file]({path.name})"], list[str]()
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = _text(cell["source"])
            if cell["cell_type"] != "code":
                parts.append(text)
                continue
            parts.append(f"```python\n{text}\n```")
            if found := "".join(map(_html, cell["outputs"])):
                parts.append(_mark(len(shown)))
                shown.append(found)
        # The title comes first, as on every page.
        return cls("\n\n".join([parts[1], parts[0], *parts[2:]]), shown)

    def filled(self, page: str) -> str:
        """The page as HTML, with the outputs in it."""
        for place, found in enumerate(self.shown):
            page = page.replace(_mark(place), f'<div class="shown">{found}</div>')
        return page


def _mark(place: int) -> str:
    return f'<div id="shown-{place}"></div>'


def _html(output: Mapping[str, object]) -> str:
    data = output.get("data")
    if not isinstance(data, Mapping):
        return f"<pre>{html.escape(_text(output['text']))}</pre>"
    if "text/html" in data:
        return _text(data["text/html"])
    if IMAGE in data:
        return f'<img alt="What this cell drew" src="data:{IMAGE};base64,{_text(data[IMAGE]).strip()}">'
    return f"<pre>{html.escape(_text(data['text/plain']))}</pre>"


def _text(source: object) -> str:
    """Lines are a list in some notebooks, one text in others."""
    return source if isinstance(source, str) else "".join(map(str, _lines(source)))


def _lines(source: object) -> Iterator[object]:
    if not isinstance(source, Sequence):
        raise TypeError(f"no lines: {type(source).__name__}")
    return iter(source)
