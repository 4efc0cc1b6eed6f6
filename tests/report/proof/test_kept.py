"""What `attack` and `audit` keep beside a run, and what its report says of it."""

import json
import re
import stat

import msgspec
import pytest

from potluck.api.proof import kept
from potluck.audits.attacks import ATTACKS as ATTACKS_OF_THE_PROGRAM
from potluck.audits.letters import NAME as LETTERS
from potluck.audits.membership.lira import LIRA, LIRA_OFFLINE
from potluck.audits.membership.rmia import RMIA
from potluck.core.errors import UsageError
from potluck.report.page import render
from potluck.report.proof.aims import AIMS, ALIKE, WHICH
from potluck.report.proof.kept import (
    ATTACKS,
    AUDITS,
    Attack,
    Attacks,
    Audits,
    Bound,
    Call,
    Check,
    MadeUp,
    View,
    read,
)  # fmt: skip
from support.report.samples import clear, heart, write
from support.report.tree import Tree

HASH, WHEN = heart()[1].plan_hash, "2026-11-24T10:00:00+00:00"


def one(name="analytic", succeeded=True, control=True, **keys):
    plain = {"sort": "reconstruction", "of": ("va",), "tried": True, "score": 1.0, "baseline": 0.0, "words": "1 of 1"}
    return Attack(**plain | {"name": name, "succeeded": succeeded, "control": control} | keys)


def call(*attacks, who=("server",), before=False, when="2026-11-24T10:00:00+00:00", seed=0):
    return Call(who=who, before=before, compared=True, minutes=5.0, seed=seed, when=when, attacks=attacks)


def said(page):
    """Its words, one space between two."""
    return " ".join(Tree(page).words().split())


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "run", *heart())


def test_coalitions_stand_side_by_side_and_the_newest_call_of_each_alone(folder):
    kept.attacked(folder, HASH, call(one("first", False)))
    kept.attacked(folder, HASH, call(one("other"), who=("server", "va")))
    kept.attacked(folder, HASH, call(one("earlier run"), before=True))
    kept.attacked(folder, HASH, call(one("newest"), who=("va", "server")))
    found = read(folder / ATTACKS, Attacks, HASH)
    assert [each.attacks[0].name for each in found.calls] == ["first", "earlier run", "newest"]
    assert stat.S_IMODE((folder / ATTACKS).stat().st_mode) == 0o600


def test_a_weaker_call_takes_back_nothing_that_was_found(folder):
    nothing = one("analytic", False, of=(), score=None, words="found nothing")
    kept.attacked(folder, HASH, call(one(of=("va",)), one(of=("zh",)), one("rates", None), seed=7))
    for seed in (8, 9):
        kept.attacked(folder, HASH, call(nothing, one("rates", False), one("loss", False), seed=seed))
    (found,) = read(folder / ATTACKS, Attacks, HASH).calls
    came = [(each.name, each.of, each.came, each.earlier and each.earlier.seed) for each in found.attacks]
    assert came == [
        ("rates", ("va",), "failed", None), ("loss", ("va",), "failed", None),
        ("analytic", ("va",), "succeeded", 7), ("analytic", ("zh",), "succeeded", 7),
    ]  # fmt: skip
    text = said(render(folder))
    assert "1 of three attacks succeeded with what the coordinator read in this run: analytic." in text
    assert "1 of 1. An earlier call found this, on 24 November 2026" in text
    kept.attacked(folder, HASH, call(one(of=("va",), words="again"), nothing, seed=10))
    (found,) = read(folder / ATTACKS, Attacks, HASH).calls
    assert [(each.of, each.words, each.earlier is None) for each in found.attacks] == [
        (("va",), "again", True), (("zh",), "1 of 1", False),
    ]  # fmt: skip


def test_a_call_without_true_rows_takes_no_comparison_back(folder):
    """Neither of a success nor of a failure where the attack works without protection."""
    kept.attacked(
        folder, HASH, call(one("tracker", words="compared with the row"), one("loss", False), one("lira", None))
    )
    blind = {"score": None, "words": "its rows are not here"}
    kept.attacked(folder, HASH, call(one("tracker", **blind), one("loss", None, **blind), one("lira", False), seed=1))
    (found,) = read(folder / ATTACKS, Attacks, HASH).calls
    assert {each.name: (each.came, each.words, each.earlier is None) for each in found.attacks} == {
        "tracker": ("succeeded", "compared with the row", False), "loss": ("failed", "1 of 1", False),
        "lira": ("failed", "1 of 1", True),
    }  # fmt: skip
    kept.attacked(folder, HASH, call(one("tracker", words="again"), one("loss", True), seed=2))
    (found,) = read(folder / ATTACKS, Attacks, HASH).calls
    assert [(each.name, each.words) for each in found.attacks] == [("tracker", "again"), ("loss", "1 of 1")]


