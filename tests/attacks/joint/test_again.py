"""A round of an intersection that is done again, since some owner was gone at its very end."""

from __future__ import annotations

from potluck.tasks.intersect.halves import Intersected
from potluck.tasks.intersect.kept import keep as put
from potluck.tasks.intersect.kept import kept


def test_who_has_the_result_already_takes_part_once_more(tmp_path):
    found = Intersected(2, ("id",), (("a",), ("b",)), reused=False)
    put(tmp_path, "a run", found)
    put(tmp_path, "a run", Intersected(2, ("id",), (("a",), ("b",)), reused=True))
    path, known = kept(tmp_path, "a run")
    assert path.read_text() == "id\na\nb\n"
    assert (known.size, known.reused) == (2, True)
    assert {one.stat().st_mode & 0o077 for one in path.parent.iterdir()} == {0}
