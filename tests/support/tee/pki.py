"""Certificates and revocation lists of our own, as good or as bad as a test wants them."""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from potluck.tee.attestation.formats import chains

NOW = 1_750_000_000
DAY = 86400
SAME = object()


def named(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def new_key(curve=ec.SECP384R1):
    return ec.generate_private_key(curve())


def rsa_key(bits=4096):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    key: object
    parsed: x509.Certificate

    @property
    def der(self):
        return self.parsed.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.parsed.public_bytes(serialization.Encoding.PEM)

    @property
    def loaded(self):
        return chains.certificate(self.der, "test")


def usage(signs=True, lists=True):
    rest = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=lists and signs, **rest)


def how(key):
    """Hash and padding that go with a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return hashes.SHA384(), padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    return (hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()), None


def issue(
    common,
    issuer=None,
    *,
    key=None,
    ca=True,
    below=None,
    uses=SAME,
    begins=NOW - DAY,
    ends=NOW + DAY,
    extensions=(),
    serial=None,
    called=None,
    signing=None,
):
    """A certificate of `common` by `issuer` (None: by itself). uses: a KeyUsage or None; ca: None is to say nothing.

    called: the issuer's name in it, where it is not the issuer's; signing: (hash, padding) in place of the usual.
    """
    key = key or new_key()
    signer = key if issuer is None else issuer.key
    says = called or (common if issuer is None else None)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(common))
        .issuer_name(named(says) if says else issuer.parsed.subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(moment(begins))
        .not_valid_after(moment(ends))
    )
    if ca is not None:
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=below), critical=True)
    if uses is SAME:
        uses = usage(signs=bool(ca))
    if uses is not None:
        made = made.add_extension(uses, critical=True)
    for value, critical in extensions:
        made = made.add_extension(value, critical=critical)
    algorithm, filling = signing or how(signer)
    return Holder(key, made.sign(signer, algorithm, rsa_padding=filling))


def revoking(issuer, serials=(), *, begins=NOW - DAY, ends=NOW + DAY, key=None, extensions=()):
    """A revocation list of an issuer, DER."""
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.parsed.subject)
    made = made.last_update(moment(begins)).next_update(moment(ends))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment(begins)).build()
        made = made.add_revoked_certificate(entry)
    for value, critical in extensions:
        made = made.add_extension(value, critical=critical)
    signer = key or issuer.key
    algorithm, filling = how(signer)
    return made.sign(signer, algorithm, rsa_padding=filling).public_bytes(serialization.Encoding.DER)
