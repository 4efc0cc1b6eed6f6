"""The desk decides which letter counts; the half sees verified letters only."""

from functools import partial

import pytest

from potluck.core.desk import Desk
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, Exchange, Label, Parcel, Record, RoundId
from potluck.secret.container import Secret
from potluck.secret.envelope import seal, unseal
from potluck.secret.keys import Roster, SigningKey

A, B, C = site("a"), site("b"), site("c")
ROUND = RoundId("run", 1)
KEYS = {party: SigningKey(Secret(bytes([i]) * 32)) for i, party in enumerate((SERVER, A, B, C))}
ROSTER = Roster({party: key.public for party, key in KEYS.items()})


def letter(sender, to, step, body, number=1, key=None):
    return seal(key or KEYS[sender], b"fed", sender, to, Parcel(Label(RoundId("run", number), step), body))


def desk(half, me=SERVER, ledger=None):
    opener = partial(unseal, ROSTER, b"fed", me)
    return Desk(me, ROUND, half, partial(seal, KEYS[me], b"fed", me), opener, ledger or Volatile())


def collect(at_least=2, expect=(A, B), steps=("x",), read=None):
    seen = []
    for step in steps:
        inbox = yield Exchange(Label(ROUND, step), expect=frozenset(expect), at_least=at_least, read=read)
        seen.append(inbox)
    return seen


def test_the_first_valid_letter_counts_and_the_rest_are_ignored():
    d = desk(collect())
    d.start()
    d.receive(letter(A, SERVER, "x", b"first"))
    d.receive(letter(A, SERVER, "x", b"second"))
    d.receive(letter(B, SERVER, "x", b"b"))
    assert d.result[0].got == {A: b"first", B: b"b"}


def test_a_forgery_is_discarded_and_the_true_letter_still_counts():
    d = desk(collect())
    d.start()
    forged = letter(A, SERVER, "x", b"forged", key=KEYS[C])
    flipped = bytearray(letter(A, SERVER, "x", b"true"))
    flipped[-1] ^= 1
    for bad in (
        forged,
        bytes(flipped),
        b"",
        b"PLK\x02",
        letter(A, B, "x", b"for b"),
        letter(A, SERVER, "x", b"old", 0),
    ):
        assert d.receive(bad) == []
    d.receive(letter(A, SERVER, "x", b"true"))
    d.receive(letter(B, SERVER, "x", b"b"))
    assert d.result[0].got[A] == b"true"


def test_an_early_letter_waits_for_its_step():
    d = desk(collect(steps=("x", "y")))
    d.start()
    for step in ("y", "x"):
        for who in (A, B):
            d.receive(letter(who, SERVER, step, step.encode()))
    assert [inbox.got[A] for inbox in d.result] == [b"x", b"y"]


def add_up(total, step="x", at_least=2):
    """A half that adds up numbers, and holds none of them. One that is no number is not added."""

    def take(sender, body):
        if not body.isdigit():
            raise Abort(Cause.MALFORMED, party=sender)
        total.append(int(body))
        return b"read: " + body

    inbox = yield Exchange(Label(ROUND, step), expect=frozenset((A, B, C)), at_least=at_least, take=take)
    return sum(total), inbox


@pytest.mark.parametrize("early", [True, False])
def test_what_is_taken_in_is_taken_once_from_those_who_count_and_is_not_held(early):
    total, seen = [], []
    d = desk(add_up(total))
    d.on_read = lambda sender, label, body: seen.append((sender, label.step, body))
    letters = [
        letter(A, SERVER, "x", b"1"),
        letter(A, SERVER, "x", b"10"),  # a second word
        letter(B, SERVER, "x", b"many"),
        letter(B, SERVER, "x", b"100"),  # B is gone by then
        letter(C, SERVER, "x", b"1000", key=KEYS[A]),
        letter(C, SERVER, "x", b"10000"),
    ]
    if early:
        d._half.close()
        d = desk(_then(add_up(total)))
        d.on_read = lambda sender, label, body: seen.append((sender, label.step, body))
        letters.append(letter(A, SERVER, "before", b""))
    d.start()
    for one in letters:
        d.receive(one)
    found, inbox = d.result
    assert found == 10001
    assert (inbox.got, inbox.gone) == ({A: b"", C: b""}, {B: Cause.MALFORMED})
    assert sorted(one for one in seen if one[1] == "x") == [(A, "x", b"read: 1"), (C, "x", b"read: 10000")]


