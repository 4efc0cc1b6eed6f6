"""An intersection that was interrupted is of the keys that it began with: other keys need another approval."""

import pytest

from potluck.core.errors import Refused
from potluck.parties.runners.journal import Journal
from potluck.tasks.intersect.site import COMMON
from support.parties.intersect_hall import RUN, WORDS, Hall, enrolled, plan


class Gone(Exception):
    """The server's process, with all that it knew."""


def interrupted(hall, monkeypatch):
    """The round comes to its end at all owners, and the server to its own before it wrote that down."""

    def gone(journal, done):
        raise Gone

    with monkeypatch.context() as patch, hall.attending(*WORDS):
        patch.setattr(Journal, "finished", gone)
        with pytest.raises(Gone):
            hall.intersect(plan(), wait=30.0)


def written(folder, words):
    (folder / "b" / "rows.csv").write_text("id\n" + "".join(f"{word}\n" for word in words))


def test_an_interrupted_intersection_cannot_go_on_with_one_key_changed(tmp_path, monkeypatch):
    hall = Hall(enrolled(tmp_path))
    interrupted(hall, monkeypatch)
    assert COMMON.find(hall.folder / "a", RUN)[1].size == 2
    written(hall.folder, ["eli", "dov", "cem", "ann"])  # whether bea was common would show
    with hall.attending(*WORDS), pytest.raises(Refused, match=r"b cannot carry it out \(rows_changed\)"):
        hall.intersect(plan(), wait=30.0)
    assert any(f"the rows here are not those that run {RUN} of keys began with" in text for text in hall.heard["b"])


def test_control_the_same_keys_in_another_order_go_on(tmp_path, monkeypatch):
    hall = Hall(enrolled(tmp_path))
    interrupted(hall, monkeypatch)
    written(hall.folder, WORDS["b"][::-1])
    with hall.attending(*WORDS):
        hall.intersect(plan(), wait=30.0)
    assert COMMON.find(hall.folder / "a", RUN)[1].size == 2
