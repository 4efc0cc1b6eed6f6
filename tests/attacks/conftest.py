"""The rooms' test scenes that the attacks build on."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / room) for room in ("mpc", "net", "parties", "processes", "tee")]
