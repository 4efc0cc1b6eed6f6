"""Claims about a job's certificates: exactly the parties of exactly this job are trusted, and for days only."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.mpc.credentials import BACKDATED, LIFETIME, _uri, issue, trusted

NOW = 1_790_000_000.0
A, B, C = (Party(Role.COMPUTE, name) for name in ("bank", "Ärzte/West", "c" * 100))


def made(uri=None, key=None, signer=None, authority=False, days=3.0, start=NOW):
    """A certificate with one thing wrong."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    begin = datetime.fromtimestamp(start, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    names = [x509.UniformResourceIdentifier(uri or _uri(A, "job"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def refused(pem, words, others=()):
    with pytest.raises(Abort, match=words) as caught:
        trusted({**dict(others), A: pem}, "job", NOW)
    assert caught.value.cause is Cause.KEYS
    assert caught.value.party == A


def test_the_file_holds_the_parties_certificates_and_nothing_else():
    own = {party: issue(party, "job", NOW) for party in (A, B, C)}
    file = trusted({party: one.certificate for party, one in own.items()}, "job", NOW)
    assert file == b"".join(one.certificate for one in own.values())
    padded = b"ignored words\n" + own[A].certificate + own[B].certificate
    assert trusted({A: padded}, "job", NOW) == own[A].certificate
    assert trusted({A: made()}, "job", NOW)


def test_a_certificate_is_of_its_party_in_its_job_alone():
    mine = issue(A, "job", NOW).certificate
    refused(issue(A, "another job", NOW).certificate, "another party or job")
    refused(issue(B, "job", NOW).certificate, "another party or job")
    refused(issue(Party(Role.SITE, A.name), "job", NOW).certificate, "another party or job")
    with pytest.raises(Abort, match="another party or job"):
        trusted({A: mine}, "job2", NOW)


def test_names_cannot_run_into_each_other():
    assert _uri(Party(Role.COMPUTE, "b/c"), "a") != _uri(Party(Role.COMPUTE, "c"), "a/compute/b")


def test_it_ends_after_days_and_none_may_last_longer():
    mine = issue(A, "job", NOW).certificate
    assert trusted({A: mine}, "job", NOW + LIFETIME.total_seconds() - 60)
    assert trusted({A: mine}, "job", NOW - BACKDATED.total_seconds() + 60)
    for moment in (NOW + LIFETIME.total_seconds() + 60, NOW - BACKDATED.total_seconds() - 60):
        with pytest.raises(Abort, match="out of date"):
            trusted({A: mine}, "job", moment)
    refused(made(days=30), "out of date")
    refused(made(start=NOW + 3600), "out of date")


def test_what_could_sign_another_certificate_is_refused():
    refused(made(authority=True), "could sign others")
    authority = ec.generate_private_key(ec.SECP256R1())
    refused(made(signer=authority), "no certificate")


def test_other_kinds_of_keys_are_refused():
    refused(made(key=ec.generate_private_key(ec.SECP384R1())), "another kind of key")
    refused(made(key=rsa.generate_private_key(65537, 2048)), "another kind of key")


def test_two_parties_with_one_key_are_refused():
    key = ec.generate_private_key(ec.SECP256R1())
    refused(made(key=key), "the same key", {B: made(key=key, uri=_uri(B, "job"))})


@pytest.mark.parametrize(
    "spoil", [lambda pem: b"", lambda pem: pem[:200], lambda pem: pem * 20, lambda pem: b"\xff" * 99]
)
def test_what_is_no_certificate_is_refused(spoil):
    refused(spoil(issue(A, "job", NOW).certificate), "no certificate")


def test_an_altered_certificate_is_refused():
    der = bytearray(
        x509.load_pem_x509_certificate(issue(A, "job", NOW).certificate).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    pem = x509.load_der_x509_certificate(bytes(der)).public_bytes(serialization.Encoding.PEM)
    refused(pem, "no certificate")


def test_the_key_is_hidden_and_fits_its_certificate():
    one = issue(A, "job", NOW)
    assert "PRIVATE" not in repr(one)
    key = serialization.load_pem_private_key(one.key.expose(), None)
    assert key.public_key() == x509.load_pem_x509_certificate(one.certificate).public_key()
    assert issue(A, "job", NOW).certificate != one.certificate
