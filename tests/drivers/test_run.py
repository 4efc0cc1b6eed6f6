"""A run under drop-outs, lies and retries: the right answer or an abort that names the cause."""

import dataclasses

import pytest

from potluck.core.asks import Kind
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause, Label, Parcel
from potluck.core.wire import dump, load
from potluck.secret.envelope import seal
from potluck.tasks.announcement import BEGIN, Announcement
from support.parties.scene import SHARED, Scene, other, plan

STEPS = ["mask/advertise", "mask/share", "mask/input", "mask/sign", "mask/unmask"]


@pytest.mark.parametrize("step", STEPS)
def test_a_site_that_vanishes_at_any_step_is_a_dropout_and_the_rest_finish(step):
    def vanish(party, round, at):
        return party == site("c") and round.number >= 2 and at == step

    s = Scene(plan(privacy=SHARED), vanish=vanish)
    trained = s.run()
    assert trained.model.weights.shape == (3,)
    rounds = s.sums.log.rounds
    assert list(rounds[0].dropped) == []
    gave = step in ("mask/sign", "mask/unmask")  # its input was in before it vanished
    assert [list(r.dropped) for r in rounds[1:]] == [[] if gave else ["c"]] * 3


def test_without_noise_a_site_that_leaves_after_the_first_sum_ends_the_run():
    """Two exact sums over different sites at close models differ by one site's update: nobody may open both."""

    def vanish(party, round, at):
        return party == site("c") and round.number >= 2 and at == "mask/input"

    with pytest.raises(Abort) as stop:
        Scene(plan(), vanish=vanish).run()
    assert stop.value.cause is Cause.REPLAY
    assert "stay those of the whole run" in str(stop.value)


def test_without_noise_a_site_that_is_away_from_the_start_stays_away():
    def vanish(party, round, at):
        return party == site("c") and at == "mask/advertise"

    s = Scene(plan(), vanish=vanish)
    s.run()
    assert [list(r.dropped) for r in s.sums.log.rounds] == [["c"]] * 4


def test_a_dropped_site_changes_the_sum_exactly_as_if_it_had_no_rows(he_engine):
    def vanish(party, round, at):
        return party == site("c") and at in ("mask/input", "clear/input", "he/input")

    words = ("mask", "clear", "he")
    digests = {Scene(plan(word=word, server="curious"), vanish=vanish).run().model.digest() for word in words}
    assert len(digests) == 1
    assert digests != {Scene(plan()).run().model.digest()}


def test_more_dropouts_than_planned_end_the_run_with_the_count():
    def vanish(party, round, at):
        return party in (site("b"), site("c")) and at == "mask/input"

    with pytest.raises(Abort) as stop:
        Scene(plan(), vanish=vanish).run()
    assert stop.value.cause is Cause.TOO_FEW
    assert "2 answers where 3 are needed" in str(stop.value)


def forge(memory_of, change):
    """A server that announces something else to some sites, under its own true key."""

    def carry(letter):
        if letter.label.step == BEGIN and letter.sender == SERVER:
            memory = memory_of()
            body = letter.data[-_body_size(memory, letter) :]
            changed = change(letter.to, letter.label, load(body, Announcement))
            if changed is not None:
                data = seal(memory._keys[SERVER], memory._federation, SERVER, letter.to,
                            Parcel(letter.label, dump(changed)))  # fmt: skip
                return (dataclasses.replace(letter, data=data),)
        return (letter,)

    return carry


def _body_size(memory, letter):
    header = int.from_bytes(letter.data[4:8], "big")
    return len(letter.data) - 72 - header


def test_a_server_that_runs_another_plan_is_refused_by_every_site():
    s = Scene(plan())
    s.carry = forge(lambda: s.memory, lambda to, label, said: Announcement(digest(other(s.spec)), said.kind, said.step,
                                                                           said.state))  # fmt: skip
    with pytest.raises(Abort) as stop:
        s.run()
    assert stop.value.cause is Cause.TERMS
    assert "another plan" in str(stop.value)


def test_a_server_that_shows_one_site_another_model_gets_no_sum_with_that_site():
    def change(to, label, said):
        if to == site("c") and said.kind is Kind.TRAIN and said.step == 1:
            return Announcement(said.plan, said.kind, said.step, bytes(len(said.state)))
        return None

    s = Scene(plan(privacy=SHARED))
    s.carry = forge(lambda: s.memory, change)
    s.run()
    assert list(s.sums.log.rounds[1].dropped) == ["c"]
    assert list(s.sums.log.rounds[2].dropped) == []


def test_the_first_model_is_the_plans_own():
    def change(to, label, said):
        return Announcement(said.plan, said.kind, said.step, b"\0\0\0\0\0\0\xf0\x3f" * 3)

    s = Scene(plan())
    s.carry = forge(lambda: s.memory, change)
    with pytest.raises(Abort) as stop:
        s.run()
    assert stop.value.cause is Cause.TERMS


def test_a_step_is_asked_on_one_model_only():
    """A server that claims a crash and asks the same step again at other weights is refused by the ledgers."""
    ledgers = {site(name): Volatile() for name in "abcd"}
    asked = []

    def change(to, label, said):
        if said.kind is Kind.TRAIN and said.step == 2 and len(asked) < 4:
            asked.append(to)
            return Announcement(said.plan, said.kind, 1, said.state)
        return None

    s = Scene(plan(), ledgers=ledgers)
    s.carry = forge(lambda: s.memory, change)
    with pytest.raises(Abort) as stop:
        s.run()
    assert stop.value.cause is Cause.REPLAY


def test_a_run_with_the_same_name_is_refused_by_the_ledgers():
    ledgers = {site(name): Volatile() for name in "abcd"}
    Scene(plan(), ledgers=ledgers).run()
    with pytest.raises(Abort) as stop:
        Scene(plan(), ledgers=ledgers).run()
    assert stop.value.cause is Cause.CHANGED  # each run in one process has a key of its own for what it is tied to


@pytest.mark.parametrize("privacy", [SHARED])
def test_with_noise_a_failed_attempt_is_only_repeated_where_the_plan_calibrates_for_it(privacy):
    def vanish(party, round, at):
        return round.number == 1 and party in (site("a"), site("b")) and at == "mask/unmask"

    with pytest.raises(Abort):
        Scene(plan(privacy=privacy), vanish=vanish).run()
    s = Scene(plan(privacy=privacy | {"redo": 1}), vanish=vanish)
    s.run()
    assert [r.number for r in s.sums.log.rounds] == [2, 3, 4, 5]
    assert len(s.sums.log.aborts) == 1


def test_the_network_learns_labels_and_sizes_but_a_stranger_cannot_speak():
    from potluck.secret.container import Secret
    from potluck.secret.keys import SigningKey

    mallory = SigningKey(Secret(b"m" * 32))

    def carry(letter):
        s_label = Label(letter.label.round, letter.label.step)
        fake = seal(mallory, s.memory._federation, letter.sender, letter.to, Parcel(s_label, b"forged"))
        return (dataclasses.replace(letter, data=fake), letter)

    s = Scene(plan())
    s.carry = carry
    assert s.run().model.digest() == Scene(plan()).run().model.digest()


def test_the_transcript_of_the_coordinator_holds_no_step_with_an_individual_update():
    s = Scene(plan())
    s.run()
    to_server = {move.label.step for move in s.memory.transcript.moves if move.to == SERVER}
    assert to_server == {"mask/advertise", "mask/share", "mask/input", "mask/sign", "mask/unmask"}
