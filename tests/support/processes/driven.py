"""The real program, which at one chosen letter kills itself, or the broker, with -9: `driven.py FOLDER NAME VERB...`.

It wraps the line to the broker and nothing else. Every letter gets a line in FOLDER/NAME.letters before it moves, so
that the lines outlive the kill. VERB `office FED AT_ONCE` is no verb of the program: an office, until it is ended.
FOLDER/NAME.trap (JSON: see `Trap` in `rig`) says where to die; it is renamed to
NAME.sprung at that moment, so that it springs once. FOLDER/fixed has sites draw as `support.dp.fixed_draws` does.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from potluck.api.network.office import opened
from potluck.cli import main
from potluck.core.errors import Unreachable
from potluck.core.line import Delivery
from potluck.core.party import Party
from potluck.net.link import Link
from potluck.secret.envelope import Header

FOLDER, NAME = Path(sys.argv[1]), sys.argv[2]


def header(data: bytes) -> Header:
    """What a letter says about itself; it is signed, not sealed."""
    return msgspec.msgpack.decode(data[8 : 8 + int.from_bytes(data[4:8], "big")], type=Header)


def note(moment: str, about: Header) -> None:
    line = {
        "pid": os.getpid(),
        "moment": moment,
        "run": about.run,
        "round": about.number,
        "step": about.step,
        "from": about.from_name,
        "to": about.to_name,
    }
    with (FOLDER / f"{NAME}.letters").open("a") as file:
        file.write(json.dumps(line) + "\n")


def springs(moment: str, about: Header) -> str | None:
    """Whose pid file says who is to die here ("": this process); None: nobody."""
    try:
        wanted = json.loads((FOLDER / f"{NAME}.trap").read_text())
    except FileNotFoundError:
        return None
    if (wanted["moment"], wanted["step"], wanted["round"]) != (moment, about.step, about.number):
        return None
    if wanted["peer"] and wanted["peer"] not in (about.from_name, about.to_name):
        return None
    return str(wanted["pid_file"])


def spring(moment: str, about: Header) -> None:
    """Die here, where the trap says so."""
    victim = springs(moment, about)
    if victim is None:
        return
    (FOLDER / f"{NAME}.trap").rename(FOLDER / f"{NAME}.sprung")
    os.kill(int(Path(victim).read_text()) if victim else os.getpid(), signal.SIGKILL)


send, send_all, receive = Link.send, Link.send_all, Link.receive


def noted_send(self: Link, to: Party, data: bytes, patience: float) -> None:
    about = header(data)
    spring("before send", about)
    note("send", about)
    send(self, to, data, patience)
    spring("after send", about)


def noted_send_all(self: Link, letters: Sequence[tuple[Party, bytes]], patience: float) -> Mapping[Party, Unreachable]:
    """In two parts where the trap is in the middle: what is before it has gone out, what is after it has not."""
    for place, (_, data) in enumerate(letters):
        about = header(data)
        for moment, first in (("before send", place), ("after send", place + 1)):
            if springs(moment, about) is not None:
                failed = _out(self, letters[:first], patience)
                spring(moment, about)
                return {**failed, **_out(self, letters[first:], patience)}
    return _out(self, letters, patience)


def _out(self: Link, letters: Sequence[tuple[Party, bytes]], patience: float) -> Mapping[Party, Unreachable]:
    for _, data in letters:
        note("send", header(data))
    return send_all(self, letters, patience)


def noted_receive(self: Link, wait: float) -> Delivery | None:
    delivery = receive(self, wait)
    if delivery is None:
        return None
    try:
        about = header(delivery.data)
    except Exception:  # a hostile broker's
        return delivery
    note("received", about)
    spring("on receipt", about)

    def done() -> None:
        spring("when done", about)
        delivery.done()

    return Delivery(delivery.data, done)


if (FOLDER / "fixed").exists():
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from support.dp import fixed_draws

    fixed_draws.fix()

Link.send, Link.send_all, Link.receive = noted_send, noted_send_all, noted_receive
sys.argv = ["potluck", *sys.argv[3:]]
if sys.argv[1] == "office":
    with opened(sys.argv[2], at_once=int(sys.argv[3])):
        signal.pause()
main()
