"""What an owner that signs and seals as it should, but lies, gets out of a client: an abort that names it, no rows."""

import numpy as np
import pytest
from msgspec.structs import replace

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.he.predict import levels
from potluck.he.predict import owner as predict_owner
from potluck.he.predict import server as predict_server
from potluck.he.predict.circuit import compile
from potluck.he.predict.ckks import Ckks
from potluck.he.predict.messages import Bodies, Greeting, Hello, answer, ask
from potluck.he.predict.protection import Predicting
from potluck.he.sum import parameters
from potluck.he.sum.bfv import Bfv
from support.he.prediction import CLIENT, OWNER, Room, meeting, net, rows
from support.hostile.tampering import altering

SET = levels.TABLE[0]
OFFERS = {
    "a set that is not in the table": {"set": "14 levels, N = 4096"},
    "a start at the last level": {"start": SET.depth},
    "a start beyond": {"start": 63},
    "a feature too few": {"low": bytes(16), "high": bytes(16)},
    "a feature too many": {"low": bytes(32), "high": bytes(32)},
    "lows and highs that do not pair": {"high": bytes(32)},
    "lows that are no whole numbers of bytes": {"low": bytes(23)},
    "highs that are none": {"high": bytes(25)},
}
BATCHES = OFFERS | {
    "another mode": {"mode": "single"},
    "rotations that a batch has not": {"rotations": (1,)},
    "blocks that are too small": {"together": SET.slots - 1},
    "blocks that are too large": {"together": SET.slots + 1},
}
SINGLES = OFFERS | {
    "another mode": {"mode": "batch"},
    "rotations out of order": {"rotations": (2, 1)},
    "a rotation twice": {"rotations": (1, 1)},
    "a rotation by more slots than there are": {"rotations": (SET.slots,)},
    "more rows in a letter than fit": {"together": SET.group(0) + 1},
    "a first layer wider than a ciphertext": {"first_rows": SET.slots + 1},
    "more scores than slots": {"outputs": SET.slots + 1},
}
CASES = [("batch", what, change) for what, change in BATCHES.items()]
CASES += [("single", what, change) for what, change in SINGLES.items()]


@pytest.fixture(scope="module")
def predicting(he_engine):
    made = Predicting()
    yield made
    made.close()


def room(predicting, mode="batch", **more):
    made = net((3, 1), seed=2)
    return Room(predicting, meeting(mode, 5), made, rows(made, 4), **more)


def ended(desks, cause, whom, at=CLIENT):
    assert (desks[at].abort.cause, desks[at].abort.party) == (cause, whom)
    assert desks[CLIENT].result is None


def offering(monkeypatch, change):
    real = predict_owner.offer_of
    monkeypatch.setattr(predict_owner, "offer_of", lambda *about: replace(real(*about), **change))


@pytest.mark.parametrize(("mode", "what", "change"), CASES, ids=[f"{mode}: {what}" for mode, what, _ in CASES])
def test_an_offer_that_cannot_be_is_refused_before_a_key_is_made(predicting, monkeypatch, mode, what, change):
    offering(monkeypatch, change)
    one = room(predicting, mode)
    ended(one.run(), Cause.MALFORMED, OWNER)
    assert {step for step, *_ in one.transcript.bodies} == {ask(0), answer(0)}


@pytest.mark.parametrize("end", [np.nan, -2.0, 2.0])
def test_a_range_that_holds_no_row_is_the_clients_to_refuse(predicting, monkeypatch, end):
    both = np.full(3, end, "<f8").tobytes()
    offering(monkeypatch, {"low": both, "high": both})
    ended(room(predicting).run(), Cause.RANGE, None)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("bodies", [(b"",), (b"x" * 100,), (bytes(SET.ciphertext(1)),) * 2])
def test_an_answer_of_another_number_or_size_is_refused(predicting, monkeypatch, number, bodies):
    """The first answer is empty, the second holds one ciphertext of scores."""
    real = predict_owner.Talk.write

    def write(self, step, said, more=True):
        lies = self.me.party == OWNER and step == answer(number)
        return real(self, step, bodies if lies else said, more)

    monkeypatch.setattr("potluck.he.predict.messages.Talk.write", write)
    ended(room(predicting).run(), Cause.MALFORMED, OWNER)


