"""Where an enclave's process begins: its room from `tee`, its exact noise from `dp`, and where it scores by graphs the
reader and the interpreter from `learning`; nothing else of these."""

from potluck.dp.noise import gaussian
from potluck.tee import serve


def main() -> None:
    """Serve until stdin closes. Arguments: the attester's word, then the memory limit in bytes."""
    serve.main(gaussian)


def with_graphs() -> None:
    """The same of an enclave that scores by graphs: it alone loads torch."""
    from potluck.parties.runners.enclave_graphs import GRAPHS

    serve.main(gaussian, GRAPHS)