def test_a_call_with_an_earlier_run_has_a_heading_of_its_own(folder):
    kept.attacked(folder, HASH, call(one("rates", False)))
    kept.attacked(folder, HASH, call(one("differencing"), before=True))
    text = said(render(folder))
    assert "With what the coordinator read in this run None of one attack" in text
    assert "With what the coordinator read in this run and an earlier one 1 of one attack" in text


@pytest.mark.parametrize("body", [b"{}", b"\xff", b'{"version": 9, "plan_hash": "x"}'])
def test_what_is_damaged_is_named_before_anything_is_tried_and_is_never_overwritten(folder, body):
    (folder / ATTACKS).write_bytes(body)
    acts = (
        lambda: kept.attacked(
            folder,
            HASH,
            call(one()),
        ),
        lambda: kept.ready(folder, HASH),
        lambda: render(folder),
    )
    for act in acts:
        with pytest.raises(UsageError, match="is not what this version keeps"):
            act()
    assert (folder / ATTACKS).read_bytes() == body


def test_what_was_found_about_another_plan_is_not_shown_with_this_run(folder):
    (folder / ATTACKS).write_bytes(msgspec.json.encode(Attacks(plan_hash="sha256:other")))
    with pytest.raises(UsageError, match="another plan"):
        render(folder)


def test_a_report_without_attacks_and_audits_has_no_page_of_them(folder):
    text = said(render(folder))
    assert "What attacks found" not in text
    assert "Claimed against measured" not in text


def test_a_report_says_what_succeeded_and_which_failures_prove_nothing(folder):
    skipped = one("gram", False, None, tried=False, of=(), words="was not tried: <b>no sum</b>")
    kept.attacked(folder, HASH, call(one("rates", False), one(), one("inversion", False, False, of=()), skipped))
    page = render(folder)
    tree = Tree(page)
    assert tree.errors == []
    text = said(page)
    assert "1 of three attacks succeeded with what the coordinator read in this run: analytic." in text
    assert "<b>no sum</b>" in text  # as text, not as markup
    rows = [
        text.index(name)
        for name in (
            f"analytic {AIMS['analytic']} va succ",
            f"rates {AIMS['rates']} va failed",
            f"inversion {AIMS['inversion']} none",
        )
    ]
    assert rows == sorted(rows)
    assert f"{AIMS['inversion']} none found no answer fails too" in text
    assert f"{AIMS['rates']} va failed works" in text


def test_the_report_says_of_every_attack_what_it_wants():
    assert AIMS.keys() == {*(one.name for one in ATTACKS_OF_THE_PROGRAM), LETTERS}
    assert len(set(AIMS.values())) == len(AIMS)


def test_attacks_that_ask_the_same_are_told_apart_and_the_report_says_which_to_believe(folder):
    some = [one(name, False, sort="membership") for name in sorted(ALIKE)]
    kept.attacked(folder, HASH, call(*some[1:]))
    assert WHICH not in said(render(folder))
    kept.attacked(folder, HASH, call(*some))
    assert WHICH in said(render(folder))
    assert len({each.how for each in (LIRA, LIRA_OFFLINE, RMIA)}) == 3


def test_what_was_taken_from_a_file_is_marked_and_counted(folder):
    kept.attacked(folder, HASH, call(one("rates", False, taken=True), one("gram")))
    text = said(render(folder))
    assert "One answer was taken from a file of --resume, and nobody vouches for that file: rates." in text
    assert text.count("It was taken from a file of --resume") == 1
    file = audits(("paired: a", 0.68, True), ("coins", None, True))
    marked = tuple(msgspec.structs.replace(each, taken=True) for each in file.checks)
    kept.audited(folder, msgspec.structs.replace(file, checks=marked))
    text = said(render(folder))
    assert "One answer was taken from a file of --resume, and nobody vouches for that file: coins." in text
    assert text.count("It was taken from a file of --resume") == 2


