"""A host that lies in a prediction, to its enclave or to the sites: each lie is refused by name."""

import os
from functools import partial

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.learning.models.layers import margins
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from potluck.secret.statement import named
from potluck.secret.stream import digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Keys, Member, report_data
from potluck.tee.attestation.demand import built_in_text, demanded
from potluck.tee.host import program
from potluck.tee.predict import messages as p
from potluck.tee.predict.server import Scoring
from potluck.tee.sum import messages as m
from support.tee import predict_rig as rig
from support.tee.predict_rig import CLIENT, OWNER, Sat, beside, meeting, net, rows, scorer, stopped, telling
from support.tee.rig import NOW, attest, judge
from support.tee.rig import program as watched

OTHER = bytes(range(32))
POLICY = b"\7" * 32
ENDS = (OWNER, CLIENT)


# --- Evidence that is about something else ---


def neither_seals(sat, why):
    """Both ends refuse the evidence, name the server, and neither rows nor model leave."""
    desks = sat.run()
    found = stopped(desks)
    assert set(found) == set(ENDS), found
    for cause, named_, detail in found.values():
        assert (cause, named_) == (Cause.EVIDENCE, SERVER)
        assert why in detail, detail
    assert isinstance(desks[SERVER].abort, Abort)
    assert not rig.sent(sat, p.ROWS)
    assert not rig.sent(sat, p.MODEL)


def bound_to(agreed, **other):
    """Evidence that is bound to something else: what a host with real hardware gets signed for its own report data."""

    def show(go, end, body):
        cause, shown = go(end, body)
        asked, said = load(body, a.Nonce), load(shown, a.Shown)
        parts = {
            "nonce": asked.nonce, "keys": Keys(said.box, said.sign), "workload": judge().workload,
            "round_": agreed, "policy": asked.policy,
        } | other  # fmt: skip
        return [cause, dump(change(said, raw=attest(report_data(**parts)).raw))]

    return show


@pytest.mark.parametrize("part", ["nonce", "workload", "round_", "policy"])
def test_evidence_for_another_nonce_workload_plan_or_policy_is_refused(part):
    sat = Sat()
    sat.enclave = beside(show=bound_to(sat.session(), **{part: OTHER}))
    neither_seals(sat, "report_data_mismatch")


def test_the_same_evidence_bound_rightly_is_believed():
    """The control: the tests above fail for what they say."""
    sat = Sat()
    sat.enclave = beside(show=bound_to(sat.session()))
    assert len(sat.scored().margins) == 7


def test_the_hosts_own_keys_in_place_of_the_enclaves_are_refused():
    mine = BoxKey(Secret(bytes(96)))
    for other in ({"box": mine.public}, {"sign": SigningKey(Secret(bytes(32))).public}):
        play = telling(a.EVIDENCE, lambda body: dump(change(load(body, a.Shown), **other)))  # noqa: B023
        neither_seals(Sat(play=play), "report_data_mismatch")


def test_the_owners_evidence_shown_to_the_client_is_refused():
    shown = []

    def swap(body):
        shown.append(body)
        return shown[0]

    sat = Sat(play=telling(a.EVIDENCE, swap))
    found = stopped(sat.run())
    assert found[CLIENT][:2] == (Cause.EVIDENCE, SERVER)
    assert not rig.sent(sat, p.ROWS)


def test_evidence_of_an_earlier_run_is_refused():
    old = []
    Sat(play=telling(a.EVIDENCE, lambda body: old.append(body) or body)).scored()
    later = iter(old)
    neither_seals(Sat(meeting=meeting(run="later"), play=telling(a.EVIDENCE, lambda _: next(later))), "report_data")


def test_an_enclave_of_other_code_is_refused():
    neither_seals(Sat(enclave=beside(scorer(attest=partial(attest, code=OTHER)))), "measurement_not_allowed")


def test_each_end_judges_under_its_own_policy():
    for one, other in (ENDS, ENDS[::-1]):
        text = built_in_text().replace('mode = "development"', 'mode = "production"')
        sat = Sat(by={one: judge(demanded(text, "policy.toml"))})
        found = stopped(sat.run())
        assert found[one][:2] == (Cause.EVIDENCE, SERVER)
        assert "simulated" in found[one][2]
        assert not rig.sent(sat, {OWNER: p.MODEL, CLIENT: p.ROWS}[one])
        assert found.get(other, (None,))[0] is not Cause.EVIDENCE


