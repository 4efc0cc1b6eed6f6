"""The broker's nats.conf: TLS 1.3 from the first byte, one nkey a party, everything denied that is not named here.

A site may publish only on its own queues to the server and to compute parties, fetch and acknowledge only its own
letters, listen only on its own inbox, and read the newest federation file, which only the server puts up; a compute
party likewise, on its own queues to all members. The server may publish to all and set up queues. No monitoring port,
no other accounts. Where there are several nodes they keep each other's copies over TLS 1.3, both sides with
certificates of the federation's authority; anybody else is hung up on.
Paths are relative to the configuration's folder, which may be moved as a whole. Reference: NATS documentation,
"Authorization".
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from potluck.core.party import SERVER, Party, Role
from potluck.net.address import NOTICE, inbox, lease_stream, notice_stream, notice_subject, stream, subject, token

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker may use. file: bytes on disk."""

    file: int = 8 * GIB
    connections: int = 64


@dataclass(frozen=True, slots=True)
class Cluster:
    """Of one of several nodes. number: its own, from 1; listen: address and port for the others; others: theirs."""

    number: int
    listen: str
    others: tuple[str, ...]


def text(identity: str, listen: str, users: Mapping[Party, str], limits: Limits, cluster: Cluster | None = None) -> str:
    """The configuration. listen: address and port; users: each party's public nkey ("U..."); cluster: None of one."""
    accounts = ",\n".join(_user(identity, party, key, users) for party, key in sorted(users.items()))
    connections = limits.connections + 4 * len(users)
    return f"""# Written by potluck: changes are lost when a member is added.
server_name: {_quoted("potluck_" + identity + (f"_{cluster.number}" if cluster else ""))}
listen: {_quoted(listen)}
pid_file: "nats.pid"
log_file: "nats.log"
logfile_size_limit: 10MB
max_payload: {NOTICE + 4096}
max_connections: {connections}
max_subscriptions: 32
ping_interval: "5s"
ping_max: 3
write_deadline: "30s"
jetstream {{ store_dir: "store", max_memory_store: 16MB, max_file_store: {limits.file} }}
tls {{ cert_file: "server.pem", key_file: "server.key", min_version: "1.3", handshake_first: true, timeout: 10 }}
{_cluster(identity, cluster) if cluster else ""}authorization {{
 timeout: 10
 users: [
{accounts}
 ]
}}
"""


def _cluster(identity: str, it: Cluster) -> str:
    routes = json.dumps([f"nats-route://{other}" for other in it.others])
    return f"""cluster {{
 name: {_quoted("potluck_" + identity)}
 listen: {_quoted(it.listen)}
 no_advertise: true
 routes: {routes}
 tls {{
  cert_file: "server.pem", key_file: "server.key", ca_file: "ca.pem"
  verify: true, min_version: "1.3", timeout: 10
 }}
}}
"""


def _user(identity: str, party: Party, key: str, users: Collection[Party]) -> str:
    publish, listen = _server(identity) if party.role is Role.SERVER else _member(identity, party, users)
    rights = f"publish: {{ allow: {json.dumps(publish)} }}, subscribe: {{ allow: {json.dumps(listen)} }}"
    return f"  {{ nkey: {_quoted(key)}, permissions: {{ {rights} }} }}"


def _member(identity: str, party: Party, users: Collection[Party]) -> tuple[list[str], list[str]]:
    mine = f"{stream(identity)}.{token(party)}"
    pairs = (Role.SITE, Role.COMPUTE), (Role.COMPUTE, Role.SITE), (Role.COMPUTE, Role.COMPUTE)
    others = [one for one in sorted(users) if one != party and (one.role, party.role) in pairs]
    publish = [subject(identity, one, party) for one in (SERVER, *others)]
    publish += [f"$JS.API.CONSUMER.MSG.NEXT.{mine}", f"$JS.ACK.{mine}.>"]
    publish.append(f"$JS.API.STREAM.MSG.GET.{notice_stream(identity)}")
    return publish, [f"{inbox(party)}.>", notice_subject(identity)]


def _server(identity: str) -> tuple[list[str], list[str]]:
    publish = [f"potluck.{identity}.>"]
    for name in (stream(identity), lease_stream(identity), notice_stream(identity)):
        publish += [f"$JS.API.STREAM.{verb}.{name}" for verb in ("CREATE", "UPDATE", "INFO", "MSG.GET")]
        verbs = ("CREATE", "DURABLE.CREATE", "DELETE", "INFO", "MSG.NEXT")
        publish += [f"$JS.API.CONSUMER.{verb}.{name}.>" for verb in verbs]
        publish += [f"$JS.API.CONSUMER.NAMES.{name}", f"$JS.ACK.{name}.>"]
    return publish, [f"{inbox(SERVER)}.>"]


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