def _then(half):
    yield Exchange(Label(ROUND, "before"), expect=frozenset((A,)), at_least=1)
    return (yield from half)


def test_a_sum_that_too_few_gave_to_is_no_sum():
    total = []
    d = desk(add_up(total))
    d.start()
    d.receive(letter(A, SERVER, "x", b"1"))
    d.leave(B, Cause.SILENT)
    d.expire()
    assert d.result is None
    assert d.abort.cause is Cause.TOO_FEW


def test_early_letters_are_bounded():
    d = desk(collect())
    d.start()
    for i in range(1000):
        d.receive(letter(A, SERVER, f"future{i}", b"x" * 100))
    assert len(d._early) <= 8


def test_who_was_declared_gone_is_told_to_stop_and_its_late_letter_does_not_count():
    d = desk(collect(at_least=1, steps=("x", "y")))
    d.start()
    d.receive(letter(A, SERVER, "x", b"a"))
    d.expire()
    (answer,) = d.receive(letter(B, SERVER, "x", b"late"))
    assert (answer.to, answer.label.step) == (B, "stop")
    d.receive(letter(A, SERVER, "y", b"a"))
    d.expire()
    assert d.result[0].gone == {B: Cause.SILENT}
    assert d.result[0].got == {A: b"a"}


def test_too_few_answers_abort_with_the_count_and_the_cause():
    d = desk(collect())
    d.start()
    d.receive(letter(A, SERVER, "x", b"a"))
    d.expire()
    assert d.abort is not None
    assert d.abort.cause is Cause.TOO_FEW
    assert "1 answers where 2 are needed; gone: b: silent" in str(d.abort)


def test_nonsense_from_one_site_is_a_dropout_with_its_cause():
    def read(sender, body):
        if body == b"nonsense":
            raise Abort(Cause.MALFORMED)
        return body

    d = desk(collect(at_least=1, read=read))
    d.start()
    d.receive(letter(A, SERVER, "x", b"nonsense"))
    d.receive(letter(B, SERVER, "x", b"b"))
    assert d.result[0].gone == {A: Cause.MALFORMED}


def test_an_abort_travels_as_cause_and_accused_only():
    def accuse():
        yield Exchange(Label(ROUND, "x"), expect=frozenset({SERVER}), at_least=1)
        raise Abort(Cause.COMMITMENT, party=B, detail="secret detail")

    d = desk(accuse(), me=A)
    d.start()
    (notice,) = d.receive(letter(SERVER, A, "x", b""))
    assert b"secret detail" not in notice.data
    server = desk(collect(at_least=1))
    server.start()
    server.receive(notice.data)
    assert server.notices == [(A, Cause.COMMITMENT, B)]
    server.receive(letter(B, SERVER, "x", b"b"))
    assert server.result[0].gone == {A: Cause.COMMITMENT}


def test_a_record_is_durable_before_anything_leaves_and_a_taken_key_stops_the_half():
    ledger = Volatile()

    def half():
        parcel = Parcel(Label(ROUND, "x"), b"contribution")
        record = Record("charge/run/1", b"cost")
        yield Exchange(Label(ROUND, "x"), send={SERVER: parcel}, record=record, contributes=True)

    assert len(desk(half(), me=A, ledger=ledger).start()) == 1
    again = desk(half(), me=A, ledger=ledger)
    assert again.start() == []
    assert again.abort is not None
    assert again.abort.cause is Cause.REPLAY