def test_evidence_that_is_too_old_is_refused():
    text = built_in_text().replace("[simulated]", "max_evidence_age_s = 60\n[simulated]")
    by = dict.fromkeys(ENDS, judge(demanded(text, "p")))
    neither_seals(Sat(enclave=beside(scorer(attest=partial(attest, now=NOW - 61))), by=by), "evidence_too_old")


def test_a_client_or_an_owner_of_the_hosts_own_is_another_prediction():
    """The host names itself in one end's place: it would read scores of a real model, or rows by a model of its own."""
    for end in ("owner", "client"):

        def begin(go, body, end=end):
            agreed = load(body, p.Agreed)
            me = change(getattr(agreed, end), key=SigningKey(Secret(bytes(32))).public)
            return go(dump(change(agreed, **{end: me})))

        sat = Sat(enclave=beside(begin=begin))
        desks = sat.run()
        assert desks[SERVER].abort.cause is Cause.SIGNATURE
        assert not rig.sent(sat, p.ROWS)
        assert not rig.sent(sat, p.MODEL)


def test_more_rows_told_to_the_enclave_is_another_prediction():
    sat = Sat(enclave=beside(begin=lambda go, body: go(dump(change(load(body, p.Agreed), rows=10**6)))))
    assert sat.run()[SERVER].abort.cause is Cause.SIGNATURE
    assert not rig.sent(sat, p.MODEL)


def test_a_client_with_another_plan_meets_nobody():
    sat = Sat(theirs=meeting(rows=51))
    desks = sat.run()
    assert (desks[SERVER].abort.cause, desks[SERVER].abort.party) == (Cause.SIGNATURE, CLIENT)
    assert not rig.sent(sat, p.ROWS)


# --- What the owner is told of the client's rows ---


def counted(hook):
    return telling(p.COUNTED, lambda body: dump(hook(load(body, p.Counted))))


def no_model_leaves(sat, cause, named_=SERVER):
    desks = sat.run()
    assert stopped(desks)[OWNER][:2] == (cause, named_), stopped(desks)
    assert not rig.sent(sat, p.MODEL)
    return stopped(desks)[OWNER][2]


@pytest.mark.parametrize(
    "lie", [{"rows": 1}, {"rows": 6}, {"hash": OTHER}, {"client": bytes(64)}, {"enclave": bytes(64)}]
)
def test_a_count_that_enclave_and_client_did_not_both_sign_is_refused(lie):
    no_model_leaves(Sat(play=counted(lambda said: change(said, **lie))), Cause.SIGNATURE)


def test_a_count_that_the_host_signed_itself_is_refused():
    def forged(said):
        statement = p.counted_statement(sat.session(), sat.enclave._worker.inside.keys.sign, said.hash, 1)
        return change(said, rows=1, enclave=SigningKey(Secret(bytes(32))).sign(statement))

    sat = Sat(play=counted(forged))
    assert "enclave did not sign" in no_model_leaves(sat, Cause.SIGNATURE)


def test_a_count_of_an_earlier_run_is_refused():
    old = []
    enclave = beside()
    Sat(enclave=enclave, play=telling(p.COUNTED, lambda body: old.append(body) or body)).scored()
    no_model_leaves(
        Sat(enclave=enclave, meeting=meeting(run="later"), play=telling(p.COUNTED, lambda _: old[0])), Cause.SIGNATURE
    )


def test_a_broken_enclave_that_lets_in_more_rows_than_agreed_is_refused_by_the_owner(monkeypatch):
    """Both bounds hold by themselves: here the enclave's is taken away, and the client helps."""

    def lax(go, body):
        inside = sat.enclave._worker.inside
        inside._now.agreed = change(inside._now.agreed, rows=1000)
        return go(body)

    monkeypatch.setattr("potluck.tee.predict.client.check_features", lambda *_: None)
    sat = Sat(features=rows(60), enclave=beside(rows=lax))
    assert "60 rows, 50 are allowed" in no_model_leaves(sat, Cause.REFUSED, CLIENT)


# --- What the client is told of its scores ---


def output(hook):
    return telling(p.SCORES, lambda body: dump(hook(load(body, p.Output))))


