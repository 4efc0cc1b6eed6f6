"""One site, asked: its policy changed, and what it answers to a proposal."""

from potluck.core.party import SERVER, site
from potluck.core.wire import load
from potluck.parties.admission.session import ANSWER, Answer, parcel
from support.hostile.proposals import proposal, server

RUN, OTHER = "ab" * 16, "cd" * 16


def policy(fed, name, *changes):
    path = fed.folder / name / "policy.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def answer(fed, one, spec, run=RUN):
    """What site a answers to a proposal of this plan."""
    me, box = server(fed), fed.exchange.box(SERVER)
    while not box.empty():
        box.get()
    one._open(me.close(site("a"), parcel(run, proposal(fed, spec))))
    while not box.empty():
        _, said = me.disclose(box.get())
        if said.label.step == ANSWER:
            return load(said.body, Answer)
    raise AssertionError("no answer")
