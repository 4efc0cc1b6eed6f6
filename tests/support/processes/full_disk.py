"""A federation in threads, one of whose folders lies on a very small disk that fills up.

`python -m support.processes.full_disk FOLDER WHOSE`, in a mount namespace of its own (`unshare -m`), by root. Prints
what happened as JSON.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from potluck.core.errors import PotluckError
from potluck.core.rounds import Abort
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from support.parties import scene
from support.parties.across import Across, quick

RUN, NEXT = "ab" * 16, "cd" * 16
PLAN = scene.plan(privacy=scene.SHARED | {"redo": 1}).set("training.rounds", 1)


def small_disk(place: Path) -> None:
    """The folder moves to a file system of 600 KB."""
    aside = place.with_name(f"{place.name}.aside")
    shutil.copytree(place, aside)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=700", "tmpfs", str(place)], check=True)
    shutil.copytree(aside, place, dirs_exist_ok=True)


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


def run(fed: Across, place: Path, name: str) -> dict[str, object]:
    """A run of two rounds; before the second the disk fills up. Who gave to which round, and how it ended."""
    spec = quick(PLAN, patience=5.0)  # the second round waits for a that long
    begun: list[int] = []

    def full(ask: object) -> None:
        begun.append(1)
        if len(begun) == 2:
            fill(place)

    ended = "done"
    with fed.coordinator(spec, name, wait=20.0) as (coordinator, journal):
        coordinator.gather()
        try:
            drive(build(spec), Sums(spec, coordinator, store=journal, progress=full))
        except (PotluckError, Abort) as error:
            ended = str(error)
        with contextlib.suppress(PotluckError):
            return {"ended": ended, "givers": [one.get("givers", []) for one in journal.rounds()]}
    return {"ended": ended}


@contextlib.contextmanager
def troubled(fed: Across, name: str, troubles: list[str]) -> Iterator[None]:
    """The site runs in the block, and may end by an error."""
    stop = threading.Event()

    def attend() -> None:
        try:
            with fed.site(name, stop) as one:
                one.run()
        except PotluckError as error:
            troubles.append(f"{error.exit_code}: {error}")

    thread = threading.Thread(target=attend)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def main() -> None:
    folder, whose = Path(sys.argv[1]), sys.argv[2]
    fed, place = Across(folder), folder / whose
    place.mkdir(exist_ok=True)
    small_disk(place)
    front = "" if whose == "a" else f"{whose}/"  # a run's journal lies under its name
    troubles: list[str] = []
    with fed.attending(*"bcd"), troubled(fed, "a", troubles):
        found = run(fed, place, front + RUN)
    (place / "filler").unlink()
    with Budget(folder / "a" / "ledger.sqlite") as ledger:  # verified whole as it is opened
        found["releases"] = [row.releases for row in ledger.history()]
    with fed.attending(*"abcd"):  # there is room again
        fed.run(quick(PLAN), run=front + NEXT, wait=20.0)
    print(json.dumps(found | {"troubles": troubles, "heard": fed.heard["a"]}))


if __name__ == "__main__":
    main()