def no_scores(sat, cause=Cause.SIGNATURE):
    desks = sat.run()
    assert desks[CLIENT].result is None
    assert stopped(desks)[CLIENT][:2] == (cause, SERVER), stopped(desks)


@pytest.mark.parametrize(
    "lie", [{"model": OTHER}, {"owner": bytes(64)}, {"enclave": bytes(64)}, {"sealed": b"x" * 2000}]
)
def test_scores_that_enclave_and_owner_did_not_both_sign_are_refused(lie):
    no_scores(Sat(play=output(lambda said: change(said, **lie))))


def test_scores_of_the_hosts_own_are_refused():
    """It knows the client's signed parcel and the owner's, not the key in the one: it cannot even seal to it."""
    mine = BoxKey(Secret(bytes(96)))
    told = dump(p.Margins(1, 0.0, np.ones(7).tobytes()))
    no_scores(Sat(play=output(lambda said: change(said, sealed=PublicBoxKey(mine.public).seal(told, b"")))))


def test_scores_of_another_run_or_of_another_client_are_refused():
    old = []
    enclave = beside()
    Sat(enclave=enclave, play=telling(p.SCORES, lambda body: old.append(body) or body)).scored()
    for other in (meeting(run="later"), meeting(number=2), meeting(number=3, digest=OTHER)):
        no_scores(Sat(enclave=enclave, meeting=other, play=telling(p.SCORES, lambda _: old[0])))


# --- What the enclave is handed ---


class Ends:
    """Both ends and one host in front of a room, a step at a time."""

    def __init__(self, inside=None, most=50, run="run", number=1):
        self.keys = {"owner": SigningKey(Secret(b"\1" * 32)), "client": SigningKey(Secret(b"\2" * 32))}
        self.names = {"owner": named(OWNER), "client": named(CLIENT)}
        members = {end: Member(self.names[end], key.public) for end, key in self.keys.items()}
        self.agreed = p.Agreed(run, number, b"d" * 32, members["owner"], members["client"], most)
        self.session = p.session(self.agreed)
        self.room = inside or scorer()
        self.box = BoxKey(Secret(b"\3" * 96))
        self.shown = {}

    def begin(self):
        self.room.begin(dump(self.agreed))
        return self

    def nonce(self, end, by=None, agreed=None):
        nonce = digest(end.encode())
        statement = a.nonce_statement(agreed or self.session, self.names[end], nonce, POLICY)
        return dump(a.Nonce(nonce, POLICY, self.keys[by or end].sign(statement)))

    def show(self, *ends):
        for end in ends or self.keys:
            self.shown[end] = load(self.room.show(end.encode(), self.nonce(end)), a.Shown)
        return self

    @property
    def sign(self):
        return self.room.keys.sign

    def rows(self, features=None, by="client", agreed=None, sign=None, evidence="client", **said):
        features = rows(7) if features is None else features
        column = p.Column("features", "float64", features.shape[1:], features.tobytes())
        made = {"box": self.box.public, "rows": len(features), "columns": (column,)}
        seen = a.evidence_hash(self.shown[evidence])
        agreed, sign = agreed or self.session, sign or self.sign
        sealed = PublicBoxKey(self.room.keys.box).seal(dump(p.Rows(**made | said)), p.rows_info(agreed, seen, POLICY))
        signature = self.keys[by].sign(p.rows_statement(agreed, sign, digest(sealed)))
        return p.Handed(seen, POLICY, m.Input(sealed, signature))

    def model(self, asked, made=None, count=7, by="owner", activation=None, layers=None, bound=None, forest=None):
        """asked: the client's parcel over whose hash the owner signs; bound: another hash in what it seals under;
        forest: in place of layers."""
        made = made or net()
        hashed, seen = digest(asked.input.sealed), a.evidence_hash(self.shown["owner"])
        if layers is None:
            layers = tuple(p.Layer(w.shape[1], w.shape[0], w.tobytes(), b.tobytes()) for w, b in parts(made))
        layered = p.Layers(made.activation if activation is None else activation, layers)
        said = p.Weights(count, forest or layered)
        info = p.model_info(self.session, seen, POLICY, bound or hashed)
        sealed = PublicBoxKey(self.room.keys.box).seal(dump(said), info)
        signature = self.keys[by].sign(p.model_statement(self.session, self.sign, hashed, digest(sealed)))
        return p.Handed(seen, POLICY, m.Input(sealed, signature))

    def read(self, body, asked):
        said = load(body, p.Output)
        info = p.scores_info(self.session, self.sign, digest(asked.input.sealed), said.model)
        return np.frombuffer(load(self.box.unseal(said.sealed, info), p.Margins).values)


