"""Signed heads: a ledger that was put back, forked, lost or rewritten is noticed; a crash is not mistaken for it."""

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump, load
from potluck.dp.account import NEIGHBOURS, Cost, event_of
from potluck.owner.budget import Budget
from potluck.owner.chain import GENESIS, Head
from potluck.owner.evidence import verify_export
from potluck.owner.ledger_heads import Anchor, SignedHead, sign, verify
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from support.examples import examples

FEDERATION = b"f" * 32
COST = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", *event_of(20.0, 1.0, 0.0, False), 1e-6, 1000)
KEY, OTHER = SigningKey(Secret(b"k" * 32)), SigningKey(Secret(b"o" * 32))
HEAD = Head(7, b"h" * 32)
SIGNED = sign(HEAD, "cleveland", FEDERATION, KEY.sign)


def charge(number=1, run="run") -> Record:
    return Record(f"{CHARGE}{run}/{number}", dump(COST))


def rejoin(budget: Budget, run="run") -> None:
    budget.rejoin(run, "a plan", bytes(32), "row", 1e-6, 1.0)


def anchor_in(folder: Path, key=KEY, site="cleveland", federation=FEDERATION) -> Anchor:
    return Anchor(folder / "ledger.head", site, federation, key.public, key.sign)


@pytest.fixture
def home(tmp_path) -> Path:
    """A site's folder whose ledger has three entries."""
    folder = tmp_path / "cleveland"
    folder.mkdir(mode=0o700)
    with Budget(folder / "ledger.sqlite", anchor=anchor_in(folder)) as budget:
        rejoin(budget)
        budget.write(Record("round/run/1", b""))
        budget.write(charge())
    return folder


def opened(home: Path, anchor: Anchor | None = None) -> Budget:
    return Budget(home / "ledger.sqlite", anchor=anchor or anchor_in(home))


def refused(home: Path, anchor: Anchor | None = None) -> Refused:
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    with pytest.raises(Refused) as stop:
        opened(home, anchor)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before, "what is refused is left as it is"
    assert stop.value.hint
    return stop.value


# Signed heads.


def test_control_a_signed_head_verifies_and_travels():
    assert verify(SIGNED, KEY.public, "cleveland", FEDERATION) == HEAD
    assert verify(load(dump(SIGNED), SignedHead), KEY.public, "cleveland", FEDERATION) == HEAD
    genesis = sign(GENESIS, "cleveland", FEDERATION, KEY.sign)
    assert verify(genesis, KEY.public, "cleveland", FEDERATION) == GENESIS