@pytest.mark.parametrize("number", [2, 3])
def test_an_answer_before_a_block_is_complete_is_refused(predicting, monkeypatch, number):
    """Each of three ciphertexts goes in a letter of its own, and only the last is answered."""
    monkeypatch.setattr(levels, "PART", 1)
    room(predicting).scored()
    real = predict_owner.Talk.write

    def write(self, step, said, more=True):
        lies = self.me.party == OWNER and step == answer(number)
        return real(self, step, (bytes(SET.ciphertext(1)),) if lies else said, more)

    monkeypatch.setattr("potluck.he.predict.messages.Talk.write", write)
    one = room(predicting)
    ended(one.run(), Cause.MALFORMED, OWNER)
    assert {step for step, *_ in one.transcript.bodies} >= {ask(number), answer(number)}
    assert ask(number + 1) not in {step for step, *_ in one.transcript.bodies}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(predicting, monkeypatch, value):
    monkeypatch.setattr(Ckks, "decrypt", lambda self, boxes: np.full((len(boxes), SET.slots), value))
    ended(room(predicting).run(), Cause.RANGE, OWNER)


def test_box_keys_that_are_none_name_who_sent_them(predicting, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("potluck.he.predict.owner.Greeting", lambda box, offer: Greeting(b"\xff" * len(box), offer))
        ended(room(predicting).run(), Cause.KEYS, OWNER)
    with monkeypatch.context() as patch:
        patch.setattr("potluck.he.predict.client.Hello", lambda box, count: Hello(b"\xff" * len(box), count))
        ended(room(predicting).run(), Cause.KEYS, CLIENT, at=OWNER)


def test_an_offer_in_a_box_that_does_not_open_names_the_owner(predicting, monkeypatch):
    monkeypatch.setattr(
        "potluck.he.predict.owner.Greeting",
        lambda box, offer: Greeting(box, offer[:-1] + bytes([offer[-1] ^ 1])),
    )
    ended(room(predicting).run(), Cause.BOX, OWNER)


def test_an_offer_of_another_schema_names_the_owner(predicting, monkeypatch):
    monkeypatch.setattr(predict_owner, "offer_of", lambda *about: Bodies((b"",)))
    ended(room(predicting).run(), Cause.MALFORMED, OWNER)


@pytest.mark.parametrize("letter", [b"", b"\1" * 64, b"\2" + bytes(100), b"\xff" * 100])
def test_what_is_too_short_or_begins_otherwise_is_no_letter_and_names_the_server(predicting, letter):
    lying = altering(lambda seat, to, step, body: letter if step == answer(0) else body)
    ended(room(predicting, play={SERVER: lying}).run(), Cause.MALFORMED, SERVER)


def test_a_client_that_never_ends_is_told_so_by_the_server(predicting, monkeypatch):
    monkeypatch.setattr(predict_server, "MOST", 2)
    ended(room(predicting).run(), Cause.MALFORMED, CLIENT, at=SERVER)


class Liar:
    """A worker that gives back what it was made with, whatever it is asked."""

    generation, pid = 1, 1

    def __init__(self, *bodies):
        self.bodies = bodies

    def start(self):
        pass

    def call(self, op, *buffers, deadline=0.0):
        return self.bodies


@pytest.mark.parametrize("body", [b"", bytes(7), bytes(8 * SET.slots - 8), bytes(8 * SET.slots + 8)])
def test_an_engine_that_gives_another_number_of_anything_is_not_believed(body):
    prediction = Ckks(SET, Liar(body))
    layout = compile(net((3, 1)), "batch", 5).layout
    for asked in (
        lambda: prediction.decrypt([b"x"]),
        lambda: prediction.encrypt(layout, np.zeros((1, SET.slots))),
        lambda: next(prediction.keys(layout)),
        lambda: Bfv(parameters.SMALL, Liar(bytes(8), body)).keygen(bytes(32)),
    ):
        with pytest.raises(Abort) as caught:
            asked()
        assert caught.value.cause is Cause.ENGINE


def test_a_hello_of_another_schema_names_the_client(predicting, monkeypatch):
    monkeypatch.setattr("potluck.he.predict.client.Hello", lambda box, count: Bodies((box,)))
    ended(room(predicting).run(), Cause.MALFORMED, CLIENT, at=OWNER)
