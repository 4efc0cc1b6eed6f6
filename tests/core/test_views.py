"""Collusion is a computation over the same rows that are printed."""

from potluck.core.party import SERVER, site
from potluck.core.views import AllOf, AnyOf, Assumption, Form, Never, Together, View, breaks, together

A, B, C = site("a"), site("b"), site("c")


def test_conditions_count_members():
    two = Together(2, frozenset({A, B, C}))
    assert breaks(two, frozenset({A, C, SERVER}))
    assert not breaks(two, frozenset({A, SERVER}))
    assert breaks(AnyOf((Never(), two)), frozenset({A, B}))
    assert not breaks(AllOf((Assumption("a cipher breaks"), two)), frozenset({A, B}))


def test_a_coalition_sees_the_most_that_any_member_sees_or_breaks():
    views = [
        View(SERVER, "a's update", Form.MASKED, Together(1, frozenset({B})), "s"),
        View(B, "a's update", Form.NOTHING, Never(), "s"),
        View(B, "b's update", Form.PLAIN, Never(), "s"),
    ]
    alone = {v.of: v.form for v in together(views, frozenset({SERVER}))}
    both = {v.of: v.form for v in together(views, frozenset({SERVER, B}))}
    assert alone == {"a's update": Form.MASKED}
    assert both == {"a's update": Form.PLAIN, "b's update": Form.PLAIN}
