"""An Intel of our own: root, platform, quoting enclave, quotes of SGX and TDX, and the collateral for them."""

import datetime
import hashlib
import json
import struct

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.verify import verify
from support.tee.documents import signature
from support.tee.pki import DAY, NOW, issue, new_key, revoking

FAMILY = bytes.fromhex("b0c06f000000")
QE_SIGNER = bytes([0xDC] * 32)
VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
SGX = bytes.fromhex("2a864886f84d010d01")
NO_VE = 1 << 28
PLACES = {"mrtd": 136, "mrconfigid": 184, "mrowner": 232, "rtmr0": 328, "rtmr1": 376, "rtmr2": 424, "rtmr3": 472}
PLACES |= {"mrseam": 16, "mrsignerseam": 64, "seam_attributes": 112, "xfam": 128}
FORMATS = {"sgx": ("SGX", "QE", 1), "tdx": ("TDX", "TD_QE", 2)}


def der(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def pair(tail, value):
    return der(0x30, der(6, SGX + tail), value)


def platform_extension(svns=(3,) * 16, pcesvn=11, family=FAMILY):
    number = [pair(bytes([2, at + 1]), der(2, bytes([svn]))) for at, svn in enumerate((*svns, pcesvn))]
    tcb = der(0x30, *number, pair(b"\2\x12", der(4, bytes(svns))))
    flags = der(0x30, *(pair(bytes([7, at]), der(1, b"\xff")) for at in (1, 2, 3)))
    return der(
        0x30,
        pair(b"\1", der(4, bytes([0x81] * 16))),
        pair(b"\2", tcb),
        pair(b"\3", der(4, bytes(2))),
        pair(b"\4", der(4, family)),
        pair(b"\5", der(10, b"\1")),
        pair(b"\6", der(4, bytes(16))),
        pair(b"\7", flags),
    )


def stamp(seconds):
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def numbered(issuer):
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return [(x509.CRLNumber(1), False), (key, False)]


class Intel:
    """Everything of one platform. kind: sgx or tdx."""

    def __init__(self, kind):
        self.kind = kind
        self.info_name, self.identity_name, self.prod_id = FORMATS[kind]
        year = {"ends": NOW + 400 * DAY}

        def p256(name, issuer=None, **more):
            return issue(name, issuer, key=new_key(ec.SECP256R1), **year, **more)

        self.root = p256("Root CA")
        self.authority = p256("Platform CA", self.root)
        held = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113741.1.13.1"), platform_extension())
        self.leaf = p256("PCK Certificate", self.authority, ca=False, extensions=[(held, False)])
        self.signer = p256("TCB Signing", self.root, ca=False)
        self.attestation = new_key(ec.SECP256R1)

    def enclave_report(self, data=bytes(64), attributes=b"\x15", signer=QE_SIGNER, prod_id=None, svn=6, enclave=b"e"):
        body = bytearray(384)
        body[48:49] = attributes
        body[56:64] = bytes.fromhex("e700000000000000")
        body[64:96] = enclave * 32
        body[128:160] = signer
        body[256:260] = struct.pack("<HH", self.prod_id if prod_id is None else prod_id, svn)
        body[320:384] = data
        return bytes(body)

    def domain(self, attributes=NO_VE, data=bytes(64), svn=b"\1\1", services=None, more=b"", **fields):
        """Version 1.0 of a domain's report, 1.5 where services (MRSERVICETD) is given, 1.5ex with 237 bytes more."""
        body = bytearray(584)
        body[0:2] = svn
        body[120:128] = attributes.to_bytes(8, "little")
        for name, value in fields.items():
            body[PLACES[name] : PLACES[name] + len(value)] = value
        body[520:584] = data
        return bytes(body) + (b"" if services is None else svn.ljust(16, b"\0") + services + more)

    def quote(self, body=None, version=None, key_data=bytes(range(32)), qe=None, key=None, chain=None, tail=b""):
        version = version or (3 if self.kind == "sgx" else 4)
        tee = 0 if self.kind == "sgx" else 0x81
        head = struct.pack("<HHIHH", version, 2, tee, 0, 0) + VENDOR + bytes(20)
        if body is None:
            body = self.enclave_report(attributes=b"\x05") if self.kind == "sgx" else self.domain()
        if version == 5:
            head += struct.pack("<HI", {584: 2, 648: 3}.get(len(body), 4), len(body))
        public = self.attestation.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )[1:]
        vouched = hashlib.sha256(public + key_data).digest().ljust(64, b"\0")
        report = qe or self.enclave_report(vouched)
        text = b"".join(one.pem for one in (chain or (self.leaf, self.authority, self.root)))
        inner = report + signature(self.leaf.key, report) + struct.pack("<H", len(key_data)) + key_data
        inner += struct.pack("<HI", 5, len(text)) + text
        if self.kind == "tdx":
            inner = struct.pack("<HI", 6, len(inner)) + inner
        auth = signature(key or self.attestation, head + body) + public + inner
        return head + body + struct.pack("<I", len(auth)) + auth + tail

    def level(self, status="UpToDate", svn=1, advisories=(), **more):
        tcb = {"sgxtcbcomponents": [{"svn": svn}] * 16, "pcesvn": 1}
        if self.kind == "tdx":
            tcb["tdxtcbcomponents"] = [{"svn": 1}] + [{"svn": 0}] * 15
        said = {"advisoryIDs": list(advisories)} if advisories else {}
        return {"tcb": tcb, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": status} | said | more

    def information(self, levels=None, **more):
        dates = {"issueDate": stamp(NOW - DAY), "nextUpdate": stamp(NOW + DAY)}
        head = {"id": self.info_name, "version": 3} | dates
        head |= {"fmspc": FAMILY.hex().upper(), "pceId": "0000", "tcbType": 0, "tcbEvaluationDataNumber": 17}
        if self.kind == "tdx":
            module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            ones = {"tcb": {"isvsvn": 1}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "UpToDate"}
            head |= {"tdxModule": module, "tdxModuleIdentities": [{"id": "TDX_01", "tcbLevels": [ones]} | module]}
        return head | {"tcbLevels": levels or [self.level()]} | more

    def identity(self, status="UpToDate", **more):
        dates = {"issueDate": stamp(NOW - DAY), "nextUpdate": stamp(NOW + DAY)}
        head = {"id": self.identity_name, "version": 2} | dates | {"tcbEvaluationDataNumber": 17}
        head |= {"miscselect": "00000000", "miscselectMask": "FFFFFFFF", "attributes": "11" + "00" * 15}
        head |= {"attributesMask": "FBFFFFFFFFFFFFFF0000000000000000", "mrsigner": QE_SIGNER.hex().upper()}
        levels = [{"tcb": {"isvsvn": 4}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": status}]
        return head | {"isvprodid": self.prod_id, "tcbLevels": levels} | more

    def collateral(self, information=None, identity=None, root_list=None, list=None, key=None, **more):
        chain = (self.signer.pem + self.root.pem).decode()
        tree = {
            "pck_crl_issuer_chain": (self.authority.pem + self.root.pem).decode(),
            "root_ca_crl": (root_list or revoking(self.root, extensions=numbered(self.root))).hex(),
            "pck_crl": (list or revoking(self.authority, extensions=numbered(self.authority))).hex(),
        }
        signed_texts = {"tcb_info": information or self.information(), "qe_identity": identity or self.identity()}
        for name, said in signed_texts.items():
            text = said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))
            signed = signature(key or self.signer.key, text.encode()).hex()
            tree |= {f"{name}_issuer_chain": chain, name: text, f"{name}_signature": signed}
        return json.dumps({name: value for name, value in (tree | more).items() if value is not None}).encode()

    def verdict(self, policy, quote=None, collateral=None, now=NOW, **more):
        parts = (self.collateral() if collateral is None else collateral,)
        made = Evidence(self.kind, self.quote() if quote is None else quote, parts)
        return verify(made, policy, Asked(now, roots=[self.root.pem], **more))
