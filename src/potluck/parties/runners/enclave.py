"""Where an enclave's process begins: its room from `tee`, its exact noise from `dp`, and nothing else of either."""

from potluck.dp.noise import gaussian
from potluck.tee import serve


def main() -> None:
    """Serve until stdin closes. Arguments: the attester's word, then the memory limit in bytes."""
    serve.main(gaussian)
