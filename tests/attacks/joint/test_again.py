"""A round of an intersection that is done again, since some owner was gone at its very end."""

from potluck.tasks.intersect.site import COMMON, Known


def test_who_has_the_result_already_takes_part_once_more(tmp_path):
    COMMON.keep(tmp_path, "a run", Known(2, reused=False), b"id\na\nb\n")
    COMMON.keep(tmp_path, "a run", Known(2, reused=True), b"id\na\nb\n")
    path, known = COMMON.find(tmp_path, "a run")
    assert path.read_text() == "id\na\nb\n"
    assert (known.size, known.reused) == (2, True)
    assert {one.stat().st_mode & 0o077 for one in path.parent.iterdir()} == {0}