def parts(made):
    return [(one.weights, one.bias) for one in made.layers]


def refused(cause, go, *args):
    with pytest.raises(Abort) as stop:
        go(*args)
    assert stop.value.cause is cause, stop.value
    return stop.value


def ready(*seed, **how):
    ends = Ends(scorer(*seed), **how).begin().show()
    asked = ends.rows()
    ends.room.rows(dump(asked))
    return ends, asked


def test_the_honest_ends_are_served():
    """The control of all that follows."""
    ends, asked = ready()
    body = ends.room.score(dump(ends.model(asked)))
    (layer,) = net().layers
    plain = margins(np.append(layer.bias, layer.weights[0]), rows(7))
    assert ends.read(body, asked).tobytes() == plain.tobytes()


def test_swapped_parcels_are_refused():
    ends, asked = ready()
    model = ends.model(asked)
    fresh = Ends().begin().show()
    refused(Cause.SIGNATURE, fresh.room.rows, dump(model))
    refused(Cause.SIGNATURE, ends.room.score, dump(asked))
    ends.room.score(dump(model))


def test_a_parcel_in_anothers_name_is_refused():
    ends = Ends().begin().show()
    refused(Cause.SIGNATURE, ends.room.rows, dump(ends.rows(by="owner")))
    asked = ends.rows()
    ends.room.rows(dump(asked))
    refused(Cause.SIGNATURE, ends.room.score, dump(ends.model(asked, by="client")))
    ends.room.score(dump(ends.model(asked)))


def test_a_parcel_of_an_earlier_run_or_round_is_refused():
    inside = scorer()
    old = Ends(inside).begin().show()
    asked = old.rows()
    inside.rows(dump(asked))
    model = old.model(asked)
    inside.score(dump(model))
    for how in ({"run": "later"}, {"number": 2}):
        new = Ends(inside, **how).begin().show()
        refused(Cause.SIGNATURE, inside.rows, dump(asked))
        inside.rows(dump(new.rows()))
        refused(Cause.SIGNATURE, inside.score, dump(model))


def test_a_parcel_for_another_enclave_is_refused():
    ends = Ends().begin().show()
    refused(Cause.SIGNATURE, ends.room.rows, dump(ends.rows(sign=scorer("other").keys.sign)))


def test_a_parcel_under_evidence_that_was_not_shown_is_refused():
    ends = Ends().begin().show()
    for wrong in (change(ends.rows(), evidence=OTHER), change(ends.rows(), policy=OTHER), ends.rows(evidence="owner")):
        refused(Cause.EVIDENCE, ends.room.rows, dump(wrong))
    unshown = Ends().begin().show("client")
    asked = unshown.rows()
    unshown.room.rows(dump(asked))
    unshown.shown["owner"] = ends.shown["owner"]
    refused(Cause.EVIDENCE, unshown.room.score, dump(unshown.model(asked)))


def test_a_sealed_parcel_that_was_changed_is_refused():
    ends = Ends().begin().show()
    asked = ends.rows()
    flipped = asked.input.sealed[:-1] + bytes([asked.input.sealed[-1] ^ 1])
    refused(Cause.SIGNATURE, ends.room.rows, dump(change(asked, input=change(asked.input, sealed=flipped))))
    signature = ends.keys["client"].sign(p.rows_statement(ends.session, ends.sign, digest(flipped)))
    refused(Cause.BOX, ends.room.rows, dump(change(asked, input=m.Input(flipped, signature))))


def test_each_end_has_one_parcel_and_the_scores_come_once():
    ends, asked = ready()
    assert "one parcel of rows" in str(refused(Cause.REPLAY, ends.room.rows, dump(asked)))
    refused(Cause.REPLAY, ends.room.rows, dump(ends.rows(rows(3))))
    model = dump(ends.model(asked))
    ends.room.score(model)
    for go, *args in ((ends.room.score, model), (ends.room.rows, dump(asked)), (ends.room.show, b"owner", b"")):
        refused(Cause.REPLAY, go, *args)
    refused(Cause.REPLAY, ends.room.begin, dump(ends.agreed))


