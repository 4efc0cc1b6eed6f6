"""The command line: one file a verb."""

import signal
import sys
from types import FrameType

import click

from potluck.cli.door import run
from potluck.cli.verbs import Verbs

VERBS = {
    "demo": "The heart federation: four hospitals, the comparison table and the report.",
    "docs": "The docs as a site that needs no network, and the files of the examples.",
    "check": "Can this plan run, and what will it cost?",
    "explain": "Who could see what, in what form, unless what breaks.",
    "init": "A first plan from your own files: kinds, ranges and spellings, to be confirmed.",
    "schema": "What a plan or a policy may hold, as JSON Schema.",
    "columns": "The columns of a plan from a data dictionary: Frictionless, pandera, OMOP or Croissant.",
    "graph": "A network as data: make one of a torch module, and see what is in one.",
    "run": "Do it, all parties in this process.",
    "tune": "Choose settings by validation rows: each combination is trained, judged and charged.",
    "simulate": "The same plan over thousands of made-up clients: nothing is sealed, and it says so.",
    "model": "What a trained model says of itself: coefficients in the data's units, standard errors.",
    "score": "Score new rows with a model that you hold.",
    "report": "One HTML file of a run.",
    "budget": "What each owner has spent, and what a plan would spend.",
    "federation": "The coordinator's part: who belongs to the federation, and where its broker is.",
    "site": "The owner's part: keys, policy, requests and approvals, the site's process, its ledger.",
    "broker": "The real nats-server with a federation's configuration.",
    "server": "The coordinator's part in a run across machines.",
    "up": "Do it with real processes on this machine: broker, server, sites.",
    "attack": "What a coalition could do with what it read in a run that was recorded.",
    "status": "What a federation's server is doing, and what it did.",
    "engine": "The workers that some protections need: install them, and see whether they work.",
    "audit": "Would the mechanism that sites run keep what a plan promises?",
    "tee": "Trusted hardware: verify an enclave's evidence under your own policy.",
}
SAID = "Organisations learn together while every row of data stays with its owner."

potluck = click.version_option(package_name="potluck")(Verbs("potluck", __name__, VERBS, SAID))


def _interrupted(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """The `potluck` command. A polite kill ends a run as Ctrl-C does: nothing half-written stays."""
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(run(potluck, sys.argv[1:]))
