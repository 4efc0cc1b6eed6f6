"""Two results of one intersection say who came in between and who left; letters of two runs say nothing together."""

import pandas as pd
import pytest

import potluck
from potluck.core.errors import UsageError
from potluck.mpc.psi import messages
from potluck.mpc.psi.commitment import Commitment
from support.audits.intersections import plan
from support.audits.recorded import changed
from support.mpc.psi_rig import gathering, met

SLOW = pytest.mark.slow
COMMON = [f"k{number:02}" for number in range(8)]
A, B = [*COMMON, "a1", "a2", "new"], [*COMMON, "b1"]


def run(folder, spec, a, b):
    frames = {"a": pd.DataFrame({"id": a}), "b": pd.DataFrame({"id": b})}
    return potluck.run(spec, frames, out=folder, ledger=folder / "ledgers", record=True), frames


def again(tmp_path, spec, then, now, who="a", rows=True):
    """What is found of two runs; then, now: the keys of a and of b."""
    run(tmp_path / "then", spec, *then)
    done, frames = run(tmp_path / "now", spec, *now)
    data = frames if rows else None
    found = potluck.attack(done.folder, who, data=data, before=tmp_path / "then").results
    (it,) = [one for one in found if one.name == "again"]
    return it


@pytest.mark.parametrize(
    ("then", "now", "came", "went", "who"),
    [
        pytest.param(
            (A, B),
            (A, [*B, "new"]),
            "one key is common that was not",
            "no keys are no longer",
            "b more by 1",
            marks=pytest.mark.slow,
        ),
        ((A, B), (A, [*B[1:], "new"]), "one key is common that was not", "one key is no longer", None),
        pytest.param(
            (A, B), (A, B[1:]), "no keys are common that were not", "one key is no longer", "b fewer by 1", marks=SLOW
        ),
    ],
)
def test_who_learns_members_knows_who_came_and_who_left(tmp_path, then, now, came, went, who):
    it = again(tmp_path, plan(), then, now)
    assert it.of == ("b",)
    assert it.verdict.succeeded
    assert it.control
    words = it.verdict.words
    assert came in words
    assert went in words
    assert (f"owners said to have keys: {who}" in words) if who else ("owners said" not in words)
    assert not any(key in words for key in (*A, *B))


@pytest.mark.slow
def test_nobody_who_came_and_keys_that_only_others_have_are_nothing(tmp_path):
    it = again(tmp_path, plan(), (A, B), (A, [*B, "b2"]))
    assert it.verdict.succeeded is False
    assert "the same keys are common in both runs, and owners said to have keys: b more by 1" in it.verdict.words
    assert it.control


@pytest.mark.parametrize(
    ("key", "more"), [("b1", "1 more key is common"), pytest.param("b2", "0 more keys are common", marks=SLOW)]
)
def test_a_size_says_of_the_one_key_that_a_site_puts_in_whether_all_have_it(tmp_path, key, more):
    it = again(tmp_path, plan(reveal="size"), (A, B), ([*A, key], B))
    assert it.verdict.succeeded
    assert f"{more}, and owners said to have keys: a more by 1" in it.verdict.words
    assert it.control


@pytest.mark.slow
def test_sizes_that_many_keys_moved_or_that_are_the_same_say_little(tmp_path):
    many = again(tmp_path / "many", plan(reveal="size"), (A, B), ([*A, *(f"m{one}" for one in range(5))], [*B, "a1"]))
    assert many.verdict.succeeded is None
    same = again(tmp_path / "same", plan(reveal="size"), (A, B), (A, B))
    assert same.verdict.succeeded is False
    assert same.control


def test_who_learns_nothing_or_has_one_run_compares_nothing(tmp_path):
    it = again(tmp_path, plan(), (A, B), (A, B), who="server")
    assert not it.tried
    assert "none of these parties learns" in it.verdict.words
    done = potluck.attack(tmp_path / "now", "a").results
    (it,) = [one for one in done if one.name == "again"]
    assert "--before" in it.verdict.words


