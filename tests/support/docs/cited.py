"""Pages and files that the program names."""

import re

from support.code import sources
from support.places import SRC

CITED = re.compile(r"(?<![\w/.])((?:docs|examples)/[\w./-]*\w|[A-Z]{4,}\.md)(?:#[\w-]+)?|potluck docs ([\w/.-]*\w)")


def cited() -> dict[str, str]:
    """Pages and files that the program names, in its messages and its comments, by one of the files that name them."""
    texts = {str(path): text for path, text in sources().items()}
    texts |= {str(path): path.read_text(encoding="utf-8") for end in ("toml", "html") for path in SRC.rglob(f"*.{end}")}
    return {page or name: path for path, text in texts.items() for page, name in CITED.findall(text)}
