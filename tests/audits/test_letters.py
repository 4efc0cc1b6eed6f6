"""A masked letter that holds what its site gave is seen, by one number of it too, and no letter under masks is."""

import json

import pytest

import potluck
from potluck.audits.letters import letters
from potluck.audits.record import Record
from potluck.core.errors import UsageError
from potluck.mpc.mask.messages import INPUT
from potluck.tasks.sums.halves import GAVE
from support.audits.recorded import changed


def given(folder, site):
    """What a site gave in the last round."""
    lines = [json.loads(line) for line in (folder / "parcels" / "index.jsonl").read_text().splitlines()]
    line = [one for one in lines if (one["step"], one["from"]) == (GAVE, site)][-1]
    return line["round"], (folder / "parcels" / line["file"]).read_bytes()


def altered(masked, folder, site, alter):
    """The record in which a site's masked letter of the last round is another one."""
    number, gave = given(masked[0], site)

    def body(line, old):
        mine = (line["step"], line["from"], line["round"], line["to"]) == (INPUT, site, number, "server")
        return alter(old, gave) if mine else old

    return letters(Record.read(changed(masked[0], folder, body) / "parcels"))


def test_masks_hide_every_number_and_the_control_is_seen(masked):
    it = letters(Record.read(masked[0] / "parcels"))
    assert it.verdict.succeeded is False
    assert it.control
    assert it.of == ("a", "b", "c")
    assert "hold nothing of what was given as it is (0 of " in it.verdict.words


def test_a_number_that_no_mask_hides_is_seen_among_many(masked, tmp_path):
    it = altered(masked, tmp_path / "run", "b", lambda old, gave: old[:8] + gave[8:16] + old[16:])
    assert it.verdict.succeeded
    assert it.of == ("b",)
    assert "masked letters of site b hold what was given, as it is (2 of " in it.verdict.words


def test_a_letter_of_another_length_is_named(masked, tmp_path):
    with pytest.raises(UsageError, match=r"[0-9]{6}\.bin: is not as long as what its site gave"):
        altered(masked, tmp_path / "run", "b", lambda old, gave: old[:-8])


@pytest.mark.slow
def test_it_is_said_of_what_the_server_reads_and_where_something_is_masked(masked, one_row):
    assert letters(Record.read(one_row[0] / "parcels")) is None
    for who, said in (("server", True), ("a", False)):
        found = potluck.attack(masked[0], who, data=masked[2], minutes=0.01).results
        assert ("letters" in {one.name for one in found}) is said