def test_a_half_that_charges_and_does_not_say_that_it_contributes_writes_and_sends_nothing():
    ledger = Volatile()

    def half():
        parcel = Parcel(Label(ROUND, "x"), b"contribution")
        yield Exchange(Label(ROUND, "x"), send={SERVER: parcel}, record=Record("charge/run/1", b"cost"))

    with pytest.raises(ValueError, match="x charges, and does not say that it contributes"):
        desk(half(), me=A, ledger=ledger).start()
    ledger.write(Record("charge/run/1", b"cost"))


def test_a_desk_tells_its_driver_what_contributed_whose_sum_it_is_and_by_what_the_missing_stand():
    def half():
        x, y = Label(ROUND, "x"), Label(ROUND, "y")
        yield Exchange(x, expect=frozenset({A, B}), at_least=1, contributes=True)
        send = {A: Parcel(y, b"of A alone")}
        yield Exchange(y, send, frozenset({A}), at_least=1, fixes=frozenset({A}), stands="survivors/")

    server = desk(half())
    server.start()
    assert (server.contributing, server.fixed) == ({Label(ROUND, "x")}, frozenset())
    server.receive(letter(A, SERVER, "x", b"a"))
    server.expire()
    assert (server.contributing, server.fixed) == ({Label(ROUND, "x")}, {A})
    server.expire()
    assert server.abort is not None
    assert (server.abort.cause, server.abort.stands) == (Cause.TOO_FEW, "survivors/")


class Counted(Volatile):
    """How many records each call wrote."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, *records):
        self.calls.append([record.key for record in records])
        super().write(*records)


def put_off(ends):
    yield Exchange(Label(ROUND, "round"), record=Record("round/run/1", b""), later=True)
    yield Exchange(Label(ROUND, "x"), expect=frozenset({SERVER}), at_least=1)
    yield from ends()


def test_a_record_that_may_wait_is_written_with_the_next_one_before_anything_is_sent():
    def recorded_next():
        yield Exchange(Label(ROUND, "y"), record=Record("step/run/1", b""))
        yield Exchange(Label(ROUND, "y"), {SERVER: Parcel(Label(ROUND, "y"), b"")})

    ledger = Counted()
    d = desk(put_off(recorded_next), me=A, ledger=ledger)
    assert (d.start(), ledger.calls) == ([], [])
    assert len(d.receive(letter(SERVER, A, "x", b""))) == 1
    assert ledger.calls == [["round/run/1", "step/run/1"]]


@pytest.mark.parametrize("end", ["sends", "aborts", "breaks", "returns"])
def test_a_record_that_may_wait_is_durable_before_a_letter_leaves_and_however_the_half_ends(end):
    def ends():
        if end == "aborts":
            raise Abort(Cause.TERMS)
        if end == "breaks":
            raise ZeroDivisionError
        if end == "sends":
            yield Exchange(Label(ROUND, "y"), {SERVER: Parcel(Label(ROUND, "y"), b"")})

    ledger = Counted()
    d = desk(put_off(ends), me=A, ledger=ledger)
    d.start()
    if end == "breaks":
        with pytest.raises(ZeroDivisionError):
            d.receive(letter(SERVER, A, "x", b""))
    else:
        d.receive(letter(SERVER, A, "x", b""))
    assert ledger.calls == [["round/run/1"]]
    again = desk(put_off(ends), me=A, ledger=ledger)
    again.start()
    (farewell,) = again.receive(letter(SERVER, A, "x", b""))  # the round was begun before: nothing else leaves
    assert farewell.label.step == "stop"
    assert again.abort.cause is Cause.REPLAY


def test_a_decision_may_be_repeated_but_not_changed():
    ledger = Volatile()
    ledger.write(Record("survivors/1", b"abc", again=True))
    ledger.write(Record("survivors/1", b"abc", again=True))
    try:
        ledger.write(Record("survivors/1", b"abd", again=True))
    except Abort as stop:
        assert stop.cause is Cause.REPLAY
    else:
        raise AssertionError("a second decision was accepted")