def test_where_nothing_succeeded_the_report_counts_the_attacks_that_work_elsewhere(folder):
    kept.attacked(folder, HASH, call(one("rates", False), one("inversion", False, False)))
    text = said(render(folder))
    assert (
        "None of two attacks succeeded with what the coordinator read in this run. 1 of them works on made-up rows"
        in text
    )


def test_a_claim_stands_beside_what_was_proved_as_odds(folder):
    found = {
        "plan_hash": HASH, "minutes": 1, "seed": 0, "when": "2026-11-24T10:00:00+00:00", "held": False,
        "audits": [
            {"claimed": 2.0, "confidence": 0.9999, "words": "w", "name": f"paired: {name}"}
            | {"lower_bound": low, "held": held}
            for name, low, held in (("a", 1.35, True), ("b", 3.02, False))
        ],
        "checks": [{"name": "coins", "held": None, "words": "nothing is drawn"}],
    }  # fmt: skip
    (folder / AUDITS).write_text(json.dumps(found | {"version": 1}))
    text = said(render(folder))
    # By hand: e^2 / (1 + e^2) = .8808, e^1.35 / (1 + e^1.35) = .7941, e^3.02 / (1 + e^3.02) = .9535.
    assert "paired: a 89 in 100 ε 2.00 79 in 100 ε 1.35 held" in text
    assert "paired: b 89 in 100 ε 2.00 95 in 100 ε 3.02 broken" in text
    assert "A promise is broken: paired: b." in text
    assert "coins says nothing" in text


def audits(*found, minutes=1.0, seed=0):
    """audits: (name, lower bound or None for a check, held)."""
    bounds = tuple(
        Bound(name=name, claimed=2.0, lower_bound=lower, confidence=0.9999, held=held, words="w")
        for name, lower, held in found if lower is not None
    )  # fmt: skip
    checks = tuple(Check(name=name, held=held, words="c") for name, lower, held in found if lower is None)
    held = False not in {one.held for one in (*bounds, *checks)}
    return Audits(plan_hash=HASH, minutes=minutes, seed=seed, when=WHEN, held=held, audits=bounds, checks=checks)


def test_a_shorter_audit_takes_back_nothing_that_a_longer_one_proved(folder):
    long = audits(("paired: a", 0.68, True), ("paired: b", 0.2, True), ("coins", None, True), minutes=60.0, seed=3)
    kept.audited(folder, long)
    for seed in (8, 9):
        kept.audited(
            folder, audits(("paired: a", None, None), ("paired: b", 0.5, True), ("coins", None, None), seed=seed)
        )
    found = read(folder / AUDITS, Audits, HASH)
    came = [(one.name, one.held, one.weight[-1], one.earlier and one.earlier.seed) for one in found.all]
    assert came == [("paired: b", True, 0.5, None), ("paired: a", True, 0.68, 3), ("coins", True, 0.0, 3)]
    text = said(render(folder))
    assert "paired: a 89 in 100 ε 2.00 66 in 100 ε 0.68 held" in text
    assert "An earlier call found this, on 24 November 2026, 10:00 UTC, for at most 1 h 0 min, seed 3" in text
    assert (
        "All three audits held: none found that more gets out than the plan says. Two lower bounds of epsilon were"
        in text
    )


def test_another_try_mends_no_broken_promise(folder):
    kept.audited(folder, audits(("paired: a", 3.0, False), ("coins", None, False)))
    kept.audited(folder, audits(("paired: a", 4.0, True), ("coins", None, True), seed=1))
    found = read(folder / AUDITS, Audits, HASH)
    assert (found.held, [one.held for one in found.all]) == (False, [False, False])
    assert "A promise is broken: paired: a and coins." in said(render(folder))


def test_an_audit_that_proved_no_epsilon_says_so_and_counts_what_says_nothing(folder):
    kept.audited(folder, audits(("paired: a", None, None), ("one run", 0.0, None), ("coins", None, True)))
    assert (
        "1 of 3 audits held: none found that more gets out than the plan says; 2 say nothing. No lower bound of "
        "epsilon was proved." in said(render(folder))
    )


