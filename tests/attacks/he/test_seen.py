"""What server and network see of a threshold sum: no words, no keys, and nothing that tells two inputs apart."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2, rankdata

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.core.wire import pack as words_as_bytes
from potluck.he.sum import messages as m
from potluck.he.sum.packing import pack, unpack
from potluck.he.sum.parameters import PARTIAL, WIRE
from potluck.he.sum.residues import dump as flat
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.shamir import join
from potluck.secret.vault import unlock
from potluck.testing.protection import check_protection, judged
from support.he.keys import forms, held, ternary
from support.he.rogue import Spies, rows, said, setting_of, sitting
from support.mpc.mask_rogue import seat_of


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


def overheard(sat):
    """All letters of a round, whoever reads them: envelopes, and the bodies that were taken out."""
    letters = []

    def carry(letter):
        letters.append(letter.data)
        return (letter,)

    sat.carry = carry
    desks = sat.run()
    assert isinstance(judged(sat, desks), Opened)
    return [*letters, *(body for _, _, _, body in sat.transcript.bodies)]


@pytest.mark.parametrize(("n", "d", "leaves"), [slow(3, 0, {}), slow(4, 1, {}), (4, 1, {0: m.PARTIAL})])
@pytest.mark.parametrize("recheck", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_no_letter_holds_words_or_slots(workers, n, d, leaves, recheck):
    sat = sitting(workers, n, d, length=50, leaves=leaves, recheck=recheck)
    layout = setting_of(sat, 0).layout
    wanted = []
    for words in sat.words.values():
        plain, slots = words_as_bytes(words), flat(pack(words, layout))[: layout.slots * 8]
        wanted += [bytes(plain[at : at + 8]) for at in range(0, len(plain), 8)]
        wanted += [bytes(slots[at : at + 8]) for at in range(0, len(slots), 8)]
    seen = b"".join(overheard(sat))
    assert len(set(wanted)) > 50 * n
    assert not any(one in seen for one in wanted)


def test_the_server_reads_ciphertexts_and_what_goes_with_them_alone(workers):
    sat = sitting(workers, 4, 1, leaves={0: m.PARTIAL})
    assert isinstance(check_protection(sat), Opened)
    read = {step for step, _, to, _ in sat.transcript.bodies if to == SERVER}
    assert read == {m.KEYS, m.SHARE, m.INPUT, m.PARTIAL, m.REBUILD}


# --- Secret keys ---


@pytest.mark.parametrize(
    ("n", "d", "leaves"), [slow(3, 0, {}), slow(4, 1, {}), (4, 1, {2: m.PARTIAL}), slow(4, 1, {0: m.INPUT})]
)
def test_no_letter_holds_a_secret_key_in_the_clear(workers, n, d, leaves):
    spies = Spies()
    sat = sitting(workers, n, d, rigs=spies.rigs(n), leaves=leaves)
    letters = overheard(sat)
    parameters = spies.by_index[0].parameters
    assert not any(ternary(letter) for letter in letters)
    for i in range(n):
        assert not held(letters, spies.secret(i), parameters)


def test_the_search_for_keys_finds_them_where_they_are(workers):
    spies = Spies()
    sat = sitting(workers, rigs=spies.rigs(3))
    letters = overheard(sat)
    parameters, secret = spies.by_index[0].parameters, spies.secret(0)
    assert all(held([*letters, b"header" + form], secret, parameters) for form in forms(secret, parameters))
    assert ternary(b"header" + list(forms(secret, parameters))[2])


# --- Partial decryptions and shares: one too few ---


def test_with_one_partial_decryption_missing_nothing_opens(workers):
    sat = sitting(workers, 4)
    right = check_protection(sat)
    setting = setting_of(sat, -1)
    parts = {i: given.partial for i, given in said(sat, m.PARTIAL, m.Partial).items()}
    assert np.array_equal(unpack(setting.engine.fuse(list(parts.values())), setting.layout), right.words)
    for count in (1, 2, 3):
        for some in combinations(parts, count):
            slots = setting.engine.fuse([parts[i] for i in some])
            with pytest.raises(Abort) as caught:
                unpack(slots, setting.layout)
            assert caught.value.cause is Cause.RANGE
            assert uniform(slots, setting.engine.parameters.plain)


def uniform(slots, below):
    """Chi-square over 64 cells of equal width; a right test fails once in a billion."""
    counts = np.bincount((slots.ravel().astype(float) * 64 / below).astype(int), minlength=64)
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum()) < chi2.ppf(1 - 1e-9, 63)


@pytest.mark.parametrize(("n", "d", "c"), [(4, 1, 0), (5, 2, 0), (6, 1, 3)])
def test_the_server_and_one_share_too_few_do_not_open_a_vault(workers, n, d, c):
    spies = Spies()
    sat = sitting(workers, n, d, c, rigs=spies.rigs(n))
    assert isinstance(check_protection(sat), Opened)
    least, victim, accomplices = sat.protection.he.least, sat.terms.sites[0], range(1, n)
    roster = m.roster_hash(sat.terms, next(body for step, _, _, body in sat.transcript.bodies if step == m.ROSTER))
    dealt = said(sat, m.SHARE, m.Dealt)[0]
    boxes = {note.site: note.box for note in dealt.notes}
    shares = {}
    for i in accomplices:
        channel = BoxKey(Secret(seat_of(sat.terms, sat.terms.sites[i]).draw(SEED)))
        shares[i + 1] = Secret(channel.unseal(boxes[i], m.box_info(roster, victim, sat.terms.sites[i])))
    info = m.vault_info(roster, victim)
    for some in combinations(shares, least):
        opens = join({i: shares[i] for i in some}, least)
        assert unlock(opens, info, dealt.vault).expose() == spies.secret(0)
    for some in combinations(shares, least - 1):
        with pytest.raises(Abort):
            unlock(join({i: shares[i] for i in some}, least - 1), info, dealt.vault)


# --- Two inputs with one sum ---

BITS = [1, 8, 30, 52]


def features(sat):
    """Of site 0, and of all together, what the server reads, in a few numbers."""
    parameters = setting_of(sat, -1).engine.parameters
    given = {i: rows(one.ciphertexts, parameters, 2 * WIRE) for i, one in said(sat, m.INPUT, m.Input).items()}
    parts = {i: rows(one.partial, parameters, PARTIAL) for i, one in said(sat, m.PARTIAL, m.Partial).items()}
    found = []
    for polynomials in (given[0], parts[0], given[0] - given[1], parts[0] - parts[1], sum(parts.values())):
        found += [polynomials.astype(float).mean(), polynomials.astype(float).std()]
        found += [((polynomials >> np.uint64(bit)) & np.uint64(1)).mean() for bit in BITS]
    return found


def auc(first, second):
    """How often a feature of the second kind is above one of the first."""
    ranks = rankdata(np.concatenate([first, second]))[len(first) :]
    return (ranks.sum() - len(second) * (len(second) + 1) / 2) / (len(first) * len(second))


def pairs_of_rounds(workers, count, look):
    """What `look` says of rounds in which site 0 gives little and site 1 much, and of the same with both changed."""
    found = []
    for swapped in (False, True):
        seen = []
        for number in range(count):
            sat = sitting(workers, number=2 * number + swapped + 1, length=3000)
            low, high = np.zeros(3000, "<u4"), np.full(3000, 2**31 - 1, "<u4")
            sat.words[sat.terms.sites[0]] = high if swapped else low
            sat.words[sat.terms.sites[1]] = low if swapped else high
            assert isinstance(check_protection(sat), Opened)
            seen.append(look(sat))
        found.append(np.array(seen))
    return found


def told_apart(workers, count, look):
    """The largest distance of any feature's AUC from a coin's, in its standard deviations for coins."""
    first, second = pairs_of_rounds(workers, count, look)
    deviation = np.sqrt((2 * count + 1) / (12 * count * count))
    return max(abs(auc(first[:, k], second[:, k]) - 0.5) for k in range(first.shape[1])) / deviation


@pytest.mark.slow
def test_two_inputs_with_equal_sum_look_alike_to_the_server(workers):
    """The largest of 30 coins is beyond 6 standard deviations once in 1e7 runs; a feature that tells is at 17."""
    assert told_apart(workers, 200, features) < 6


@pytest.mark.slow
def test_features_of_a_key_holder_tell_the_two_inputs_apart(workers):
    """So the test above can fail: the same number of rounds, and what is inside the ciphertexts."""

    def look(sat):
        setting = setting_of(sat, 0)
        return [float(pack(sat.words[sat.terms.sites[0]], setting.layout).mean())]

    assert told_apart(workers, 12, look) > 3.9
