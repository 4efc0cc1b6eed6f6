"""How CSV files are written: encoding and separator, which a plan says once for the files of all sites.

Bytes that are no UTF-8 may be of several encodings, which differ in a few letters. It does NOT tell which language a
text is in: of such files it says Western European, and the plan's author looks at the letters.
"""

import codecs
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from potluck.core.errors import DataError, UsageError, reason
from potluck.core.prose import listed
from potluck.core.slices import PIECE
from potluck.learning.data.check import SEPARATORS
from potluck.learning.data.source import NO_LIMITS, opened
from potluck.learning.data.sources.csv_file import CsvFile
from potluck.learning.data.sql.relation import Limits

UTF_8, WINDOWS, LATIN = "utf-8", "cp1252", "latin-1"
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How files of other encodings begin."""
PLAIN = ""
"""ASCII: a file that each of these encodings reads alike, but for UTF-16."""
UNUSED = b"\x81\x8d\x8f\x90\x9d"
"""No letters of Windows, whose others are those of Latin-1 and more."""
ALIKE = "save the files alike: a plan says it once for all"


@dataclass(frozen=True, slots=True)
class Written:
    """separator, encoding: as `data.separator` and `data.encoding` say them."""

    separator: str = ","
    encoding: str = UTF_8

    @property
    def limits(self) -> Limits:
        """How such files are read."""
        return replace(NO_LIMITS, separator=self.separator, encoding=self.encoding)


def written(sources: Mapping[str, object]) -> Written:
    """Of all sites whose rows are CSV files; others do not matter.

    Raises UsageError: they differ; DataError: one cannot be read.
    """
    files = {site: one for site, one in sources.items() if isinstance(opened(one, site), CsvFile)}
    encodings = {site: encoding_of(Path(str(one)), site) for site, one in files.items()}
    # ASCII is read alike in any encoding but UTF-16, and a file of one column has no separator.
    known = {site: one for site, one in encodings.items() if one != PLAIN}
    limits = {site: replace(NO_LIMITS, encoding=one or UTF_8) for site, one in encodings.items()}
    marks = {site: _separator(one, site, limits[site]) for site, one in files.items()}
    ways = {"encoding": known, "separator": {site: one for site, one in marks.items() if one}}
    _alike(ways)
    encoding, separator = (next(iter(one.values()), "") for one in ways.values())
    return Written(separator or ",", encoding or UTF_8)


def encoding_of(path: Path, where: str) -> str:
    """PLAIN, "utf-8", "utf-16", "cp1252" or "latin-1". Raises DataError: the file cannot be read."""
    decoder, plain, unicode, seen = codecs.getincrementaldecoder("utf-8")(), True, True, set[int]()
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            if start in MARKS:
                return MARKS[start]
            if b"\0" in file.read(PIECE):
                hint = "it may be UTF-16 without a mark: save it as UTF-8"
                raise DataError("holds bytes of 0, so it is no text that is known", where=where, hint=hint)
            file.seek(0)
            while unicode and (piece := file.read(PIECE)):
                plain = plain and piece.isascii()
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    unicode = False
            if unicode and not decoder.getstate()[0]:
                return PLAIN if plain else UTF_8
            file.seek(0)
            while piece := file.read(PIECE):
                seen.update(set(piece) & {*UNUSED})
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", where=where, hint="give the paths of your files") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({reason(error)})", where=where) from None
    return LATIN if seen else WINDOWS


def _separator(source: object, where: str, limits: Limits) -> str:
    """The mark that parts the first line into most columns; empty: none does."""
    many = {mark: _parts(source, where, replace(limits, separator=mark)) for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: many[mark])
    return best if many[best] > 1 else ""


def _parts(source: object, where: str, limits: Limits) -> int:
    """Columns of the first line; 0: with this separator it is no CSV, as its quotes stand in the middle of cells."""
    try:
        return len(opened(source, where, limits).names())
    except DataError:
        return 0


def _alike(ways: Mapping[str, Mapping[str, str]]) -> None:
    """Raises UsageError: sites differ, which is said of all ways at once."""
    differ = {what: found for what, found in ways.items() if len(set(found.values())) > 1}
    if not differ:
        return
    said = [
        f"{what} ({', '.join(f'{site} has {one!r}' for site, one in found.items())})" for what, found in differ.items()
    ]
    usual = {what: Counter(found.values()).most_common(1)[0][0] for what, found in ways.items() if found}
    other: dict[str, list[str]] = {}
    for what, found in ways.items():
        for site, one in found.items():
            if one != usual[what]:
                other.setdefault(site, []).append(f"source.{what} = {json.dumps(one)}")
    own = ", ".join(f"{' and '.join(keys)} in the policy of {site}" for site, keys in other.items())
    across = f"across machines {own}: draft from the other files, and add {listed(list(other))} to federation.sites"
    raise UsageError(f"the files differ in their {listed(said)}", hint=f"{across}. Else {ALIKE}")
