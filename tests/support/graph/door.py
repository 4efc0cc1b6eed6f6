"""What each example of each operation gives: here, and in a process that has shut itself in as an enclave does."""

import hashlib

from support.graph.examples import EXAMPLES
from support.graph.running import run_node

ROWS = 3


def digests() -> list[str]:
    """A line an example: its name, and the hash of what torch makes of it, with and without memory."""
    found = []
    for name, one in EXAMPLES.items():
        given = one.given(ROWS, 1)
        state = hashlib.sha256()
        for made in run_node(one.node, given, ROWS):
            state.update(made.contiguous().numpy().tobytes())
        shapes = [list(made.shape) for made in run_node(one.node, {k: v.to("meta") for k, v in given.items()}, ROWS)]
        found.append(f"{name} {state.hexdigest()} {shapes}")
    return found


def shut_in() -> None:
    """The same behind the door, printed."""
    from potluck.engines.serving import shut
    from potluck.parties.runners.enclave_graphs import ready

    ready()
    shut(16 << 30)
    print("\n".join(digests()), flush=True)
