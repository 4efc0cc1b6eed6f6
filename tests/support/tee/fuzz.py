"""One piece of good evidence a format, and blobs made from it: what a verifier may say of them."""

import struct
from dataclasses import replace

from potluck.tee.attestation.attesters.simulated import simulate
from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.starter import loose
from potluck.tee.attestation.verify import verify
from support.tee.cases import asked, evidence, fuzzed, part
from support.tee.pki import NOW

GOOD = {
    "snp": "snp-milan-v2",
    "tdx": "tdx-v4",
    "sgx": "sgx-v3-status-allowed",
    "nitro": "nitro-prod-2022",
    "tpm": "tpm-rsassa",
    "az-snp-vtpm": "az-snp-v2",
    "nvidia-gpu": "nvidia-hopper",
}


def good(form):
    """(evidence, what is asked): accepted under a policy that lets all go, but for a nonce or report data."""
    if form == "simulated":
        return simulate(bytes(range(64)), bytes(32), NOW), Asked(NOW, report_data=bytes(range(64)))
    given, wanted = evidence(GOOD[form]), asked(GOOD[form])
    if wanted.nonce is None:
        data = bytes.fromhex(verify(given, loose(form), wanted).claims["report_data"])
        wanted = replace(wanted, report_data=data)
    return given, wanted


def believed(form, given, wanted, count, seed):
    """Blobs that were accepted with other claims than the good evidence: there must be none. Raises what breaks."""
    rules = loose(form)
    before, found = verify(given, rules, wanted), []
    assert before.accepted
    for number, whole in enumerate((given.raw, *given.endorsements)):
        share = count // 2 if number == 0 else count // (2 * len(given.endorsements))
        for blob in fuzzed(whole, share, seed + number):
            after = verify(part(given, number, blob), rules, wanted)
            if after.accepted and after != before:
                found.append(blob)
            assert after.accepted or after.reasons[0].detail
            assert len(str(after.document())) < 20_000
    return found


def lengths(form, given):
    """Every number of two or four bytes at the front of the evidence, set to an extreme."""
    for at in range(0, min(len(given.raw) - 4, 700)):
        for value in (b"\xff\xff", b"\xff\xff\xff\x7f", struct.pack("<I", len(given.raw))):
            yield given.raw[:at] + value + given.raw[at + len(value) :]