def test_where_nothing_could_be_tried_the_report_claims_nothing_of_attacks_that_work(folder):
    skipped = [one(name, False, None, tried=False, of=(), words="was not tried: no sum") for name in ("gram", "loss")]
    kept.attacked(folder, HASH, call(*skipped, who=("b",), before=True))
    text = said(render(folder))
    assert "No attack could be tried with what b read in this run and an earlier one" in text
    for claim in ("None of no", "All work", "compared with the true rows"):
        assert claim not in text.split("What attacks found")[-1].split("could not be tried, and why")[0], claim


def test_the_best_membership_attack_of_all_coalitions_is_named_with_its_control(folder):
    weak, strong = (
        one(name, False, sort="membership", score=score) for name, score in (("loss", 0.01), ("lira", 0.03))
    )
    kept.attacked(folder, HASH, call(weak))
    kept.attacked(folder, HASH, call(strong, who=("server", "va")))
    text = said(render(folder))
    assert "lira , with what the coordinator and va read, failed : 1 of 1." in text
    assert "It works on made-up rows that nothing protects." in text
    kept.attacked(folder, HASH, call(one("rmia", sort="membership", score=0.02), who=("va",)))
    assert "rmia , with what va read, succeeded" in said(render(folder))


def test_beside_a_guess_at_who_took_part_stands_what_found_rows_themselves(folder):
    kept.attacked(folder, HASH, call(one("published", False, sort="membership"), one("rates", False)))
    assert "More than that is known" not in said(render(folder))
    kept.attacked(folder, HASH, call(one("tracker"), who=("va",), before=True))
    assert "More than that is known: tracker succeeded with what some parties read." in said(render(folder))


@pytest.mark.parametrize(
    ("sample", "words"), [(heart, "The noise of this plan was not audited"), (clear, "Nothing of this run has noise")]
)
def test_no_audit_of_noise_is_missed_where_there_is_none(tmp_path, sample, words):
    run, details = sample()
    folder = write(tmp_path / "run", run, details)
    kept.attacked(folder, details.plan_hash or run["plan"]["hash"], call(one("loss", False, sort="membership")))
    assert words in said(render(folder))


def test_made_up_rows_stand_beside_guesses_and_what_was_not_found_is_not_shown(folder):
    views = (
        View(title="in the clear", attack="analytic", found=(True, True), near=(200.0, 200.0), why="",
             cells=(("63", "f"), ("41", "m"))),
        View(title="under masks", attack="analytic", found=(True, False), near=(200.0, 9.0), why="",
             cells=(("63", "f"), ("17", "x"))),
        View(title="with noise, epsilon 8", attack="", found=(), near=(), why="no attack had a guess"),
    )  # fmt: skip
    rows = MadeUp(seed=0, when="2026-11-24T10:00:00+00:00", columns=("age", "sex"), cells=(("63", "f"), ("41", "m")))
    kept.attacked(folder, HASH, call(one()))
    kept.attacked(folder, HASH, msgspec.structs.replace(rows, views=views))
    assert len(read(folder / ATTACKS, Attacks, HASH).calls) == 1
    text = said(render(folder))
    assert "In the clear 2 of 2 found by analytic" in text
    assert "Under masks 1 of 2 found by analytic" in text
    assert "With noise, epsilon 8 none of 2 found: no attack had a guess" in text
    assert "The row itself 41 m Found in the clear 41 m Found under masks not found" in text
    assert "17" not in text.split("What the coordinator could see")[2].split("Timeline")[0].replace("2017", "")


def test_made_up_pictures_are_drawn_pixel_by_pixel_and_say_how_near_they_are(folder):
    true, guess = ("0f", "f0"), ("0f", "ff")
    view = View(title="in the clear", attack="inversion", found=(True,), near=(31.0,), why="", pictures=(guess,))
    kept.attacked(folder, HASH, MadeUp(seed=0, when="", pictures=(true,), views=(view,)))
    page = render(folder)
    assert Tree(page).errors == []
    assert '<path fill="rgb(255 255 255)" d="M1 0h1v1h-1zM0 1h1v1h-1z"/>' in page
    assert '<path fill="rgb(255 255 255)" d="M1 0h1v1h-1zM0 1h1v1h-1zM1 1h1v1h-1z"/>' in page
    assert "31 dB: found" in said(page)
    idents = re.findall(r' id="([^"]+)"', page)
    assert len(idents) == len(set(idents))