@pytest.mark.parametrize(
    ("wrong", "warned", "succeeded"),
    [
        (["k00", "x1"], "the rows of site b that are here are not those of that run", True),
        pytest.param(
            [*COMMON, "b1", "other"], "are as many as owners said, and nothing else tells", None, marks=pytest.mark.slow
        ),
    ],
)
def test_keys_of_another_run_are_left_out_where_they_are_more_or_fewer_and_else_decide_nothing(
    tmp_path, wrong, warned, succeeded
):
    """Two results need no keys of others; keys that are here and are none of the run's are no proof against them."""
    run(tmp_path / "then", plan(), A, B)
    done, frames = run(tmp_path / "now", plan(), A, [*B, "new"])
    others = frames | {"b": pd.DataFrame({"id": wrong})}
    found = potluck.attack(done.folder, "a", data=others, before=tmp_path / "then")
    (it,) = [one for one in found.results if one.name == "again"]
    assert (it.verdict.succeeded, "are not those of that run" in it.verdict.words) == (succeeded, succeeded is None)
    (said,) = found.warnings()
    assert warned in said
    assert "exact sum" not in said


def spoilt(folder, name, text):
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: spoilt(run, "members.csv", "id\nk00\nk00\n"), "are not the common keys"),
        (lambda run: spoilt(run, "members.csv", "id\n" + "k00,x\n" * 8), "are not the common keys"),
        (lambda run: spoilt(run, "members.csv", "x" * (1 << 20)), "longer than the common keys can be"),
        (lambda run: (run / "members.csv").write_bytes(b"\xff\0"), "are not the common keys"),
        (lambda run: spoilt(run, "run.json", "{}x"), "does not say what came of the run"),
        (lambda run: spoilt(run, "run.json", '{"size": -1}'), "does not say what came of the run"),
        (lambda run: spoilt(run, "run.json", '{"size": 1e99}'), "does not say what came of the run"),
        (lambda run: spoilt(run, "run.json", '{"size": 2000000}'), "more keys are common than a site may have"),
        (lambda run: spoilt(run, "run.json", " " * (1 << 20)), "longer than what a run says of itself"),
    ],
)
def test_a_spoilt_result_is_an_error_that_names_it(done, tmp_path, spoil, words):
    folder = changed(done, tmp_path / "run", lambda line, body: body)
    spoil(folder)
    with pytest.raises(UsageError, match=words):
        potluck.attack(folder, "a")


@pytest.mark.parametrize("body", [b"", b"\x90", b"\xff" * 40, b"\x86" + b"\xc4\x00" * 6])
def test_a_spoilt_letter_is_an_error_that_names_it(done, tmp_path, body):
    folder = changed(done, tmp_path / "run", lambda line, old: body if line["step"] == messages.HELLO else old)
    with pytest.raises(UsageError, match=r"[0-9]{6}.bin: is no owner's word on its keys"):
        potluck.attack(folder, "server,a")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(tmp_path_factory.mktemp("run") / "run", plan(), A, B)[0].folder


# Letters of two runs


def points(monkeypatch, number=1):
    """What owners send each other of the same keys, unsealed: all points of a round."""
    sent, sealed = [], messages.Circle.sealed

    def heard(self, step, to, body):
        sent.extend(body[place : place + 32] for place in range(0, len(body) - 31, 32))
        return sealed(self, step, to, body)

    with monkeypatch.context() as patch:
        patch.setattr(messages.Circle, "sealed", heard)
        desks = met(gathering(2, number=number), [COMMON, COMMON])
    assert all(desk.abort is None for desk in desks.values())
    return set(sent)


def test_no_letter_of_a_run_is_known_again_in_another_one(monkeypatch):
    first, second = points(monkeypatch), points(monkeypatch)
    assert len(first) >= 3 * len(COMMON)
    assert not first & second


def test_letters_under_keys_that_a_fault_keeps_are_known_again(monkeypatch):
    monkeypatch.setattr(Commitment, "draw", lambda self, what: lambda size: b"\7" * size)
    assert len(points(monkeypatch) & points(monkeypatch)) >= len(COMMON)
