"""The cases of vectors/tee, what each of them asks, and ways to damage evidence."""

import json
import random
import time

import msgspec

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verify import verify
from support.places import ROOT

VECTORS = ROOT / "vectors" / "tee"
CASES = {case["id"]: case for case in json.loads((VECTORS / "manifest.json").read_bytes())["cases"]}
OWN = {"tdx": "mrtd", "sgx": "mrenclave", "nvidia-gpu": "measurements"}


def named(*formats):
    return [name for name, case in CASES.items() if case["format"] in formats]


def evidence(name):
    case = CASES[name]
    first, *rest = ((VECTORS / part).read_bytes() for part in case["files"])
    return Evidence(case["format"], first, tuple(rest))


def asked(name, **more):
    case = CASES[name]
    given = {
        key: bytes.fromhex(case[it])
        for key, it in (("nonce", "nonce"), ("report_data", "expected_report_data"))
        if it in case
    }
    if "trust_anchor" in case:
        given["roots"] = [(VECTORS / case["trust_anchor"]).read_bytes()]
    now = int(time.time()) if case["at"] is None else case["at"]
    return Asked(**{"now": now, **given, **more})


def policy(format, mode="development", age=None, **table):
    tree = {"version": 1, "mode": mode, "formats": [format], "max_evidence_age_s": age, format: table}
    return msgspec.convert(tree, Policy)


def listed(name, mode="development", **more):
    """The case's policy; where it lists no measurement, the evidence's own is listed."""
    case = CASES[name]
    table = dict(case.get("policy", {}))
    own = OWN.get(case["format"], "pcr0")
    for key in (own, "rtmr1", "rtmr2") if case["format"] == "tdx" else (own,):
        if key in table:
            continue
        said = verify(evidence(name), policy(case["format"], **table), asked(name)).claims
        found = {"pcr0": said.get("pcrs", {}).get("0"), "measurements": said.get("measurement")}.get(key, said.get(key))
        table |= {key: [found]} if found else {}
    return policy(case["format"], mode, **table, **more)


def codes(verdict):
    return [reason.code.value for reason in verdict.reasons]


def flipped(data, at, bit):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def flips(data, count=None, seed=6):
    """(where, changed): one bit of every byte, or of `count` bytes of them."""
    draw = random.Random(seed)
    places = range(len(data)) if count is None else sorted(draw.sample(range(len(data)), min(count, len(data))))
    for at in places:
        yield at, flipped(data, at, draw.randrange(8))


def every_flip(data):
    for at in range(len(data)):
        for bit in range(8):
            yield at, flipped(data, at, bit)


def part(given, number, changed):
    """Evidence with its part of that number (0: the evidence, then endorsements) changed."""
    parts = [given.raw, *given.endorsements]
    parts[number] = changed
    return Evidence(given.format, parts[0], tuple(parts[1:]))


def fuzzed(good, count, seed=7):
    """Blobs: noise, or good evidence cut, spliced, doubled, or with bytes overwritten by noise or by extremes."""
    draw = random.Random(seed)
    for _ in range(count):
        way = draw.randrange(6)
        at, size = draw.randrange(len(good)), draw.choice((1, 2, 4, 8, 64, 600))
        if way == 0:
            yield draw.randbytes(draw.choice((0, 1, 47, 48, 700, 5000)))
        elif way == 1:
            yield good[:at]
        elif way == 2:
            yield good[:at] + good[at + size :]
        elif way == 3:
            yield good[:at] + good[at : at + size] * 2 + good[at + size :]
        elif way == 4:
            yield good[:at] + draw.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size + good[at + size :]
        else:
            yield good[:at] + draw.randbytes(size) + good[at + size :]
