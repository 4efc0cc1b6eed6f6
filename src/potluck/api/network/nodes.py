"""A node of the broker on another machine: its folder, and the federation's newer files there.

What is taken along: this node's key, certificate and configuration, and the signed federation file. The authority's
key and the coordinator's stay. All that changes with the members follows from the federation file, so that nothing
private travels twice.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.members import charter, files, tables
from potluck.members.federation import Federation, accept
from potluck.members.home import CoordinatorHome
from potluck.net import broker


class NodeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """node.toml: which of the broker's nodes this folder is."""

    version: Literal[1]
    node: int


@dataclass(frozen=True)
class Node:
    """A node's folder as it is shown. file: version of the federation file by which it knows its users; running:
    whether a program there reads them anew."""

    node: int
    folder: str
    address: str
    file: int
    running: bool = False


def export(folder: Path, node: int, out: Path, now: float, renew: bool = False) -> Node:
    """Write node `node` of the federation in FOLDER into the new folder `out`, to be taken to its machine.

    renew: with a new certificate. Raises UsageError: no such node, or `out` is there already. Refused: the federation
    file is not what was issued.
    """
    federation = CoordinatorHome.at(folder).open(now).federation
    if not broker.nodes(folder):
        hint = "three nodes: potluck federation new FOLDER, with --broker three times"
        raise UsageError("this federation's broker has one node", where=str(folder), hint=hint)
    room = broker.room(folder, node)
    if renew:
        broker.renew(folder, now, node)
    files.folder(out)
    try:
        files.folder(out / broker.ROOM)
        for name in broker.FILES:
            mode = files.PUBLIC if name.endswith(".pem") else files.PRIVATE
            files.create(out / broker.ROOM / name, private.read(room / name), mode)
        marker = tables.write(NodeFile(1, node), "a node of the broker: potluck broker FOLDER serves it")
        files.create(out / "node.toml", marker.encode(), files.PRIVATE)
        files.create(out / "federation.toml", private.read(CoordinatorHome.at(folder).federation), files.PUBLIC)
    except BaseException:
        shutil.rmtree(out)
        raise
    return _shown(out, node, federation)


def follow(folder: Path, file: Path, now: float) -> Node:
    """The node in FOLDER knows the users of a newer federation file from now on, also one that runs.

    Raises UsageError: no node's folder, malformed, or the broker's addresses changed. Refused: forged, expired, older.
    """
    marker = folder / "node.toml"
    if not marker.is_file():
        hint = "potluck broker FEDERATION --node N --export FOLDER; the coordinator's own nodes need no file"
        raise UsageError("is no folder of a node", where=str(folder), hint=hint)
    number = tables.read(files.text(marker, "node file"), NodeFile, str(marker)).node
    pinned = charter.read(folder / "federation.toml")
    text = files.text(file, "federation file")
    offered = charter.parse(text, str(file))
    accept(offered, pinned, now)
    if offered.broker != pinned.broker or not 1 <= number <= len(offered.addresses):
        hint = "potluck broker FEDERATION --node N --export FOLDER, anew"
        raise UsageError("the broker's addresses have changed", where=str(file), hint=hint)
    room = broker.room(folder)
    try:
        broker.configure(room, offered.id, offered.addresses, number, offered.users())
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=str(room)) from None
    files.replace(folder / "federation.toml", text.encode())
    return _shown(folder, number, offered, broker.reload(folder))


def _shown(folder: Path, node: int, federation: Federation, running: bool = False) -> Node:
    host, port = federation.addresses[node - 1]
    return Node(node, str(folder.absolute()), f"tls://{host}:{port}", federation.version, running)
