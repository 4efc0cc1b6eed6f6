"""What whoever sits at a notebook meets first: names that can be completed, and a verdict in words."""

import potluck


def test_all_names_of_the_door_can_be_completed():
    assert set(potluck.__all__) <= set(dir(potluck))


def test_the_summary_of_a_plan_that_cannot_run_says_why(tmp_path):
    verdict = potluck.check(tmp_path / "none.toml")
    assert verdict.summary() == f"cannot run: {verdict.errors[0]}"
    assert "none.toml" in verdict.summary()
