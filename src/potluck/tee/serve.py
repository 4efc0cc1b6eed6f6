"""The enclave's process: makes its keys, looks at itself, shuts the door, and then answers its host, one at a time.

Everything is loaded and read before the door shuts (`engines.serving.shut`): from then on it opens no socket and no
file but what its attester needs of the machine, leaves no core dump, and is read by no debugger of the same user. It
starts no process and has no shell. Its environment is empty but for what its host sets, and `python -I` heeds none
of it. Real hardware measures this process together with the system below it; a simulated enclave is measured by nobody.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from potluck.core.errors import PotluckError
from potluck.core.party import Party, Role
from potluck.core.rounds import Rule
from potluck.engines.frames import OpError
from potluck.engines.serving import serve, versions
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.random import system
from potluck.tee.attestation.attesters import named
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.attestation.workload import workload
from potluck.tee.predict.compute import Scorer, scoring
from potluck.tee.predict.graphs import Graphs
from potluck.tee.predict.margins import Layer, margins
from potluck.tee.sum.compute import Sample, SumEnclave, operations
from potluck.tee.sum.rules import RULES, joined

_SCORED = {"relu": 1.0, "square": 7.0}
Attest = Callable[[bytes], Evidence]
"""64 bytes of report data -> evidence."""


def main(sample: Sample, graphs: Graphs | None = None) -> None:
    """Serve until stdin closes. Arguments: the attester's word, then the memory limit in bytes. sample: exact noise;
    graphs: by which it scores rows, instead of layers."""
    code = workload()
    attest, files = attester(sys.argv[1], code)
    enclave = SumEnclave(system, attest, code, sample)
    scorer = Scorer(system, attest, code, graphs)
    more = graphs.ready if graphs else list[str]
    serve([operations(enclave), scoring(scorer)], lambda: [*ready(attest, sample), *more()], files)


def attester(word: str, code: bytes) -> tuple[Attest, int]:
    """Who speaks for the machine, and how many files it opens at once for that. Raises UsageError: no such word.

    code: the digest that a simulated enclave says it runs.
    """
    if word == "simulated":
        from potluck.tee.attestation.attesters.simulated import simulate

        return lambda data: simulate(data, code, int(time.time())), 0
    real = named(word)

    def attest(report_data: bytes) -> Evidence:
        try:
            return real.attest(report_data)
        except PotluckError as error:
            raise OpError(str(error)) from None

    return attest, 1


def ready(attest: Attest, sample: Sample) -> list[str]:
    """What it runs on, once everything has worked once, so that nothing is left to load. Raises OpError."""
    draw = bytes(SEED)
    own = BoxKey(Secret(draw))
    if own.unseal(PublicBoxKey(own.public).seal(b"self-test", b"info"), b"info") != b"self-test":
        raise OpError("the self-test does not open its own box")
    signing, party = SigningKey(Secret(draw[:32])), Party(Role.SITE, "0")
    Roster({party: signing.public}).verify(party, b"self-test", signing.sign(b"self-test"))
    words = [np.array([one, one, 1], "<u8") for one in range(1, 5)]
    if any(len(joined(Rule(rule, 1, 1), words)) != 3 for rule in RULES):
        raise OpError("the self-test joins wrongly")
    if len(sample(10.0, 3, system)) != 3:
        raise OpError("the self-test draws no noise")
    layers = (Layer(np.full((2, 3), 0.5), np.zeros(3)), Layer(np.full((3, 1), 2.0), np.ones(1)))
    if {word: float(margins(layers, word, -np.ones((1, 2)))[0][0, 0]) for word in ("relu", "square")} != _SCORED:
        raise OpError("the self-test scores wrongly")
    margins(layers, "tanh", np.ones((1, 2)))
    attest(bytes(64))
    return versions("numpy", "cryptography", "pynacl")
