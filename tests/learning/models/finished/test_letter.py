"""What the server sends of finished models: their files, taken for nothing else."""

import msgspec
import pytest

from potluck.core.errors import GraphError
from potluck.core.plan import Plan, canonical, digest
from potluck.core.wire import dump, load
from potluck.learning.models.finished.letter import Models, OneModel
from potluck.learning.models.sent import awaited, key_of, lacks, letter_of, with_letter
from potluck.tasks import catalog
from support.learning.judged import finished, plan


def across(made):
    """The plan as another party reads it."""
    return msgspec.json.decode(canonical(made.spec), type=Plan)


@pytest.mark.torch
def test_a_plan_arrives_with_its_models_and_is_the_same_plan(tmp_path):
    made = plan(tmp_path, [finished(), finished("trees"), finished("network")])
    here = across(made)
    assert lacks(here)
    assert awaited(here, catalog.check(here)[0])
    whole = with_letter(here, letter_of(made.spec))
    assert digest(whole) == digest(made.spec)
    assert not lacks(whole)
    assert catalog.check(whole) == ([], [])
    assert [one.digest() for one in whole.models] == list(made.spec.model.digests)
    assert letter_of(whole) == letter_of(made.spec)


def changed(letter, **parts):
    (one,) = load(letter, Models).models
    return dump(Models((msgspec.structs.replace(one, **parts),)))


HOSTILE = {
    "nothing": lambda letter: b"",
    "noise": lambda letter: bytes(range(256)) * 4,
    "no model": lambda letter: dump(Models(())),
    "one model too many": lambda letter: dump(Models(load(letter, Models).models * 2)),
    "another model": lambda letter: changed(letter, text=load(letter, Models).models[0].text + b" "),
    "weights beside none": lambda letter: changed(letter, beside=b"x" * 100) + b"x",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_other_bytes_are_refused_before_they_are_read(tmp_path, what):
    made = plan(tmp_path, [finished()])
    with pytest.raises(GraphError):
        with_letter(across(made), HOSTILE[what](letter_of(made.spec)))


def test_another_networks_weights_are_refused(tmp_path):
    made = plan(tmp_path, [finished("network")])
    (one,) = load(letter_of(made.spec), Models).models
    spoilt = bytearray(one.beside)
    spoilt[-1] ^= 1
    with pytest.raises(GraphError, match="not the weights"):
        with_letter(across(made), dump(Models((OneModel(one.text, bytes(spoilt)),))))


def test_a_name_of_a_letter_follows_from_all_digests_in_their_order(tmp_path):
    one, other = (plan(tmp_path, models).spec for models in ([finished()], [finished(), finished("trees")]))
    turned = msgspec.structs.replace(
        other, model=msgspec.structs.replace(other.model, digests=other.model.digests[::-1])
    )
    assert len({key_of(spec) for spec in (one, other, turned)}) == 3
