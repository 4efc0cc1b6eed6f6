"""A record is bytes that nobody vouches for: what is damaged, missing or made up is an error that names the file."""

import hashlib
import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest

from potluck.api.proof.attack import Attacked, attack
from potluck.audits.record import Letter, Line, Record
from potluck.core.errors import UsageError
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, RoundId
from potluck.core.slices import PIECE
from potluck.core.wire import dump, load
from potluck.drivers.transcript import Transcript
from potluck.tasks.sums.halves import Opening
from support.audits.recorded import changed, seen

LINE = b'{"file":"%b","round":%b,"step":"begin","from":"server","to":"a","bytes":1,"sha256":"' + b"0" * 64 + b'"}\n'
HOSTILE = [b"", b"{}\n", b"\xff\xfe\n", LINE % (b"../plan.toml", b"1"), LINE % (b"000001.bin", b"-1")]


def damaged(run, folder):
    shutil.copytree(run, folder)
    return folder, sorted((folder / "parcels").glob("*.bin"))[5]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "bytes where the index says"),
        (lambda path: path.unlink() or path.symlink_to("/dev/zero"), "bytes where the index says"),
        (lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]), "not those of"),
    ],
)
def test_a_parcel_that_is_gone_longer_or_changed_is_named(one_row, tmp_path, damage, said):
    folder, path = damaged(one_row[0], tmp_path / "run")
    damage(path)
    with pytest.raises(UsageError, match=said) as error:
        [letter.body() for letter in Record.read(folder / "parcels").letters]
    assert error.value.where == str(path)


@pytest.mark.parametrize("name", ["parcels/end.json", "attacks.json", "audits.json", "kept.json", "details.json"])
def test_what_is_no_file_is_not_waited_for(one_row, tmp_path, name):
    """A pipe to which nobody writes, as a folder that somebody packed may hold."""
    folder = tmp_path / "run"
    shutil.copytree(one_row[0], folder)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(UsageError, match=r"it is no file|is no run") as error:
        attack(folder, data=one_row[2], minutes=0.01, resume=folder / "kept.json")
    assert error.value.where in (str(folder / name), str(folder))


@pytest.mark.parametrize("step", ["begin", "clear/input", "opened"])
def test_a_body_longer_than_the_plan_allows_is_not_read(one_row, tmp_path, step):
    """Terabytes of nothing, which take no disk: the index says so too, and neither is believed."""
    folder = tmp_path / "run"
    shutil.copytree(one_row[0], folder)
    index = folder / "parcels" / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    line = next(one for one in lines if one["step"] == step and one["to"] in ("server", "a"))
    os.truncate(folder / "parcels" / line["file"], 1 << 40)
    line["bytes"] = 1 << 40
    index.write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(UsageError, match=r"has 1,099,511,627,776 bytes where such a letter has at most"):
        seen(folder, one_row[1], "server", "a")


def test_a_long_body_is_held_a_piece_at_a_time_where_its_hash_alone_is_asked_for(tmp_path):
    path, long = tmp_path / "000001.bin", 64 * PIECE
    path.write_bytes(b"")
    os.truncate(path, long)
    line = {"file": path.name, "round": 1, "step": "begin", "sender": "server", "to": "a", "bytes": long}
    letter = Letter(Line(**line, sha256=hashlib.sha256(bytes(long)).hexdigest()), path)
    tracemalloc.start()
    letter.checked()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * PIECE
    with pytest.raises(UsageError, match="not those of the index"):
        Letter(Line(**line, sha256="0" * 64), path).checked()


def cut(folder, letters, end=None):
    """The index without its last letters, and another end or none."""
    index = folder / "parcels" / "index.jsonl"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:-letters]))
    if end is not None:
        (folder / "parcels" / "end.json").write_bytes(end)


def test_a_record_that_is_cut_short_is_refused_and_one_without_an_end_is_not_whole(one_row, tmp_path):
    folder, _ = damaged(one_row[0], tmp_path / "run")
    letters = len(Record.read(folder / "parcels").letters)
    assert Record.read(folder / "parcels").whole
    cut(folder, 3)
    with pytest.raises(UsageError, match=f"cut short: it names {letters - 3} letters, and end.json says {letters}"):
        Record.read(folder / "parcels")
    (folder / "parcels" / "end.json").unlink()  # as of a process that was killed
    assert not Record.read(folder / "parcels").whole
    assert "the record has no end" in " ".join(Attacked(("server",), (), True, "", whole=False).warnings())


