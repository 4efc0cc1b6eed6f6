"""The way to the broker, step by step, so that a firewall, a wrong name, a wrong authority and an unknown key are told
apart. Nothing is fetched: what waits for this party goes on waiting.

It speaks for the moment at which it was tried, and says what the broker says: that is not to be trusted.
"""

import asyncio
import contextlib
import json
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import nats.errors

from potluck.core.errors import PotluckError, Unreachable
from potluck.net.address import stream, token
from potluck.net.session import Account, authority_context, connect, explain
from potluck.net.thread import SHARED

PATIENCE = 5.0
"""Seconds for each step."""
Step = Literal["name", "port", "tls", "key", "queues"]


@dataclass(frozen=True, slots=True)
class Probe:
    """failed: the step that did not work, None where all did; error: why; ends: when the broker's certificate does."""

    failed: Step | None = None
    error: PotluckError | None = None
    ends: datetime | None = None


def probe(account: Account) -> Probe:
    """Try every step, up to the first that fails; of several nodes at the first alone. Raises UsageError: the address
    or the authority is none."""
    host, port = account.places[0]
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        hint = "is the name right, and does this machine's DNS know it?"
        return Probe("name", Unreachable(f"the name {host} is not known", where=account.url, hint=hint))
    context = authority_context(account.authority)
    try:
        plain = socket.create_connection((host, port), PATIENCE)
    except TimeoutError:
        hint = "a firewall on the way that lets nothing through looks like this: ask for outbound TCP to that port"
        what = f"port {port} does not answer within {PATIENCE:.0f} seconds"
        return Probe("port", Unreachable(what, where=account.url, hint=hint))
    except OSError:
        hint = "is the broker running, and is the port right? a firewall may refuse, too"
        return Probe("port", Unreachable(f"nothing listens at port {port}", where=account.url, hint=hint))
    with plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as secured:
                ends = _ends(secured)
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors
            return Probe("tls", explain(error, account))
    loop = SHARED.enter()
    try:
        return asyncio.run_coroutine_threadsafe(_signed_in(account, ends), loop).result()
    finally:
        SHARED.leave()


def _ends(secured: ssl.SSLSocket) -> datetime | None:
    said = (secured.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(said), UTC) if isinstance(said, str) else None


async def _signed_in(account: Account, ends: datetime | None) -> Probe:
    try:
        session = await connect(account)
    except PotluckError as error:
        return Probe("key", error, ends)
    try:
        # No message fits into one byte: the broker says that there is one, that there is none, or that there is no
        # queue, and hands none out.
        body = json.dumps({"batch": 1, "no_wait": True, "max_bytes": 1}).encode()
        where = f"$JS.API.CONSUMER.MSG.NEXT.{stream(account.federation)}.{token(account.me)}"
        await session.request(where, body, PATIENCE)
    except nats.errors.NoRespondersError:
        hint = "the coordinator's server makes them when it first runs: nothing to do here"
        what = "the broker has no queues for this federation yet"
        return Probe("queues", Unreachable(what, where=account.url, hint=hint), ends)
    except PotluckError as error:
        return Probe("queues", error, ends)
    except (nats.errors.Error, OSError, TimeoutError):
        what = "the broker did not say whether there is a queue for this party"
        return Probe("queues", Unreachable(what, where=account.url, hint="try again"), ends)
    finally:
        with contextlib.suppress(nats.errors.Error, OSError):
            await session.end(1.0)
    return Probe(ends=ends)
