"""What a server may send a site of its own accord, made with the coordinator's real keys; and a box, emptied."""

import os
from hashlib import sha256

import msgspec

from potluck.core.plan import CODE, canonical, digest
from potluck.core.wire import dump
from potluck.learning.loops import build
from potluck.members.home import CoordinatorHome
from potluck.parties.admission.session import Proposal
from potluck.parties.runners.identity import identity
from potluck.tasks.announcement import Announcement


def server(fed):
    return identity(CoordinatorHome.at(fed.folder / "fed").open(0.0 + os.stat(fed.folder / "fed").st_mtime))


def proposal(fed, spec, **other):
    it = CoordinatorHome.at(fed.folder / "fed").open(os.stat(fed.folder / "fed").st_mtime).federation
    first = next(build(spec).lead())
    made = Proposal(CODE, it.version, it.digest, canonical(spec), sha256(first.state).digest(), b"")
    return msgspec.structs.replace(made, **other)


def by_person(fed, name):
    policy = fed.folder / name / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', 'rule = "person"'))


def announced(spec):
    first = next(build(spec).lead())
    return dump(Announcement(digest(spec), first.kind, first.step, first.state))


def drained(fed, party):
    box, found = fed.exchange.box(party), []
    while not box.empty():
        found.append(box.get())
    return found
