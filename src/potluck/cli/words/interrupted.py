"""How a verb that keeps what it has finished says, where it is interrupted, that it can go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potluck.audits.resumed import going_on
from potluck.cli.door import Voice


@contextmanager
def resumable(say: Voice, path: Path | None) -> Iterator[None]:
    """path: of `--resume`, if it was given."""
    try:
        yield
    except KeyboardInterrupt:
        if path is not None:
            say.warn([going_on(path)])
        raise
