"""One background thread with one event loop for all links of this process; it ends with the last of them."""

import asyncio
import logging
import threading
from typing import Any

# The client library reports through callbacks; what it also logs is said by the link in its own words.
logging.getLogger("nats").addHandler(logging.NullHandler())
logging.getLogger("asyncio").addFilter(lambda record: "eof_received" not in str(record.msg))  # a TLS stream's own noise
_LOG = logging.getLogger("potluck.net")
_LOG.addHandler(logging.NullHandler())


class Shared:
    """The thread, counted: `enter` starts it for the first link, `leave` ends it after the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = threading.Event()

    def enter(self) -> asyncio.AbstractEventLoop:
        """The running loop; one `leave` is owed for it."""
        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = _new_loop()
                self._loop.set_exception_handler(_quiet)
                self._over = threading.Event()
                threading.Thread(target=_run, args=(self._loop, self._over), name="potluck-net", daemon=True).start()
            return self._loop

    def leave(self) -> None:
        """The link that entered is closed."""
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None:
                return
            loop, over, self._loop = self._loop, self._over, None
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        over.wait(10)


def _new_loop() -> asyncio.AbstractEventLoop:
    """By libuv where there is a wheel of it: letters then cost less than by the standard library's loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _run(loop: asyncio.AbstractEventLoop, over: threading.Event) -> None:
    loop.run_forever()
    loop.close()
    over.set()


def _quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Errors of tasks that nobody awaits any more: the link has long gone on with a new connection."""
    _LOG.debug("%s", context.get("message"))


async def _settle() -> None:
    """Cancel what is left, so that nothing is pending when the loop closes."""
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0.01)  # transports close in their own time
    await asyncio.get_running_loop().shutdown_asyncgens()


SHARED = Shared()