def test_the_model_comes_after_the_rows():
    ends = Ends().begin().show()
    assert "no rows are here" in str(refused(Cause.REPLAY, ends.room.score, dump(ends.model(ends.rows()))))


def test_each_end_is_shown_evidence_once_and_for_its_own_nonce():
    ends = Ends().begin()
    refused(Cause.SIGNATURE, ends.room.show, b"owner", ends.nonce("owner", by="client"))
    refused(Cause.SIGNATURE, ends.room.show, b"owner", ends.nonce("client"))
    refused(Cause.SIGNATURE, ends.room.show, b"owner", ends.nonce("owner", agreed=OTHER))
    refused(Cause.MALFORMED, ends.room.show, b"host", ends.nonce("owner"))
    ends.show()
    refused(Cause.REPLAY, ends.room.show, b"owner", ends.nonce("owner"))


def test_more_rows_than_agreed_are_refused_by_the_enclave_and_name_the_number():
    ends = Ends(most=7).begin().show()
    error = refused(Cause.REFUSED, ends.room.rows, dump(ends.rows(rows(8))))
    assert "8 rows, 7 are allowed" in str(error)
    ends.room.rows(dump(ends.rows(rows(7))))


@pytest.mark.parametrize("count", [1, 6, 8, 50])
def test_a_model_for_another_number_of_rows_than_came_is_refused(count):
    """The owner has written that number down: neither more nor fewer rows are scored."""
    ends, asked = ready()
    refused(Cause.TERMS, ends.room.score, dump(ends.model(asked, count=count)))


def test_a_model_sealed_for_other_rows_does_not_open():
    ends, asked = ready()
    refused(Cause.BOX, ends.room.score, dump(ends.model(asked, bound=OTHER)))


TABLE = p.Column("features", "float64", (5,), rows(7).tobytes())


def test_rows_that_are_no_numbers_or_no_rows_are_refused():
    bad = rows(7)
    bad[2, 2] = np.nan
    for cause, how in (
        (Cause.RANGE, {"features": bad}),
        (Cause.RANGE, {"features": rows(7) * 40}),
        (Cause.MALFORMED, {"rows": 8}),
        (Cause.MALFORMED, {"columns": (change(TABLE, shape=(2**31 - 1,)),)}),
        (Cause.MALFORMED, {"columns": (change(TABLE, shape=(2**31 - 1,) * 8),)}),
        (Cause.MALFORMED, {"columns": (change(TABLE, values=b"123"),)}),
        (Cause.MALFORMED, {"columns": (change(TABLE, name="image"),)}),
        (Cause.MALFORMED, {"columns": (change(TABLE, kind="float32", values=bytes(7 * 5 * 4)),)}),
        (Cause.MALFORMED, {"columns": (change(TABLE, shape=(5, 1)),)}),
        (Cause.MALFORMED, {"columns": (TABLE, TABLE)}),
        (Cause.MALFORMED, {"columns": ()}),
        (Cause.KEYS, {"box": bytes(1216)}),
    ):
        ends = Ends().begin().show()
        refused(cause, ends.room.rows, dump(ends.rows(**how)))


def test_a_model_that_is_none_is_refused():
    good = p.Layer(5, 1, bytes(40), bytes(8))
    nan = np.full(5, np.nan).tobytes()
    for cause, how in (
        (Cause.MALFORMED, {"layers": (change(good, inputs=6),)}),
        (Cause.MALFORMED, {"layers": (change(good, weights=bytes(32)),)}),
        (Cause.MALFORMED, {"layers": (change(good, bias=b""),)}),
        (Cause.MALFORMED, {"layers": (good, good), "activation": "relu"}),
        (Cause.MALFORMED, {"layers": (good, p.Layer(1, 1, bytes(8), bytes(8)))}),
        (Cause.MALFORMED, {"activation": "tanh"}),
        (Cause.MALFORMED, {"activation": "gelu"}),
        (Cause.MALFORMED, {"layers": ()}),
        (Cause.RANGE, {"layers": (change(good, weights=nan),)}),
        (Cause.RANGE, {"layers": (change(good, bias=np.array([np.inf]).tobytes()),)}),
    ):
        ends, asked = ready()
        refused(cause, ends.room.score, dump(ends.model(asked, **how)))


