"""Federation files that were in force before, in a home, and the party's own keys of then.

A run ends under the file that it began with: its letters are sealed and opened with the keys of that file, also after
a restart. So file and keys stay as long as such a run is open, at most `MOST` of them and `DAYS`, and go at once where
a later file says that the keys of then may be stolen (`Federation.oldest`). They decide nothing about new runs.
"""

import shutil
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import Party
from potluck.members import charter, files
from potluck.members import keys as keyring
from potluck.members.card import draft, fingerprint, key_mark
from potluck.members.federation import Federation
from potluck.members.keys import Keys

MOST, DAYS = 8, 30
"""Earlier files of a home; days that one stays after another took its place."""
DAY = 86400


@dataclass(frozen=True)
class Earlier:
    """Two folders of a home. me: whose home it is."""

    files: Path
    keys: Path
    me: Party

    def keep(self, file: Path) -> None:
        """The file in force, which another is about to replace, stays beside. Raises UsageError: the disk."""
        if not file.is_file():
            return
        it = charter.read(file)
        files.kept_folder(self.files)
        files.replace(self._place(it), file.read_bytes())
        for path in self._paths()[MOST:]:
            path.unlink(missing_ok=True)

    def all(self) -> tuple[Federation, ...]:
        """Those that can be read, the newest first. One that was damaged is as one that is gone."""
        found = []
        for path in self._paths():
            try:
                found.append(charter.read(path))
            except PotluckError:
                continue
        return tuple(found)

    def under(self, digest: bytes) -> Federation | None:
        """The one of that digest; None: it is not kept here."""
        return next((one for one in self.all() if one.digest == digest), None)

    def held(self, federation: Federation, now: Keys) -> Keys:
        """My keys in an earlier file. now: those in force. Raises Refused: they are gone, or I am not in it."""
        card = federation.cards.get(self.me)
        if card is None:
            raise Refused(f"{self.me} was no member in version {federation.version}", where=str(self.files))
        mark = key_mark(card)
        if fingerprint(draft(self.me, now)) == mark:
            return now
        try:
            found = keyring.load(self.keys / mark)
        except UsageError:
            found = None
        if found is None or fingerprint(draft(self.me, found)) != mark:
            raise Refused(f"our keys of version {federation.version} are gone", where=str(self.keys))
        return found

    def retire(self, old: Path) -> None:
        """Keys that are in force no more: kept where an earlier file lists them, else destroyed."""
        if not old.is_dir():
            return
        try:
            mark = fingerprint(draft(self.me, keyring.load(old)))
        except PotluckError:  # of an attempt that was cut off as it was destroyed
            mark = ""
        if mark and any(self.me in one.cards and key_mark(one.cards[self.me]) == mark for one in self.all()):
            files.kept_folder(self.keys)
            shutil.rmtree(self.keys / mark, ignore_errors=True)
            old.rename(self.keys / mark)
            files.settle(self.keys)
        else:
            shutil.rmtree(old, ignore_errors=True)

    def tidy(self, wanted: Container[bytes], oldest: int, now: float) -> None:
        """Of earlier files only those stay whose digest is wanted, not too old and not below the version `oldest`; and
        of earlier keys those that they list. now: unix seconds."""
        stay = []
        for path in self._paths():
            try:
                one = charter.read(path)
            except PotluckError:
                path.unlink(missing_ok=True)
                continue
            if one.digest in wanted and one.version >= oldest and now - path.stat().st_mtime < DAYS * DAY:
                stay.append(one)
            else:
                path.unlink(missing_ok=True)
        marks = {key_mark(one.cards[self.me]) for one in stay if self.me in one.cards}
        for folder in self.keys.glob("*"):
            if folder.name not in marks:
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, it: Federation) -> Path:
        return self.files / f"{it.version}.toml"

    def _paths(self) -> Sequence[Path]:
        found = [path for path in self.files.glob("*.toml") if path.stem.isdigit()]
        return sorted(found, key=lambda path: int(path.stem), reverse=True)
