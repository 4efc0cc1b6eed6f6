"""A ciphertext made for the purpose gives a key holder's secret key; whose key holder rechecks asks for more than that.

Of OpenFHE 1.6.1's flooding: it hides the noise of honest sums, not s itself where c1 is a multiple of Q / q0.
"""

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER
from potluck.core.rounds import Cause
from potluck.he.sum import messages as m
from potluck.he.sum.bfv import Bfv
from potluck.he.sum.packing import unpack
from potluck.he.sum.parameters import WIRE
from potluck.he.sum.residues import add, read
from potluck.he.sum.residues import dump as flat
from potluck.secret.container import Secret
from potluck.secret.stream import digest
from support.he.ring import coefficients, values
from support.he.rogue import Spied, Spies, attack, crafted, left, rows, said, setting_of, sitting
from support.hostile.tampering import altering
from support.mpc.mask_rogue import causes

FACTORS = {
    "Q / q0": lambda q0, q1: q1,
    "1024 Q / q0": lambda q0, q1: 1024 * q1,
    "-Q / q0": lambda q0, q1: q0 * q1 - q1,
    "Q / q1": lambda q0, q1: q0,
    "Q / 8": lambda q0, q1: q0 * q1 // 8,
}


def stolen(partial, factor, parameters):
    """The secret key [2, N] as `export` gives it, from one partial decryption [1, N] of a crafted ciphertext."""
    q0, q1 = parameters.moduli[:WIRE]
    scaled = coefficients(rows(partial, parameters)[0, 0], q0)
    step = factor if factor < q0 * q1 // 2 else factor - q0 * q1  # what one unit of s comes to, times q1
    ternary = np.array([round(int(value) * q1 / step) for value in scaled], object)
    return np.stack([values(ternary, q) for q in (q0, q1)]).tobytes()


@pytest.mark.parametrize("lead", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FACTORS)
def test_the_engine_alone_gives_its_exact_secret_key(workers, name, lead):
    sat = sitting(workers)
    setting = setting_of(sat, 0)
    key = setting.engine.keygen(m.seed(sat.terms))
    parameters = setting.engine.parameters
    factor = FACTORS[name](*parameters.moduli[:WIRE])
    given = setting.engine.partial(key, crafted(parameters, factor, setting.ciphertexts), lead)
    assert stolen(given, factor, parameters) == setting.engine.export(key).expose()


@pytest.mark.parametrize("factor", [0, 1, 2**40])
def test_a_small_constant_drowns_in_the_flood(workers, factor):
    """So only a factor near q1 or beyond gives the key: it is the sum's size that the flood was made for."""
    sat = sitting(workers)
    setting = setting_of(sat, 0)
    key = setting.engine.keygen(m.seed(sat.terms))
    given = setting.engine.partial(key, crafted(setting.engine.parameters, factor, setting.ciphertexts), False)
    q0 = setting.engine.parameters.moduli[0]
    scaled = coefficients(rows(given, setting.engine.parameters)[0, 0], q0)
    secret = coefficients(rows(setting.engine.export(key).expose(), setting.engine.parameters, WIRE)[0, 0], q0)
    assert max(abs(int(value)) for value in scaled) <= 1
    assert abs(np.dot(scaled, secret)) < len(secret) / 10  # a ternary key has 2 N / 3 with itself


def poisoned(setting):
    """A hook: the crafted ciphertext in place of some givers' ciphertexts, or of everything."""
    parameters = setting.engine.parameters
    body = crafted(parameters, parameters.moduli[1], setting.ciphertexts)

    def of_all(to, survivors):
        return change(survivors, bodies=(body,) * len(survivors.bodies))

    def of_one(to, survivors):
        return change(survivors, bodies=(body, *survivors.bodies[1:]))

    def of_one_with_its_hash(to, survivors):
        other = 0 if to else 1
        givers = [change(g, hash=digest(body)) if g.site == other else g for g in survivors.givers]
        return change(survivors, givers=tuple(givers), bodies=(body, *survivors.bodies[1:]))

    def as_the_sum(to, survivors):
        return change(survivors, bodies=(body,))

    def on_top(to, survivors):
        total = np.array(read(survivors.bodies[0], setting.ciphertexts, parameters, None))
        add(total, read(body, total.shape, parameters, None), parameters)
        return change(survivors, bodies=(flat(total), *survivors.bodies[1:]))

    return {
        "all": (of_all, Cause.SURVIVORS),
        "one": (of_one, Cause.SURVIVORS),
        "one, and its hash": (of_one_with_its_hash, Cause.SIGNATURE),
        "the sum": (as_the_sum, Cause.MALFORMED),
        "one, on top": (on_top, Cause.SURVIVORS),
    }


