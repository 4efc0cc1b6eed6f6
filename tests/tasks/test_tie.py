"""What a run is tied to: the rows as it uses them, whatever order they come in."""

import numpy as np
import pytest

from potluck.core.desk import Desk
from potluck.core.ledger import Volatile
from potluck.core.party import site
from potluck.core.rounds import Cause, RoundId
from potluck.core.steps import recorded
from potluck.learning.data.columns import Own
from potluck.learning.data.encode import Encoding
from potluck.learning.data.table import Table
from potluck.secret.container import Secret
from potluck.tasks.matching.alignment import Keys
from potluck.tasks.tie import Tie, of_columns, of_keys, of_table

KEY = Secret(bytes(range(32)))
N = 20


def table(**other):
    rng = np.random.default_rng(3)
    rows = {
        "features": rng.normal(size=(N, 3)),
        "target": rng.integers(0, 2, N).astype(float),
        "person": np.arange(N) // 2,
        "test": rng.random(N) < 0.3,
        "columns": {"x": rng.normal(size=N)},
    }
    return Table(schema=(), **(rows | other))


def moved(one, order):
    """The same rows in another order, persons being numbered as they appear."""
    known = {}
    person = [known.setdefault(who, len(known)) for who in one.person[order].tolist()]
    columns = {name: values[order] for name, values in one.columns.items()}
    return Table(one.features[order], one.target[order], np.array(person), one.test[order], columns, one.schema)


def test_the_order_of_rows_does_not_count():
    one = table()
    assert of_table(moved(one, np.random.default_rng(1).permutation(N)), KEY).digest == of_table(one, KEY).digest
    blocks = of_table(table(person=None, features=np.zeros((40_000, 3)), target=np.arange(40_000.0),
                            test=np.zeros(40_000, bool), columns={}), KEY)  # fmt: skip
    turned = of_table(table(person=None, features=np.zeros((40_000, 3)), target=np.arange(40_000.0)[::-1],
                            test=np.zeros(40_000, bool), columns={}), KEY)  # fmt: skip
    assert blocks.digest == turned.digest


def test_where_sums_depend_on_the_order_of_rows_it_counts():
    for one in (table(), table(person=None)):
        back = Table(one.features[::-1], one.target[::-1], None if one.person is None else one.person[::-1],
                     one.test[::-1], {"x": one.columns["x"][::-1]}, one.schema)  # fmt: skip
        assert of_table(back, KEY, ordered=True).digest != of_table(one, KEY, ordered=True).digest
        assert of_table(back, KEY).digest == of_table(one, KEY).digest  # the control


@pytest.mark.parametrize("part", ["features", "target", "person", "test", "columns"])
def test_every_part_of_a_row_counts(part):
    one = table()
    value = getattr(one, part)
    changed = {"x": value["x"].copy()} if part == "columns" else value.copy()
    cells = changed["x"] if part == "columns" else changed
    cells[5] = ~cells[5] if part == "test" else cells[5] + 1
    assert of_table(table(**{part: changed}), KEY).digest != of_table(one, KEY).digest


def test_which_side_a_row_is_on_counts_of_three_sides():
    """A row that moves from training to validation would be told by the difference of two looks."""
    one, free = table(), ~table().test
    sides = [np.zeros(N, bool), free & (np.arange(N) % 2 == 0), free & (np.arange(N) % 2 == 1), free]
    found = {of_table(table(validation=side), KEY).digest for side in sides}
    assert len(found) == len(sides)
    assert of_table(one, KEY).digest == of_table(table(validation=sides[0]), KEY).digest
    turned = [name[::-1] for name in (one.features, one.target, one.test, sides[1])]
    back, plain = (table(person=None, features=turned[0], target=turned[1], test=turned[2], validation=turned[3],
                         columns={"x": one.columns["x"][::-1]}), table(person=None, validation=sides[1]))  # fmt: skip
    assert of_table(back, KEY).digest == of_table(plain, KEY).digest  # the control: their order does not


def owned(order=slice(None), **other):
    """An owner's keys and columns; its fourth row has no key."""
    rows = np.array([0, 1, 2, 4])[order]
    digests = b"".join(bytes([row]) * 16 for row in rows.tolist())
    columns = {"x": np.arange(5.0), **other}
    how = Encoding(fields=(), missing=())
    return Keys(digests, rows, ()), Own(columns, np.array([0, 1, 0, 1, 0.0]), None, 5, how)


def test_keys_and_columns_count_and_their_order_does_not():
    keys, own = owned()
    assert of_columns(*owned(np.array([2, 0, 3, 1])), KEY).digest == of_columns(keys, own, KEY).digest
    assert of_columns(*owned(x=np.array([0, 1, 2, 9, 4.0])), KEY).digest == of_columns(keys, own, KEY).digest
    assert of_columns(*owned(x=np.array([0, 1, 2, 3, 9.0])), KEY).digest != of_columns(keys, own, KEY).digest
    assert of_columns(*owned(slice(3)), KEY).digest != of_columns(keys, own, KEY).digest
    assert of_keys(owned(np.array([2, 0, 3, 1]))[0], KEY).digest == of_keys(keys, KEY).digest
    assert of_keys(owned(slice(3))[0], KEY).digest != of_keys(keys, KEY).digest


def half():
    return "took part"
    yield


def ended(ledger, digest, number):
    tie = Tie(KEY, digest)
    round_ = RoundId("run", number)
    desk = Desk(site("a"), round_, recorded(tie.record("run"), round_, half()), None, None, ledger)
    assert desk.start() == []
    return desk.result or desk.abort.cause


def test_a_run_goes_on_with_the_rows_that_it_began_with_and_no_others():
    ledger = Volatile()
    told = [ended(ledger, digest, number) for number, digest in enumerate([b"old", b"old", b"new", b"old"])]
    assert told == ["took part", "took part", Cause.CHANGED, "took part"]
    assert ended(Volatile(), b"new", 1) == "took part"  # another run
