"""No secret of a threshold sum is in a letter, a repr, an error, a log or a file: keys, their vaults' keys, shares.

All `Secret`s that a round makes are watched, and the secret keys, which live in the engine alone.
"""

import json
import logging
import random
import re
import traceback
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as change
from rich.console import Console
from rich.pretty import pretty_repr

import potluck
from potluck.api.plan.plan import Plan
from potluck.core.party import SERVER, site
from potluck.core.rounds import Cause
from potluck.core.stages import Opened
from potluck.he.sum import messages as m
from potluck.he.sum.bfv import Bfv
from potluck.secret.container import Secret
from potluck.testing.protection import judged
from support.he.keys import forms, held, spelled, ternary
from support.he.rogue import Spied, Spies, rogue, sitting
from support.he.tampered import altered
from support.hostile.tampering import altering

HEART = Path(potluck.__file__).parent / "demo" / "heart.toml"
SETTINGS = ['protect.with="he"', 'federation.server="curious"', 'privacy.noise="none"', "training.rounds=1"]


@pytest.fixture
def secrets(monkeypatch):
    """The bytes of every `Secret` that is made while a test runs."""
    made, real = set(), Secret.__init__

    def watched(self, value):
        real(self, value)
        made.add(bytes(value))

    monkeypatch.setattr(Secret, "__init__", watched)
    return made


def shown(text, secrets):
    """Which of the secrets a text shows, in any spelling, by their lengths."""
    return [len(one) for one in secrets if any(word in text for word in spelled(one) if len(word) >= 8)]


def public(sat):
    """What is wrapped as a secret though it is none: the seed of the common polynomial."""
    return {m.seed(sat.terms)}


def test_the_search_finds_a_secret_however_it_is_shown(secrets):
    one = Secret(bytes(range(7, 247)))
    raw = one.expose()
    others = {bytes(reversed(raw))}
    numbers = np.frombuffer(raw, "<u8").tolist()
    for text in (repr(raw), raw.hex(), f"x{raw.hex().upper()}", str(list(raw)), str(numbers)):
        assert shown(text, secrets) == [240]
        assert not shown(text, others)
    assert not shown(repr(one) + str([one]) + pretty_repr({"key": one}), secrets)


# --- In print ---


LITERAL = re.compile(r"b'(?:[^'\\]|\\.)*+'")  # possessive: bytes without an end would be looked at for ever
"""Bytes in print. Of the longest, which are polynomials and vaults, the beginning is enough to know them by."""


def looked_at(half, printed):
    """Runs a half, and at every exchange prints what it and the halves inside it hold, each thing once."""
    inbox = None
    while True:
        try:
            exchange = half.send(inbox)
        except StopIteration as stop:
            return stop.value
        held_now, inside = [exchange, exchange.record], half
        while inside is not None:
            held_now += inside.gi_frame.f_locals.values()
            inside = inside.gi_yieldfrom
        inbox = yield exchange
        for one in [*held_now, inbox]:
            # Bytes as such say nothing of what they are: letters are searched for secrets elsewhere.
            if not isinstance(one, bytes | memoryview | np.ndarray):
                printed.setdefault(id(one), (one, LITERAL.sub(lambda found: found[0][:800], repr(one))))


@pytest.mark.parametrize(("n", "d"), [pytest.param(3, 0, marks=pytest.mark.slow), (4, 1)])
def test_nothing_that_a_half_holds_shows_a_secret_in_print(workers, secrets, n, d):
    spies, printed = Spies(), {}
    sat = sitting(workers, n, d, rigs=spies.rigs(n))
    sat.play = {party: lambda seat, half: looked_at(half, printed) for party in (SERVER, *sat.terms.sites)}
    desks = sat.run()
    assert isinstance(judged(sat, desks), Opened)
    texts = {text for _, text in printed.values()}
    texts |= {repr(one) + repr(vars(one)) for one in workers.values()} | {repr(one) for one in desks.values()}
    text = "\n".join(texts)
    assert {len(one) for one in secrets} >= ({32, 96, 131072} if d else {96})
    assert "Secret(32 bytes)" in text or not d, "the halves do hold secrets"
    assert all(name in text for name in ("Own(", "Setting(", "Guarded(", "Advert("))
    keys = {spies.secret(one) for one in range(n)}
    assert not shown(text, (secrets | keys) - public(sat))


def test_shares_on_their_way_are_not_shown_in_print(secrets):
    share = Secret(bytes(range(50, 82)))
    message = m.Shares(share.expose())
    console = Console(file=StringIO(), width=200)
    console.print(message)
    assert not shown(repr(message) + str([message]) + pretty_repr(message) + console.file.getvalue(), secrets)


# --- In errors, and in what travels of them ---


class Failing(Spied):
    """An engine that fails at one operation as its worker would: with words, or by dying of bytes."""

    def __init__(self, engine, spies, at):
        super().__init__(engine)
        self.at, self._spies = at, spies
        spies.append(self)

    def _call(self, op, *buffers, key=None):
        if op == self.at and self.secrets:
            buffers = [bytes(one)[:-8] if len(one) > 1000 else bytes(one) for one in buffers]
            key = None
            if op == "export":
                buffers = [buffers[0], b"\xff" * 8]
        return Bfv._call(self, op, *buffers, key=key)