@pytest.mark.parametrize("where", ["all", "one", "one, and its hash", "the sum", "one, on top"])
@pytest.mark.parametrize(("n", "d"), [pytest.param(3, 0, marks=pytest.mark.slow), (4, 1)])
def test_no_site_decrypts_what_no_giver_signed(workers, where, n, d):
    hook, cause = poisoned(setting_of(sitting(workers, n, d), -1))[where]
    desks, sat = attack(workers, {m.SURVIVORS: hook}, n=n, d=d)
    assert causes(desks) == dict.fromkeys(range(n), (cause, SERVER))
    assert not left(sat, m.PARTIAL)


def test_without_recheck_a_server_that_deviates_once_reads_every_update_as_the_view_says(workers):
    """It gets all keys from one round's partials, checks them as it does rebuilt ones, and opens each site's input."""
    setting = setting_of(sitting(workers), -1)
    parameters = setting.engine.parameters
    factor = parameters.moduli[1]
    body = crafted(parameters, factor, setting.ciphertexts)
    spies = Spies()
    _, sat = attack(
        workers,
        {m.SURVIVORS: lambda to, survivors: change(survivors, bodies=(body,))},
        recheck=False,
        rigs=spies.rigs(3),
    )
    found = {i: stolen(said.partial, factor, parameters) for i, said in said(sat, m.PARTIAL, m.Partial).items()}
    assert found == {i: spies.secret(i) for i in range(3)}
    seed, publics = m.seed(sat.terms), said(sat, m.KEYS, m.Advert)
    keys = [setting.engine.rebuild(Secret(found[i]), seed, publics[i].part) for i in range(3)]
    for i, given in said(sat, m.INPUT, m.Input).items():
        parts = [setting.engine.partial(key, given.ciphertexts, key is keys[0]) for key in keys]
        opened = unpack(setting.engine.fuse(parts), setting.layout)
        assert np.array_equal(opened, sat.words[sat.terms.sites[i]])


class Last(Spied):
    """An accomplice that saw the other sites' letters before it made its own: what an honest server prevents."""

    def __init__(self, engine, spies, factor=None):
        super().__init__(engine)
        self.spies, self.factor = spies, factor

    def others(self, of):
        return [getattr(spy, of)[-1] for spy in self.spies.by_index.values()]

    def less(self, mine, bodies):
        """mine - the sum of the bodies, [..., 2, N]."""
        shape = (-1, WIRE, self.parameters.ring)
        total = np.frombuffer(mine, "<u8").reshape(shape).copy()
        for body in bodies:
            more = np.frombuffer(body, "<u8").reshape(shape)
            primes = np.array(self.parameters.moduli[:WIRE], np.uint64)[:, None]
            add(total, (primes - more) % primes, self.parameters)
        return flat(total)


class LastCiphertext(Last):
    def encrypt(self, seed, joint, slots):
        shape = (len(slots), 2, WIRE, self.parameters.ring)
        return self.less(crafted(self.parameters, self.factor, shape), self.others("ciphertexts"))


class LastKey(Last):
    def keygen(self, seed):
        key = super().keygen(seed)
        return type(key)(key.handle, self.less(key.public, self.others("publics")), key.generation)


def test_a_server_with_an_accomplice_gets_past_the_recheck_as_the_view_says(workers):
    """It shows the others' ciphertexts to a site that then signs what makes the sum a crafted one.

    The recheck is no remedy for a lying server: that is why a plan with one is refused.
    """
    parameters = setting_of(sitting(workers), -1).engine.parameters
    spies = Spies()
    rigs = spies.rigs(2) | {2: lambda engine: LastCiphertext(engine, spies, parameters.moduli[1])}
    sat = sitting(workers, rigs=rigs)
    sat.run()
    partials = said(sat, m.PARTIAL, m.Partial)
    for i in range(2):
        assert stolen(partials[i].partial, parameters.moduli[1], parameters) == spies.secret(i)


def test_a_server_with_an_accomplice_makes_the_joint_key_its_own_as_the_view_says(workers):
    """A part that cancels the others' leaves a key whose secret one site knows: inputs open without any partial."""
    spies, made = Spies(), []
    rigs = spies.rigs(2) | {2: lambda engine: made.append(LastKey(engine, spies)) or made[-1]}
    sat = sitting(workers, rigs=rigs)
    seen = []

    def change_nothing(seat, to, step, body):
        if step == m.PARTIAL:
            given = said(sat, m.INPUT, m.Input)
            seen.append([open_alone(made[-1], given[i].ciphertexts, sat) for i in range(2)])
        return body

    sat.play = {sat.terms.sites[2]: altering(change_nothing)}
    sat.run()
    assert all(np.array_equal(seen[0][i], sat.words[sat.terms.sites[i]]) for i in range(2))


def open_alone(engine: Bfv, ciphertexts, sat):
    part = engine.partial(engine.keys[-1], ciphertexts, True)
    return unpack(engine.fuse([part]), setting_of(sat, 2).layout)