def test_trees_that_are_none_are_refused():
    """By what is in the owner's parcel alone: the control is scored."""

    def places(*values):
        return np.array(values, "<i8").tobytes()

    def numbers(*values):
        return np.array(values, "<f8").tobytes()

    good = p.Tree(places(0), numbers(0.5), b"\1", numbers(1.0, 2.0))
    whole = p.Forest(0.0, 1, places(4, -1, -1, -1, -1), (good,))
    ends, asked = ready()
    assert ends.read(ends.room.score(dump(ends.model(asked, forest=whole))), asked).shape == (7,)
    wide = p.Tree(places(0, 0), numbers(0, 0), b"\0\0", numbers(1, 2, 3))
    nan, inf = float("nan"), float("inf")
    for cause, how in (
        (Cause.MALFORMED, {"outputs": 2}),
        (Cause.MALFORMED, {"outputs": 0}),
        (Cause.MALFORMED, {"trees": ()}),
        (Cause.MALFORMED, {"flags": places(4, -1, -1, -1)}),
        (Cause.MALFORMED, {"flags": places(5, -1, -1, -1, -1)}),
        (Cause.MALFORMED, {"flags": places(-2, -1, -1, -1, -1)}),
        *(
            (cause, {"trees": (one,)})
            for cause, one in (
                (Cause.MALFORMED, wide),
                (Cause.MALFORMED, p.Tree(b"", b"", b"", numbers(1.0))),
                (Cause.MALFORMED, change(good, features=places(5))),
                (Cause.MALFORMED, change(good, features=places(-1))),
                (Cause.MALFORMED, change(good, left=b"\2")),
                (Cause.MALFORMED, change(good, cuts=b"")),
                (Cause.MALFORMED, change(good, leaves=numbers(1.0))),
                (Cause.RANGE, change(good, cuts=numbers(nan))),
                (Cause.RANGE, change(good, leaves=numbers(1.0, inf))),
            )
        ),
        (Cause.RANGE, {"first": nan}),
    ):
        ends, asked = ready()
        refused(cause, ends.room.score, dump(ends.model(asked, forest=change(whole, **how))))


def test_one_party_at_both_ends_is_no_prediction():
    ends = Ends()
    for same in ({"client": ends.agreed.owner}, {"client": change(ends.agreed.client, key=ends.agreed.owner.key)}):
        refused(Cause.TERMS, ends.room.begin, dump(change(ends.agreed, **same)))


@pytest.mark.parametrize("op", ["begin", "rows", "score"])
@pytest.mark.parametrize("body", [b"", b"\x00", b"\xc1" * 40, b"\x97" + b"\xff" * 60])
def test_bytes_that_are_no_message_are_refused_and_the_prediction_goes_on(op, body):
    ends, asked = ready()
    refused(Cause.MALFORMED, getattr(ends.room, op), body)
    ends.room.score(dump(ends.model(asked)))


# --- Put back, started again, asked twice ---


def test_an_enclave_that_was_put_back_scores_the_same_rows_and_no_others():
    """A snapshot, restored at will, with the client's help: it signs as many parcels as the host likes."""
    ends, asked = ready("boot")
    model = ends.model(asked)
    first = ends.read(ends.room.score(dump(model)), asked)
    for other in (rows(7, seed=1), rows(7, seed=2)):
        again = Ends(scorer("boot")).begin().show()
        assert again.sign == ends.sign
        again.room.rows(dump(again.rows(other)))
        refused(Cause.SIGNATURE, again.room.score, dump(model))
    same = Ends(scorer("boot")).begin().show()
    same.room.rows(dump(asked))
    assert ends.read(same.room.score(dump(model)), asked).tobytes() == first.tobytes()


def test_a_second_answer_in_a_run_is_refused_by_the_owner_whatever_the_enclave():
    """As the driver has it: the record's key is the run's, whatever the round's number."""
    from potluck.core.rounds import Record

    class ByRun(Volatile):
        def write(self, record):
            super().write(Record(record.key.rsplit("/", 1)[0], record.value))

    ledgers = {OWNER: ByRun()}
    Sat(ledgers=ledgers).scored()
    for enclave in (beside(), beside(scorer("another boot"))):
        again = Sat(ledgers=ledgers, enclave=enclave, meeting=meeting(number=2))
        assert stopped(again.run())[OWNER][0] is Cause.REPLAY
        assert not rig.sent(again, p.MODEL)
    assert len(Sat(ledgers=ledgers, meeting=meeting(run="later")).scored().margins) == 7