def test_a_record_that_went_on_after_its_end_is_not_whole(one_row, tmp_path):
    folder, _ = damaged(one_row[0], tmp_path / "run")
    cut(folder, 1, b'{"letters":1}\n')
    assert not Record.read(folder / "parcels").whole


def test_who_begins_again_after_a_kill_counts_the_letters_that_the_index_names(tmp_path):
    label = Label(RoundId("run", 1), "begin")
    Transcript(tmp_path).read(label, SERVER, site("a"), b"one")  # and then it is killed, while it keeps the next
    (tmp_path / "000002.bin").write_bytes(b"tw")
    assert not Record.read(tmp_path).whole
    again = Transcript(tmp_path)
    again.read(label, SERVER, site("b"), b"three")
    again.close()
    record = Record.read(tmp_path)
    assert record.whole
    assert [letter.body() for letter in record.letters] == [b"one", b"three"]


@pytest.mark.parametrize("end", [b"", b"7", b'{"letters":-1}', b'{"letters":1,"more":2}', b"\xff"])
def test_an_end_that_is_none_is_refused(one_row, tmp_path, end):
    folder, _ = damaged(one_row[0], tmp_path / "run")
    cut(folder, 1, end)
    with pytest.raises(UsageError, match="does not say how many letters") as error:
        Record.read(folder / "parcels")
    assert error.value.where.endswith("end.json")


@pytest.mark.parametrize("index", HOSTILE)
def test_an_index_that_is_none_is_refused(tmp_path, index):
    (tmp_path / "index.jsonl").write_bytes(index)
    with pytest.raises(UsageError, match=r"index\.jsonl"):
        Record.read(tmp_path)


def test_a_file_that_stands_twice_is_refused(one_row, tmp_path):
    shutil.copytree(one_row[0], tmp_path / "run")
    index = tmp_path / "run" / "parcels" / "index.jsonl"
    index.write_text(index.read_text() + index.read_text().splitlines()[0] + "\n")
    with pytest.raises(UsageError, match="names no file"):
        Record.read(tmp_path / "run" / "parcels")


@pytest.mark.parametrize("step", ["begin", "clear/input", "opened"])
def test_a_body_of_another_shape_is_named(one_row, tmp_path, step):
    def other(line, body):
        return body[:-1] if line["step"] == step else body

    folder = changed(one_row[0], tmp_path / "run", other)
    with pytest.raises(UsageError, match=r"\d{6}\.bin"):
        seen(folder, one_row[1], "server")


def test_a_record_of_another_plan_is_refused(one_row):
    other = type(one_row[1]).read(one_row[0] / "plan.toml").set("training.rate", 0.2)
    with pytest.raises(UsageError, match="another plan"):
        seen(one_row[0], other, "server")


def test_nobody_has_what_others_read(masked):
    folder, spec, _ = masked
    letters = Record.read(folder / "parcels").seen_by({"a"})
    assert {letter.line.to for letter in letters} == {"a"}
    assert seen(folder, spec, "a").sums == ()
    assert seen(folder, spec, "a").sent == {}
    with pytest.raises(UsageError, match="no party of this plan: z"):
        seen(folder, spec, "server", "z")


def test_a_coalition_takes_away_what_its_members_gave(one_row, masked):
    alone = {next(iter(one.of)): one for one in seen(*one_row[:2], "server").sums if one.round == 1}
    (rest,) = [one for one in seen(*masked[:2], "server", "a").sums if one.round == 1]
    (all_,) = [one for one in seen(*masked[:2], "server").sums if one.round == 1]
    assert set(alone) == {"a", "b", "c"}
    assert rest.of == {"b", "c"}
    assert all_.of == {"a", "b", "c"}
    assert np.array_equal(rest.words, alone["b"].words + alone["c"].words)
    assert np.array_equal(all_.words, sum(one.words for one in alone.values()))


def test_what_is_opened_is_kept_as_it_was_opened(masked):
    lines = (masked[0] / "parcels" / "index.jsonl").read_text().splitlines()
    (line,) = [one for one in map(json.loads, lines) if one["step"] == "opened" and one["round"] == 1]
    body = (masked[0] / "parcels" / line["file"]).read_bytes()
    opened = load(body, Opening)
    assert line["from"] == line["to"] == "server"
    assert opened.givers == ("a", "b", "c")
    assert dump(opened) == body