@pytest.mark.parametrize(
    "change",
    [
        {"federation": b"g" * 32},
        {"site": "va"},
        {"seq": 8},
        {"seq": -1},
        {"seq": 1 << 63},
        {"hash": b"i" * 32},
        {"hash": b"h" * 31},
        {"hash": b"h" * 33},
        {"signature": bytes(64)},
        {"signature": SIGNED.signature[:-1]},
        {"signature": KEY.sign(b"another message")},
        {"signature": sign(HEAD, "cleveland", FEDERATION, OTHER.sign).signature},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_a_changed_head_is_refused_in_every_name(change):
    forged = msgspec.structs.replace(SIGNED, **change)
    for site, federation in (("cleveland", FEDERATION), (forged.site, forged.federation)):
        with pytest.raises(Refused):
            verify(forged, KEY.public, site, federation)


def test_a_head_of_another_federation_site_or_key_is_refused():
    for public, site, federation in (
        (KEY.public, "cleveland", b"g" * 32),
        (KEY.public, "va", FEDERATION),
        (OTHER.public, "cleveland", FEDERATION),
        (b"short", "cleveland", FEDERATION),
    ):
        with pytest.raises(Refused):
            verify(SIGNED, public, site, federation)


def test_a_head_is_signed_under_a_tag_of_its_own():
    seen: list[bytes] = []
    sign(HEAD, "cleveland", FEDERATION, lambda message: seen.append(message) or bytes(64))
    assert seen[0].startswith(b"potluck ledger head 1\0")
    sign(HEAD, "a", b"bc", lambda message: seen.append(message) or bytes(64))
    sign(HEAD, "ab", b"c", lambda message: seen.append(message) or bytes(64))
    assert len(set(seen)) == 3


# What the ledger must hold.


def test_every_head_that_was_ever_signed_is_held_and_no_other(home):
    with opened(home) as budget:
        heads = [GENESIS, budget.head()]
        for number in range(2, 6):
            budget.write(Record(f"round/run/{number}", b""))
            heads.append(budget.head())
        for head in heads:
            budget.holds(head)
        for head in heads:
            with pytest.raises(Refused, match="two copies of it were used"):
                budget.holds(replace(head, hash=b"x" * 32))
        with pytest.raises(Refused, match=r"ends at entry 7, and entry 8 .* put back from a copy"):
            budget.holds(Head(8, b"x" * 32))
        with pytest.raises(Refused):
            budget.holds(Head(-1, b"x" * 32))


def test_the_servers_copy_of_a_head_finds_a_whole_folder_that_was_put_back(home, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
        shown = sign(budget.head(), "cleveland", FEDERATION, KEY.sign)
    shutil.rmtree(home)
    copy.rename(home)
    with opened(home) as budget:  # ledger and anchor agree: only who has seen the later head knows
        with pytest.raises(Refused, match="put back from a copy"):
            budget.holds(verify(shown, KEY.public, "cleveland", FEDERATION))
        rejoin(budget)
        budget.write(charge(2))
        budget.write(charge(3))
        with pytest.raises(Refused, match="two copies of it were used"):
            budget.holds(verify(shown, KEY.public, "cleveland", FEDERATION))


# The anchor.


def test_the_anchor_is_the_owners_alone_and_follows_every_change(home):
    anchor = anchor_in(home)
    assert stat.S_IMODE(anchor.path.stat().st_mode) == 0o600
    with opened(home) as budget:
        assert anchor.read() == budget.head()
        for act in (
            lambda: rejoin(budget, "next"),
            lambda: budget.write(Record("round/next/1", b"")),
            lambda: budget.write(charge(1, "next")),
            lambda: budget.finish("next"),
            lambda: budget.settle(),
        ):
            before = budget.head()
            act()
            assert anchor.read() == budget.head() != before
        budget.write(Record("step/1", b"x", again=True))
        kept = anchor.path.stat()
        budget.write(Record("step/1", b"x", again=True))  # nothing new: nothing to do
        assert (anchor.path.stat().st_ino, anchor.path.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert sorted(path.name for path in home.iterdir()) == ["ledger.head", "ledger.sqlite"]


def test_control_a_site_opens_its_ledger_again(home):
    with opened(home) as budget:
        rejoin(budget)
        budget.write(charge(2))


def test_a_ledger_that_was_put_back_is_refused(home):
    old = (home / "ledger.sqlite").read_bytes()
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
    (home / "ledger.sqlite").write_bytes(old)
    assert "ends at entry 3, and entry 4" in refused(home).what
    with Budget(home / "ledger.sqlite") as budget:  # control: without an anchor nobody could tell
        assert budget.head().seq == 3


def test_a_ledger_whose_last_entries_were_cut_away_is_refused(home):
    with sqlite3.connect(home / "ledger.sqlite") as db:
        names = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in names:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM entries WHERE seq = 3")
        for _, sql in names:
            db.execute(sql)
    db.close()
    assert "put back from a copy" in refused(home).what


def test_a_ledger_that_was_written_anew_is_refused(home):
    (home / "ledger.sqlite").unlink()
    with Budget(home / "ledger.sqlite") as budget:
        for number in range(9):
            budget.write(Record(f"round/run/{number}", b""))
    assert "two copies" in refused(home).what


def test_a_missing_ledger_is_refused_and_not_made_anew(home):
    (home / "ledger.sqlite").unlink()
    assert "the ledger is missing, its anchor is there" in refused(home).what
    assert not (home / "ledger.sqlite").exists()


def test_a_missing_anchor_is_refused_until_someone_adopts_the_ledger(home):
    anchor = anchor_in(home)
    anchor.path.unlink()
    assert refused(home).what == "the ledger has 3 entries and its anchor is gone"
    with Budget(home / "ledger.sqlite") as budget:
        anchor.adopt(budget.head())
        with pytest.raises(Refused, match="has an anchor already"):
            anchor.adopt(budget.head())
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
    assert sorted(path.name for path in home.iterdir()) == ["ledger.head", "ledger.sqlite"]


def test_an_anchor_of_another_key_site_or_federation_is_refused(home):
    for anchor in (
        anchor_in(home, key=OTHER),
        anchor_in(home, site="va"),
        anchor_in(home, federation=b"g" * 32),
    ):
        assert "anchor is not this site's" in refused(home, anchor).what


@given(data=st.data())
def test_no_byte_of_an_anchor_can_be_changed(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("anchor")
    anchor = anchor_in(folder)
    anchor.adopt(HEAD)
    anchor.move(Head(8, b"i" * 32))
    raw = bytearray(anchor.path.read_bytes())
    newest = anchor.read()
    assert newest == anchor.known(newest) == Head(8, b"i" * 32)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    anchor.path.write_bytes(raw)
    assert anchor.read() in (HEAD, newest)
    with pytest.raises(Refused, match="anchor is damaged"):  # whichever slot it is
        anchor.known(anchor.read())


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff" * 9, b"[1,2,3,4,5]", b"[" * 5000], ids=range(6))
def test_a_damaged_anchor_is_refused(home, content):
    (home / "ledger.head").write_bytes(content)
    assert "anchor is damaged" in refused(home).what


def test_a_folder_in_the_anchors_place_is_the_users_to_mend(home):
    (home / "ledger.head").unlink()
    (home / "ledger.head").mkdir()
    with pytest.raises(UsageError, match="anchor cannot be used"):
        opened(home)


def test_two_processes_never_put_an_older_head_over_a_newer_one(home):
    with opened(home) as one, opened(home) as two:
        one.write(Record("round/run/8", b""))
        two.write(Record("round/run/9", b""))
        one.write(Record("round/run/8", b"", again=True))
        assert anchor_in(home).read() == one.head() == two.head()


# Kills and full disks.

KILLED = """
import os, signal, sys
from pathlib import Path
from potluck.core.rounds import CHARGE, Record
from potluck.owner import ledger_heads as heads
from potluck.owner.budget import Budget
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey

home, point, value = Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3])
key = SigningKey(Secret(b"k" * 32))
anchor = heads.Anchor(home / "ledger.head", "cleveland", b"f" * 32, key.public, key.sign)
end = lambda: os.kill(os.getpid(), signal.SIGKILL)

class Dying(heads.Anchor):
    def move(self, head):
        if point == "committed": end()
        super().move(head)
        if point == "moved": end()

def dying(name, then):
    real = getattr(os, name)
    def act(*arguments):
        if then == "before": end()
        real(*arguments)
        if then == "after": end()
    setattr(os, name, act)

dead = Dying(anchor.path, anchor.site, anchor.federation, anchor.public, anchor.sign)
with Budget(home / "ledger.sqlite", anchor=dead) as budget:
    budget.rejoin("run", "a plan", bytes(32), "row", 1e-6, 1.0) if point not in ("committed", "moved") else None
    budget._mine.add("run")
    if point == "written": dying("fsync", "before")
    if point == "synced": dying("fsync", "after")
    budget.write(Record(f"{CHARGE}run/2", value))
"""


@pytest.mark.parametrize("point", ["committed", "written", "synced", "moved"])
def test_a_kill_between_ledger_and_anchor_is_no_rollback(home, point):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), point, dump(COST).hex()], capture_output=True, text=True, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    behind = anchor_in(home).read()
    assert behind is not None
    assert behind.seq == (3 if point == "committed" else 4)
    with opened(home) as budget:
        assert budget.head().seq == 4
        assert len(budget._costs("run")) == 2
        assert anchor_in(home).read() == budget.head(), "opening it moves the anchor on"
        rejoin(budget)
        budget.write(charge(3))
    assert sorted(path.name for path in home.iterdir()) == ["ledger.head", "ledger.sqlite"]


def test_entries_that_were_lost_with_the_log_beside_the_ledger_are_missed(home):
    died = [sys.executable, "-c", KILLED, str(home), "moved", dump(COST).hex()]
    subprocess.run(died, capture_output=True, check=False)
    log = home / "ledger.sqlite-wal"
    assert log.stat().st_size > 0
    kept = log.read_bytes()
    log.unlink()
    (home / "ledger.sqlite-shm").unlink()
    with pytest.raises(Refused, match="ends at entry 3, and entry 4"):
        opened(home)
    log.write_bytes(kept)
    with opened(home) as budget:  # control: with it all is there
        assert budget.head().seq == 4
    assert sorted(path.name for path in home.iterdir()) == ["ledger.head", "ledger.sqlite"]


def test_a_write_of_the_anchor_that_a_power_cut_tore_leaves_the_head_before(home):
    anchor = anchor_in(home)
    with opened(home) as budget:
        heads = [budget.head()]
        for number in range(2, 5):
            before = anchor.path.read_bytes()
            budget.write(Record(f"round/run/{number}", b""))
            heads.append(budget.head())
            after = anchor.path.read_bytes()
            changed = [at for at in range(len(after)) if before[at : at + 1] != after[at : at + 1]]
            for cut in range(changed[0] + 1, changed[-1] + 1):
                anchor.path.write_bytes(after[:cut] + before[cut:])
                assert anchor.read() == heads[-2]
            anchor.path.write_bytes(after)
            assert anchor.read() == heads[-1]


DAMAGES = {
    "a byte": lambda raw, at: raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :],
    "zeros": lambda raw, at: raw[:at] + bytes(4096) + raw[at + 4096 :],
    "blanks": lambda raw, at: raw[:at] + b" " * 4095 + b"\n" + raw[at + 4096 :],
    "cut": lambda raw, at: raw[:4096] if at else raw[4096:],
    "longer": lambda raw, at: raw + b"\n",
    "the other twice": lambda raw, at: 2 * raw[4096 - at : 8192 - at],
}


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_slot_does_not_let_a_ledger_be_put_back(home, harm):
    """Of the two heads the newer one is damaged, and the ledger ends at the older one."""
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
    old = (home / "ledger.sqlite").read_bytes()
    with opened(home) as budget:
        budget.write(Record("round/run/3", b""))
    raw = (home / "ledger.head").read_bytes()
    newer = max((0, 4096), key=lambda at: msgspec.json.decode(raw[at : at + 4096])[2])
    (home / "ledger.head").write_bytes(DAMAGES[harm](raw, newer))
    if harm != "the other twice":  # that is an older anchor put back with its ledger, which the server alone can tell
        kept = (home / "ledger.sqlite").read_bytes()
        (home / "ledger.sqlite").write_bytes(old)
        assert refused(home).what in ("the ledger's anchor is damaged", "the ledger ends at entry 4, and entry 5")
        (home / "ledger.sqlite").write_bytes(kept)
    if harm == "longer":
        assert "anchor is damaged" in refused(home).what  # no power cut writes that
        return
    with opened(home) as budget:  # control: as a power cut in that write leaves it, with the ledger that was written
        assert budget.head() == anchor_in(home).read()


def test_new_keys_that_a_power_cut_meets_in_the_next_write_stand(home):
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
        head = budget.head()
    anchor_in(home, key=OTHER).renew(head)
    with opened(home, anchor_in(home, key=OTHER)) as budget:
        before = (home / "ledger.head").read_bytes()
        budget.write(Record("round/run/3", b""))
    after = (home / "ledger.head").read_bytes()
    changed = [at for at in range(8192) if before[at] != after[at]]
    for cut in (changed[0] + 1, changed[len(changed) // 2], changed[-1]):
        (home / "ledger.head").write_bytes(after[:cut] + before[cut:])
        assert anchor_in(home, key=OTHER).read() == head
        with opened(home, anchor_in(home, key=OTHER)) as budget:
            assert budget.head().seq == head.seq + 1


def test_a_change_whose_anchor_was_not_written_is_anchored_by_the_next_call(home, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(home) as budget:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(Abort):
                budget.write(Record("step/1", b"x", again=True))
            with pytest.raises(Abort):
                budget.write(Record("step/1", b"x", again=True))
        budget.write(Record("step/1", b"x", again=True))
        assert anchor_in(home).read() == budget.head()


def test_a_log_whose_ledger_is_gone_is_named(home):
    for name in ("ledger.sqlite", "ledger.head"):
        (home / name).unlink()
    (home / "ledger.sqlite-wal").write_bytes(b"a log")
    assert "the ledger is missing, its log ledger.sqlite-wal is there" in refused(home).what


def test_an_anchor_of_before_there_were_slots_is_read_and_made_anew(home):
    anchor = anchor_in(home)
    known = anchor.read()
    assert known is not None
    anchor.path.write_bytes(msgspec.json.encode(sign(known, anchor.site, anchor.federation, anchor.sign)) + b"\n")
    assert anchor.read() == known
    with opened(home) as budget:
        budget.write(Record("round/run/2", b""))
        assert anchor.read() == budget.head() != known


def test_an_anchor_that_cannot_be_written_lets_nothing_leave_and_forgets_no_charge(home, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(home) as budget:
        rejoin(budget)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(Abort) as stop:
                budget.write(charge(2))
        assert (stop.value.cause, "No space" in stop.value.detail) == (Cause.BUDGET, True)
        assert len(budget._costs("run")) == 2
    with opened(home) as budget:
        rejoin(budget)
        budget.write(charge(3))


def test_a_site_killed_while_its_first_ledger_was_made_starts_as_a_fresh_one(tmp_path):
    Budget(tmp_path / "ledger.sqlite").close()
    with opened(tmp_path) as budget:
        assert anchor_in(tmp_path).read() == budget.head() == GENESIS


# Evidence.


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> tuple[list[bytes], SignedHead]:
    path = tmp_path_factory.mktemp("evidence") / "ledger.sqlite"
    with Budget(path) as budget:
        rejoin(budget)
        budget.write(charge())
        budget.write(Record("round/run/é\n2", b"\0\xff"))
        budget.finish("run")
        head = budget.head()
        budget.write(Record("later", b""))
        return list(budget.export(head)), sign(head, "cleveland", FEDERATION, KEY.sign)


def shown(lines: list[bytes], signed: SignedHead) -> Head:
    return verify_export(lines, signed, KEY.public, "cleveland", FEDERATION)


def test_control_an_export_verifies_from_a_file(evidence, tmp_path):
    lines, signed = evidence
    assert len(lines) == 4
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    (tmp_path / "ledger.jsonl").write_bytes(b"".join(lines))
    with (tmp_path / "ledger.jsonl").open("rb") as file:
        head = verify_export(file, signed, KEY.public, "cleveland", FEDERATION)
    assert (head.seq, head.hash) == (signed.seq, signed.hash)


@settings(max_examples=examples(300))
@given(data=st.data())
def test_no_byte_of_an_export_can_be_changed(evidence, data):
    lines, signed = evidence
    raw = bytearray(b"".join(lines))
    at, new = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 255))
    if raw[at] == new:
        return
    raw[at] = new
    with pytest.raises(Refused):
        shown(bytes(raw).splitlines(keepends=True), signed)


def test_no_line_of_an_export_can_be_removed_added_or_moved(evidence):
    lines, signed = evidence
    for at in range(4):
        with pytest.raises(Refused):
            shown(lines[:at] + lines[at + 1 :], signed)
        with pytest.raises(Refused):
            shown(lines[: at + 1] + lines[at:], signed)
    for wrong in ([], [lines[1], lines[0], *lines[2:]], [*lines, b"\n"], [*lines, b""], [b"".join(lines)], [b"\xff"]):
        with pytest.raises(Refused):
            shown(wrong, signed)


def test_an_export_must_end_at_the_head_that_the_site_signed(evidence, tmp_path):
    lines, signed = evidence
    with pytest.raises(Refused, match="ends at entry 3, the signed head is entry 4"):
        shown(lines[:3], signed)
    with Budget(tmp_path / "forged.sqlite") as budget:  # whole, of the right length, and another one
        for number in range(4):
            budget.write(Record(f"round/{number}", b""))
        forged = list(budget.export(budget.head()))
        with pytest.raises(Refused, match="put back from a copy"):
            list(budget.export(Head(9, bytes(32))))
    with pytest.raises(Refused, match="not the signed one"):
        shown(forged, signed)
    with pytest.raises(Refused, match="not signed by this site's key"):
        verify_export(lines, signed, OTHER.public, "cleveland", FEDERATION)