@pytest.mark.parametrize(
    "step", [p.MODEL, *(pytest.param(step, marks=pytest.mark.slow) for step in (a.EVIDENCE, p.ROWS, p.COUNTED))]
)
def test_an_enclave_that_dies_midway_ends_the_round_by_name(step):
    enclave = Scoring(program("simulated"))
    killed = []

    def carry(letter):
        if letter.label.step == step and not killed:
            killed.append(enclave._worker.pid)
            os.kill(killed[0], 9)
            enclave._worker._process.wait(10)
        return (letter,)

    sat = Sat(enclave=enclave, carry=carry)
    try:
        desks = sat.run()
        assert desks[CLIENT].result is None
        assert desks[SERVER].abort.cause is Cause.ENGINE
        assert len(Sat(enclave=enclave, meeting=meeting(run="later")).scored().margins) == 7
    finally:
        enclave.close()


def test_an_enclave_exchanged_midway_has_other_keys_and_gets_nothing():
    """The host starts another one after the client has sealed, and hands it what the first was given."""
    inside = scorer("second")
    sat = Sat()

    def moved(go, body):
        inside.begin(dump(agreed_of(sat)))
        try:
            inside.rows(body)
        except Abort as abort:
            return [abort.cause.value.encode(), b""]
        raise AssertionError("it took a parcel for another enclave")

    sat.enclave = beside(scorer("first"), rows=moved)
    desks = sat.run()
    assert desks[SERVER].abort.cause is Cause.SIGNATURE
    assert not rig.sent(sat, p.MODEL)


def agreed_of(sat):
    from potluck.tee.predict.server import agreed_by

    return agreed_by(sat.meeting, sat.memory().seat(SERVER))


# --- What the host sees ---


def test_the_host_carries_sealed_bytes_alone():
    made, features = net((12, 6, 3), "tanh"), rows(20, 12)
    letters = []
    sat = Sat(made, features, carry=lambda letter: letters.append(letter.data) or (letter,))
    found = sat.scored()
    talked = [buffer for _, buffers in sat.enclave._worker.asked for buffer in buffers]
    seen = b"".join([*letters, *(body for *_, body in sat.transcript.bodies), *talked])
    numbers = [*features.ravel(), *found.margins.ravel()]
    for weights, bias in parts(made):
        numbers += [*weights.ravel(), *bias]
    assert len(numbers) == 240 + 60 + 72 + 6 + 18 + 3
    assert not [one for one in numbers if np.float64(one).tobytes() in seen]
    assert {step for step, _, to, _ in sat.transcript.bodies if to == SERVER} == {a.NONCE, p.ROWS, p.MODEL}


def test_neither_end_is_sent_what_is_the_others():
    made, features = net((12, 6, 3), "relu"), rows(20, 12)
    sat = Sat(made, features)
    sat.scored()
    got = {to: {step for step, _, who, _ in sat.transcript.bodies if who == to} for to in ENDS}
    assert got == {OWNER: {a.EVIDENCE, p.COUNTED}, CLIENT: {a.EVIDENCE, p.SCORES}}


def test_how_large_a_letter_is_depends_on_shapes_alone():
    """Not on values: a row of zeros and a row of noise are sealed to as many bytes."""
    sizes = []
    for features in (np.zeros((7, 5)), rows(7)):
        sat = Sat(features=features)
        sat.scored()
        sizes.append([(move.label.step, move.sender, move.size) for move in sat.transcript.moves])
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    "activation", ["tanh", "trees", *(pytest.param(one, marks=pytest.mark.slow) for one in ("relu", "square"))]
)
def test_its_process_loads_nothing_more_once_the_door_is_shut(activation):
    enclave = Scoring(watched())

    def loaded():
        return enclave._call("modules")[0]

    try:
        enclave.keys()
        before = loaded()
        Sat(rig.trees() if activation == "trees" else net((5, 4, 2), activation), enclave=enclave).scored()
        assert loaded() == before
        assert b"potluck.tee.predict.compute" in before.split(b"\n")
    finally:
        enclave.close()