def everything(error):
    """An error and all behind it, as it would be printed, and what it holds."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error)), repr(error.args), pretty_repr(error)]
        texts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("op", ["export", *(pytest.param(op, marks=pytest.mark.slow) for op in ("encrypt", "partial"))])
def test_an_engine_that_fails_takes_no_secret_into_the_error(workers, secrets, op):
    spies = []
    sat = sitting(workers, 4, 1, rigs={1: lambda engine: Failing(engine, spies, op)})
    desks = sat.run()
    abort = desks[site("s1")].abort
    assert abort.cause is Cause.ENGINE
    assert shown(repr(spies[0].secrets[0]), {spies[0].secrets[0]}), "there was a key"
    assert not shown(everything(abort), (secrets | set(spies[0].secrets)) - public(sat))


def test_a_key_that_was_rebuilt_wrongly_is_not_in_the_error(workers, secrets):
    class Wrong(Spied):
        def export(self, key):
            found = super().export(key).expose()
            return Secret(found[:-8] + (5).to_bytes(8, "little"))

    sat = sitting(workers, 4, 1, leaves={2: m.PARTIAL}, rigs={2: Wrong})
    abort = judged(sat, sat.run())
    assert (abort.cause, abort.party) == (Cause.DEALER, site("s2"))
    assert not shown(everything(abort), secrets - public(sat))


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [
        (m.SHARE, m.RELAY, m.SURVIVORS),
        pytest.param((m.KEYS, m.ROSTER, m.INPUT, m.PARTIAL), marks=pytest.mark.slow),
    ],
    ids=len,
)
def test_no_abort_of_altered_letters_shows_a_secret_and_none_travels(workers, secrets, steps):
    """Each step's letter altered, of a site and of the server: what the desks keep and what they say of it."""
    rng, texts, spies = random.Random(5), [], Spies()
    aborts = 0
    for step in steps:
        heard = []
        sat = sitting(workers, 4, 1, rigs=spies.rigs(4), carry=lambda letter, to=heard: (to.append(letter), letter)[1:])
        turn = altering(lambda seat, to, at, b, step=step: altered(rng, b) if at == step else b)
        sat.play = {SERVER: turn, site("s3"): turn}
        desks = sat.run()
        judged(sat, desks)
        for desk in desks.values():
            if desk.abort is not None:
                aborts += 1
                texts.append(everything(desk.abort))
        letters = [letter.data for letter in heard]
        assert not any(ternary(letter) for letter in letters)
        keys = {one for spy in spies.by_index.values() for one in spy.secrets}
        given = {body[-32:] for at, _, _, body in sat.transcript.bodies if at == m.REBUILD}  # where s3 is missing
        boxed = {one for one in secrets if len(one) == 32} - public(sat) - given
        assert not any(one in letter for one in boxed for letter in letters), "a share or a seed in the clear"
        assert not any(held(letters, one, spies.by_index[0].parameters) for one in keys)
        secrets.update(keys)
        spies = Spies()
    assert aborts > len(steps)
    assert not shown("\n".join(texts), secrets - public(sat))


# --- In logs, on the terminal, on the disk ---


def test_nothing_is_logged_or_printed(workers, secrets, caplog, capfd):
    """Whatever the round comes to: nothing at all, so no secret either."""
    with caplog.at_level(logging.DEBUG):
        sitting(workers, 4, 1).run()
        sitting(workers, 4, 1, leaves={0: m.PARTIAL}, number=2).run()
        hooks = {m.SURVIVORS: lambda to, s: change(s, dealers=bytes(32))}
        sitting(workers, 4, 1, number=3, play={SERVER: rogue(hooks)}).run()
        spies = []
        sitting(workers, 4, 1, number=4, rigs={1: lambda engine: Failing(engine, spies, "partial")}).run()
    assert len(secrets) > 50
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_no_file_that_a_run_leaves_holds_a_key(tmp_path, secrets, monkeypatch, he_engine, caplog):
    """A run with its letters recorded: model, report, transcript, parcels, ledgers."""
    keys, real = [], Bfv.keygen

    def keygen(self, seed):
        key = real(self, seed)
        keys.append((self.parameters, self.export(key).expose()))
        return key

    monkeypatch.setattr(Bfv, "keygen", keygen)
    with caplog.at_level(logging.DEBUG):
        plan = Plan.read(HEART, SETTINGS)
        potluck.run(plan, out=tmp_path / "run", ledger=tmp_path / "ledger", record=True)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(keys) >= 8
    assert len(files) > 40
    parcels = tmp_path / "run" / "parcels"
    lines = [json.loads(line) for line in (parcels / "index.jsonl").read_text().splitlines()]
    rounds = [(parcels / line["file"]).read_bytes() for line in lines if line["step"].startswith("he/")]
    assert len(rounds) > 40
    assert not any(map(ternary, rounds))
    for parameters, key in keys[:6]:
        assert not held(files, key, parameters)
        assert any(form for form in forms(key, parameters))
    text = b"\n".join(body for body in files if body.isascii()).decode()
    assert not shown(text + caplog.text, {key for _, key in keys})
