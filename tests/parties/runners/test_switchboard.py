"""Several runs behind one line: a letter goes to the run it names, and no flood takes the room of another's letters."""

import time

import pytest

from potluck.core.errors import Unreachable
from potluck.core.line import Delivery
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.parties.admission.session import Hello, parcel
from potluck.parties.runners.identity import identity
from potluck.parties.runners.switchboard import FREE, LETTERS, Switchboard
from potluck.parties.runners.turns import Turns
from support.parties import across
from support.parties.lines import Exchange

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    folder = across.found(tmp_path_factory.mktemp("federation"), names="abc")
    found = {name: identity(SiteHome.at(folder / name).open(time.time())) for name in "abc"}
    return found | {"server": identity(CoordinatorHome.at(folder / "fed").open(time.time()))}


class Acked:
    """A line whose letters are counted when they are done with."""

    def __init__(self):
        self.exchange, self.acked = Exchange(), 0

    def put(self, *letters):
        for letter in letters:
            self.exchange.box(SERVER).put(letter)

    def receive(self, wait):
        found = self.exchange.line(SERVER).receive(wait)
        return None if found is None else Delivery(found.data, self._done)

    def _done(self):
        self.acked += 1


def letter(known, name, run=ONE, body=b"", number=1, step="clear/input"):
    return known[name].close(SERVER, Parcel(Label(RoundId(run, number), step), body))


def forged(real):
    """The same letter, whose signature does not hold."""
    return real[:-1] + bytes([real[-1] ^ 1])


def read(line):
    found = []
    while (delivery := line.receive(0.0)) is not None:
        delivery.done()
        found.append(bytes(delivery.data))
    return found


@pytest.fixture
def board(known):
    line = Acked()
    board = Switchboard(line)
    return line, board, [board.join(run, known["server"].apart()) for run in (ONE, TWO)]


def hand(board):
    while board.hand(0.0):
        pass


def test_each_run_reads_what_names_it_and_all_hear_a_first_word(known, board):
    line, board, (one, two) = board
    mine, other, lost = letter(known, "a"), letter(known, "a", TWO), letter(known, "a", "3" * 32)
    hello = known["b"].close(SERVER, parcel("", Hello(bytes(16))))
    line.put(mine, other, lost, b"no letter", hello)
    hand(board)
    assert line.acked == 3  # what nobody reads, and the first word, which the next process hears again
    assert read(one) == [mine, hello]
    assert read(two) == [other, hello]
    assert (line.acked, board.dropped) == (5, 2)


def test_forgeries_in_anothers_name_take_no_room_of_its_letters(known, board):
    line, board, (one, two) = board
    honest = letter(known, "a", body=b"mine")
    line.put(*[forged(letter(known, "a", body=n.to_bytes(2, "big"))) for n in range(FREE + 300)], honest)
    hand(board)
    assert read(two) == []
    assert board.dropped == 300
    assert read(one)[-1] == honest


def test_who_sends_more_than_a_run_takes_loses_its_own_letters_alone(known, board):
    line, board, (one, two) = board
    line.put(*[letter(known, "c", body=n.to_bytes(2, "big")) for n in range(FREE + LETTERS + 50)])
    line.put(letter(known, "a", body=b"mine"), letter(known, "c", TWO))
    hand(board)
    assert board.dropped == 50
    found = [known["server"].disclose(one)[0] for one in read(one)]
    assert found.count(site("c")) == FREE + LETTERS
    assert found[-1] == site("a")
    assert len(read(two)) == 1
    line.put(letter(known, "c", body=b"later"))  # the control: once they are read there is room again
    hand(board)
    assert len(read(one)) == 1


def test_a_run_that_left_reads_nothing_and_a_line_that_broke_says_so_to_all(known, board):
    line, board, (one, two) = board
    one.close()
    line.put(letter(known, "a"))
    hand(board)
    assert (line.acked, board.dropped) == (1, 1)
    with pytest.raises(Unreachable, match="closed"):
        one.receive(0.0)
    board.end(Unreachable("the broker is gone"))
    with pytest.raises(Unreachable, match="the broker is gone"):
        two.receive(60.0)


def test_what_one_run_forgets_another_still_has(known):
    me = known["server"]
    first, second = me.apart(), me.apart()
    label = Label(RoundId(ONE, 1), "clear/begin")
    for mine in (first, second):
        mine.close(site("a"), Parcel(label, b""))
    kept = dict(second.senders._open)
    first.forget()
    assert first.senders._open == {}
    assert second.senders._open == kept != {}


def test_turns_are_given_in_the_order_in_which_runs_were_ready():
    turns = Turns(2)
    assert turns.take("a", 3.0)
    assert turns.take("b", 4.0)
    assert not turns.take("late", 9.0)
    assert not turns.take("early", 5.0)
    turns.leave("a")
    assert not turns.take("late", 9.0)  # one was ready before it
    assert turns.take("early", 5.0)
    assert turns.take("b", 4.0)  # whoever has a turn keeps it
    turns.leave("b")
    assert turns.take("late", 9.0)
