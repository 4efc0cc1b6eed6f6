"""Tables of variants say what is wrong where a word, or a whole room, is not there."""

import pytest

from potluck.core.errors import PlanError
from potluck.core.registry import Known, Registry


def test_a_table_whose_room_is_not_loaded_says_what_to_import():
    with pytest.raises(LookupError, match=r"fills no\.such\.key: import potluck\.tasks\.catalog"):
        Known("no.such.key").words()


def test_a_word_is_registered_once_and_an_unknown_one_is_refused_with_the_nearest():
    table = Registry("toy.kind")
    table.register("apple", 1)
    with pytest.raises(ValueError, match="has 'apple' already"):
        table.register("apple", 2)
    with pytest.raises(PlanError, match='did you mean "apple"'):
        table.of("appel")
