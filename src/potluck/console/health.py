"""`/healthz` and `/metrics`: what monitoring asks of a process that runs, on loopback, over a port of its own.

Every user of the machine may ask, as a collector is another user; so whatever stands here must be fit for all of them
(`api.network.running.health`). It only answers: GET and HEAD, no session, no cookie, no form. A request must name this
very machine (DNS rebinding), and no page of another site reads or shows what is served (`console.origin`).
References: Prometheus' text format 0.0.4, and its naming of metrics.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

import uvicorn
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from potluck.api.network.running.health import Figure, Health
from potluck.console.origin import Guard, Origin
from potluck.console.serve import listening, settings

Look = Callable[[], Health]


class _Figures(Collector):
    """What a registry asks."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = tuple(figures)

    def collect(self) -> Iterator[Metric]:
        """A family each."""
        for one in self._figures:
            kind = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
            family = kind(one.name, one.what, labels=one.labels)
            for values, number in one.samples.items():
                family.add_metric(values, number)
            yield family


def metrics(figures: Iterable[Figure]) -> bytes:
    """Prometheus' text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    return generate_latest(registry)


def program(look: Look, port: int) -> ASGIApp:
    """The two addresses, under this machine's own names alone."""

    def healthz(request: Request) -> Response:
        found = look()
        checks = {one.name: {"good": one.good, "what": one.what} for one in found.checks}
        return JSONResponse({"good": found.good, "checks": checks}, 200 if found.good else 503)

    def figures(request: Request) -> Response:
        return Response(metrics(look().figures), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    routes = [Route("/healthz", healthz, methods=["GET"]), Route("/metrics", figures, methods=["GET"])]
    inner = Starlette(routes=routes)
    names = [f"{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]")]
    guards = {name: Guard(inner, Origin(f"http://{name}")) for name in names}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            await PlainTextResponse("Refused: only GET and HEAD are answered here.\n", 405)(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == b"host"]
        await guards.get(hosts[0] if hosts else "", guards[names[0]])(scope, receive, send)

    return answer


@contextlib.contextmanager
def watched(look: Look, port: int) -> Iterator[int]:
    """It answers in a thread until the block ends; gives the port (0: any free one). Raises UsageError: it is taken."""
    with listening(port) as (taken, sockets):
        server = uvicorn.Server(settings(program(look, taken), proxied=True))
        thread = threading.Thread(target=server.run, args=(sockets,), name="potluck-health", daemon=True)
        thread.start()
        try:
            yield taken
        finally:
            server.should_exit = True
            thread.join(10)
