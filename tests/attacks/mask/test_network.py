"""A network that flips, replays, reorders, truncates, swaps, duplicates or swallows letters at any step of `mask`.

It ends in the right sum or in an abort with a cause; never in a wrong sum, and no letter shows an update.
"""

import numpy as np
import pytest
from scipy.stats import chi2

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.core.stages import Opened
from potluck.core.wire import pack
from potluck.mpc.mask.graph import Shape, thresholds
from potluck.mpc.mask.protection import Mask
from potluck.testing.protection import RoundContext, check_protection
from support.hostile import tampering

UP = ["mask/advertise", "mask/share", "mask/input", "mask/sign", "mask/unmask"]
DOWN = ["mask/roster", "mask/relay", "mask/survivors", "mask/signed"]
LOSING = [tampering.flipped, tampering.flipped_header, tampering.truncated, tampering.swallowed]
HARMLESS = [tampering.duplicated, tampering.replayed, tampering.reordered]


def sitting(n=4, c=1, d=1, server="lying", length=5, number=1, **more):
    sites = tuple(site(f"s{i}") for i in range(n))
    picks, least = thresholds(n, c, d, server)
    terms = Terms(RoundId("run", number), b"d" * 32, "once", sites, n - d, length, 32)
    words = np.random.default_rng(1).integers(0, 2**32, (n, length), dtype="<u4")
    given = dict(zip(sites, words, strict=True))
    return RoundContext(Mask(Shape(n, picks, least, server == "lying")), terms, given, **more)


@pytest.mark.parametrize("tamper", HARMLESS)
@pytest.mark.parametrize("step", [*UP, *DOWN])
def test_what_arrives_twice_or_late_or_early_changes_nothing(tamper, step):
    opened = check_protection(sitting(carry=tamper(lambda letter: letter.label.step == step)))
    assert isinstance(opened, Opened)
    assert len(opened.givers) == 4


@pytest.mark.parametrize("tamper", LOSING)
@pytest.mark.parametrize("step", [*UP, *DOWN])
def test_one_sites_letters_lost_or_broken_are_one_drop_out(tamper, step):
    one = site("s2")
    carry = tamper(lambda letter: letter.label.step == step and one in (letter.sender, letter.to))
    opened = check_protection(sitting(carry=carry))
    assert isinstance(opened, Opened)
    early = step in UP[:3] or step in DOWN[:2]
    assert (one not in opened.givers) == early


@pytest.mark.parametrize("tamper", [*LOSING, tampering.swapped])
@pytest.mark.parametrize("step", [*UP, *DOWN])
def test_a_whole_step_lost_or_broken_opens_nothing(tamper, step):
    outcome = check_protection(sitting(carry=tamper(lambda letter: letter.label.step == step)))
    if tamper is tampering.swapped and step in UP:
        # All go to the server: a swap of their ways is none.
        assert isinstance(outcome, Opened)
        return
    assert isinstance(outcome, Abort)
    assert outcome.cause is Cause.TOO_FEW
    assert Cause.SILENT.value in str(outcome)


@pytest.mark.parametrize("server", ["lying", "curious"])
def test_letters_of_one_round_are_worth_nothing_in_the_next(server):
    kept = []

    def keep(letter):
        kept.append(letter)
        return (letter,)

    check_protection(sitting(server=server, carry=keep))
    old = list(kept)

    def inject(letter):
        return [*(o for o in old if (o.to, o.label.step) == (letter.to, letter.label.step)), letter]

    opened = check_protection(sitting(server=server, number=2, carry=inject))
    assert isinstance(opened, Opened)
    assert len(opened.givers) == 4


def test_a_late_input_of_a_site_declared_dropped_is_answered_with_stop():
    late = site("s2")
    held = []

    def carry(letter):
        if letter.label.step == "mask/input" and letter.sender == late:
            held.append(letter)
            return ()
        if letter.label.step == "mask/sign" and held:
            return (held.pop(), letter)
        return (letter,)

    sat = sitting(carry=carry)
    desks = sat.run()
    assert desks[SERVER].result.givers == set(sat.terms.sites) - {late}
    right = sum((sat.words[s] for s in desks[SERVER].result.givers), np.zeros(5, "<u4"))
    assert np.array_equal(desks[SERVER].result.words, right)
    assert desks[late].abort.cause is Cause.LATE
    moves = [move.label.step for move in sat.transcript.moves if move.sender == late]
    assert "mask/unmask" not in moves


def test_masked_inputs_are_uniform_over_a_million_words():
    """A plain vector of zeros, as the server reads it: bytes and 16-bit halves pass chi-square at the 99.9 % point."""
    length = 1_000_000
    sat = sitting(n=3, c=0, d=0, length=length)
    for party in sat.terms.sites:
        sat.words[party] = np.zeros(length, dtype="<u4")
    sat.run()
    inputs = [body for step, _, _, body in sat.transcript.bodies if step == "mask/input"]
    assert len(inputs) == 3
    for body in inputs:
        for dtype, cells in (("u1", 2**8), ("<u2", 2**16)):
            counts = np.bincount(np.frombuffer(body, dtype), minlength=cells)
            expected = counts.sum() / cells
            statistic = float(((counts - expected) ** 2).sum() / expected)
            assert chi2.ppf(0.0005, cells - 1) < statistic < chi2.ppf(0.9995, cells - 1)
    # They are uniform one by one and not together: with no noise their sum is exactly zero once unmasked.
    assert len({*inputs}) == 3


@pytest.mark.parametrize("server", ["lying", "curious"])
def test_the_servers_transcript_holds_no_update(server):
    sat = sitting(n=5, server=server)
    sat.run()
    plain = [pack(words) for words in sat.words.values()]
    steps = {step for step, _, to, _ in sat.transcript.bodies if to == SERVER}
    assert steps <= set(UP)
    for _, _, _, body in sat.transcript.bodies:
        assert not any(one in body for one in plain)


def test_two_rounds_share_no_mask():
    """The difference of a site's masked inputs in two rounds is not that of its updates."""
    seen = []
    for number in (1, 2):
        sat = sitting(number=number)
        sat.run()
        seen.append({sender: body for step, sender, _, body in sat.transcript.bodies if step == "mask/input"})
    for party, body in seen[0].items():
        assert body != seen[1][party]
