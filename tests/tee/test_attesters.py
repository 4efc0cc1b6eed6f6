"""Attesters without their hardware: a folder that behaves as configfs-tsm is documented, and a device as /dev/nsm is.

What no test here can show is that a kernel behaves as its documentation says. The TPM's attester runs against a real
one in test_tee_swtpm.
"""

import base64
import ctypes
import errno
import re
import subprocess
import sys
import uuid
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
import pytest

from potluck.core.errors import Unreachable, UsageError
from potluck.tee.attestation.attesters import REAL, named, nsm, tpm, tsm
from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.verify import verify
from potluck.tee.host import program
from support.tee.cases import CASES, asked, evidence, listed, policy
from support.tee.documents import NOW, Nitro
from support.tee.quotes import SHA256, SHA384, VALUES, message, rsa_key, selection, signature, sized

DATA = bytes(range(64))
GUIDS = {
    "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
    "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
    "other": "11111111-2222-3333-4444-555555555555",
}


@dataclass
class Kernel(tsm.Files):
    """configfs-tsm over a real folder: files appear with their entry, `generation` counts writes, and what is read
    from `outblob` answers what was written to `inblob`.

    report: inblob -> outblob; busy: how often another process writes in between; loud: whether it does so while the
    report is read, which the kernel tells by EWOULDBLOCK.
    """

    provider: str = "sev_guest"
    report: object = field(default=lambda data: b"report of " + data)
    aux: bytes | None = b""
    busy: int = 0
    loud: bool = False
    entries: list = field(default_factory=list)

    def make(self, folder):
        super().make(folder)
        self.entries.append(folder)
        (folder / "generation").write_text("0\n")
        (folder / "provider").write_text(self.provider + "\n")
        (folder / "inblob").touch(mode=0o200)
        if self.aux is not None:
            (folder / "auxblob").write_bytes(self.aux)

    def remove(self, folder):
        for file in folder.iterdir():
            file.unlink()
        super().remove(folder)

    def count(self, folder):
        number = folder / "generation"
        number.write_text(f"{int(number.read_text()) + 1}\n")

    def write(self, file, data):
        assert file.name == "inblob"
        if len(data) > 64:
            raise OSError(errno.EINVAL, "Invalid argument")
        super().write(file, data)
        self.count(file.parent)

    def read(self, file):
        if file.name == "outblob":
            made = self.report((file.parent / "inblob").read_bytes())
            if isinstance(made, OSError):
                raise made
            file.write_bytes(made)
            if self.busy:
                self.busy -= 1
                self.count(file.parent)
                if self.loud:
                    raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")
        return super().read(file)


def table(*certificates, at=None):
    """AMD's table: entries, one of zeros, then the certificates."""
    head, body = b"", b""
    start = 24 * (len(certificates) + 1) if at is None else at
    for kind, data in certificates:
        offset = start + len(body)
        head += uuid.UUID(GUIDS[kind]).bytes + offset.to_bytes(4, "little") + len(data).to_bytes(4, "little")
        body += data
    return head + bytes(24) + body


def test_the_report_is_over_the_report_data_and_the_entry_is_gone_afterwards(tmp_path):
    kernel = Kernel()
    found = tsm.TsmAttester(tmp_path, kernel).attest(DATA)
    assert (found.format, found.raw, found.endorsements) == ("snp", b"report of " + DATA, ())
    assert list(tmp_path.iterdir()) == []
    assert len(kernel.entries) == 1


def test_a_real_report_that_the_kernel_gives_is_accepted_with_the_certificates_beside_it(tmp_path):
    """Report, leaf and chain of a vector, the chain as DER in AMD's table, leaf last."""
    given = evidence("snp-milan-v2")
    text = given.endorsements[1]
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.DOTALL)
    ders = [base64.b64decode(block) for block in blocks]
    aux = table(("ark", ders[1]), ("other", b"what the host likes"), ("ask", ders[0]), ("vcek", given.endorsements[0]))
    kernel = Kernel(report=lambda data: given.raw, aux=aux)
    found = tsm.TsmAttester(tmp_path, kernel).attest(DATA)
    assert found.endorsements == (given.endorsements[0], ders[0], ders[1])
    rules = policy("snp", products=["Milan"], measurements=[CASES["snp-milan-v2"]["measurement"]])
    assert verify(found, rules, asked("snp-milan-v2")).accepted


def test_a_quote_of_tdx_takes_no_table(tmp_path):
    found = tsm.TsmAttester(tmp_path, Kernel(provider="tdx_guest", aux=None)).attest(DATA)
    assert (found.format, found.endorsements) == ("tdx", ())


def test_a_real_quote_is_accepted_with_the_collateral_that_the_machine_keeps(tmp_path):
    given, kept = evidence("tdx-v4"), tmp_path / "kept"
    kept.mkdir()
    (kept / "collateral.json").write_bytes(given.endorsements[0])
    (kept / ".partial").write_bytes(b"not yet whole")
    kernel = Kernel(provider="tdx_guest", report=lambda data: given.raw, aux=None)
    found = tsm.TsmAttester(tmp_path, kernel, kept).attest(DATA)
    assert found == given
    assert verify(found, policy("tdx", mrtd=[CASES["tdx-v4"]["mrtd"]]), asked("tdx-v4")).accepted
    for number in range(9):
        (kept / f"{number}.pem").write_bytes(b"one of many")
    with pytest.raises(Unreachable, match="holds 10 files, and 8 more endorsements may travel"):
        tsm.TsmAttester(tmp_path, kernel, kept).attest(DATA)


@pytest.mark.parametrize("loud", [False, True])
def test_a_report_that_another_process_came_between_is_thrown_away(tmp_path, loud):
    kernel = Kernel(busy=2, loud=loud)
    assert tsm.TsmAttester(tmp_path, kernel).attest(DATA).raw == b"report of " + DATA
    with pytest.raises(Unreachable, match="another process wrote"):
        tsm.TsmAttester(tmp_path, Kernel(busy=3, loud=loud)).attest(DATA)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_report_without_an_error_is_an_error(tmp_path):
    with pytest.raises(Unreachable, match="empty report, and no error"):
        tsm.TsmAttester(tmp_path, Kernel(report=lambda data: b"")).attest(DATA)
    assert list(tmp_path.iterdir()) == []


def test_what_the_kernel_refuses_is_said(tmp_path):
    refusing = Kernel(report=lambda data: OSError(errno.EIO, "Input/output error"))
    with pytest.raises(Unreachable, match="Input/output error"):
        tsm.TsmAttester(tmp_path, refusing).attest(DATA)
    with pytest.raises(Unreachable, match="No such file"):
        tsm.TsmAttester(tmp_path / "missing").attest(DATA)
    with pytest.raises(Unreachable, match="neither sev_guest nor tdx_guest"):
        tsm.TsmAttester(tmp_path, Kernel(provider="arm_cca_guest")).attest(DATA)
    assert list(tmp_path.iterdir()) == []


def test_an_entry_left_behind_is_not_touched(tmp_path):
    kernel = Kernel()
    tsm.TsmAttester(tmp_path, kernel).attest(DATA)
    left = kernel.entries[0]
    left.mkdir()
    tsm.TsmAttester(tmp_path, kernel).attest(DATA)
    assert left.exists()
    assert kernel.entries[1] != left


def test_a_table_that_points_beyond_its_end_is_refused(tmp_path):
    for broken in (table(("vcek", b"x"), at=1 << 31), table(("vcek", b"abc"))[:-1]):
        with pytest.raises(Unreachable, match="beyond its end"):
            tsm.TsmAttester(tmp_path, Kernel(aux=broken)).attest(DATA)
    with pytest.raises(Unreachable, match="more than 8"):
        tsm.table(table(*[("ask", b"x")] * 9))
    assert tsm.table(b"") == tsm.table(bytes(24)) == tsm.table(b"short") == ()


def test_without_a_fake_it_reads_and_writes_real_files(tmp_path):
    """Files itself, on a folder: what is written is there whole, and what is too long is not held."""
    files, folder = tsm.Files(), tmp_path / "entry"
    files.make(folder)
    with pytest.raises(FileExistsError):
        files.make(folder)
    (folder / "inblob").touch()
    files.write(folder / "inblob", DATA)
    assert files.read(folder / "inblob") == DATA
    (folder / "long").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(OSError, match="more than 1 MiB"):
        files.read(folder / "long")
    (folder / "inblob").unlink()
    (folder / "long").unlink()
    files.remove(folder)
    assert not folder.exists()


class Device:
    """What the kernel's driver does with the ioctl: reads the request, writes the answer, says how long it is."""

    def __init__(self, answer):
        self.answer, self.asked = answer, None

    def __call__(self, number, request, message):
        assert number > 2
        assert request == 0xC0200A00  # _IOWR(0x0A, 0, 32 bytes)
        given = ctypes.string_at(message.request.base, message.request.length)
        assert len(given) <= 0x1000
        assert message.response.length == 0x3000
        self.asked = cbor2.loads(given)
        out = self.answer(self.asked) if callable(self.answer) else self.answer
        if isinstance(out, OSError):
            raise out
        ctypes.memmove(message.response.base, out, len(out))
        message.response.length = len(out)


def enclave(tmp_path, answer):
    path = tmp_path / "nsm"
    path.touch()
    device = Device(answer)
    return nsm.NsmAttester(path, device), device


def test_a_document_is_asked_for_with_the_report_data_in_it(tmp_path):
    attester, device = enclave(tmp_path, cbor2.dumps({"Attestation": {"document": b"document"}}))
    found = attester.attest(DATA)
    assert (found.format, found.raw) == ("nitro", b"document")
    assert device.asked == {"Attestation": {"user_data": DATA, "nonce": DATA, "public_key": None}}


def test_a_document_made_with_what_was_asked_is_accepted_for_it(tmp_path):
    """A hypervisor of our own, under a root of our own, fills in what the request says."""
    aws = Nitro()

    def hypervisor(request):
        fields = request["Attestation"]
        made = aws.document(user_data=fields["user_data"], nonce=fields["nonce"])
        return cbor2.dumps({"Attestation": {"document": made}})

    attester, _ = enclave(tmp_path, hypervisor)
    found = attester.attest(DATA)
    rules = policy("nitro", pcr0=[bytes([7] * 48).hex()])
    assert verify(found, rules, Asked(NOW, report_data=DATA, roots=[aws.root.pem])).accepted
    assert not verify(found, rules, Asked(NOW, report_data=bytes(64), roots=[aws.root.pem])).accepted


def test_a_real_document_comes_out_as_it_went_in(tmp_path):
    real = evidence("nitro-prod-2022")
    attester, _ = enclave(tmp_path, cbor2.dumps({"Attestation": {"document": real.raw}}))
    found = attester.attest(DATA)
    assert verify(found, listed("nitro-prod-2022"), asked("nitro-prod-2022")).accepted


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (cbor2.dumps({"Error": "InvalidOperation"}), "refused: InvalidOperation"),
        (cbor2.dumps({"Attestation": {"document": b""}}), "holds no document"),
        (cbor2.dumps({"Attestation": {}}), "holds no document"),
        (cbor2.dumps(["Attestation"]), "holds no document"),
        (b"", "cannot be read"),
        (b"\xff\xff", "cannot be read"),
        (OSError(errno.EINVAL, "Invalid argument"), "Invalid argument"),
    ],
)
def test_what_the_device_refuses_or_garbles_is_said(tmp_path, answer, said):
    attester, _ = enclave(tmp_path, answer)
    with pytest.raises(Unreachable, match=said):
        attester.attest(DATA)


def test_without_a_device_the_error_says_what_is_missing(tmp_path):
    for attester in (nsm.NsmAttester(tmp_path / "nsm"), tpm.TpmAttester(tmp_path / "tpm"), tsm.TsmAttester(tmp_path)):
        with pytest.raises(Unreachable, match="hint"):
            attester.attest(DATA)


def test_the_systems_own_ioctl_is_refused_by_what_is_no_device(tmp_path):
    path = tmp_path / "nsm"
    path.touch()
    with pytest.raises(Unreachable, match="Inappropriate ioctl"):
        nsm.NsmAttester(path).attest(DATA)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_report_data_of_another_length_is_refused_before_anything_is_asked(tmp_path, size):
    nowhere = Path("/nonexistent")
    for attester in (nsm.NsmAttester(nowhere), tpm.TpmAttester(nowhere), tsm.TsmAttester(nowhere)):
        with pytest.raises(UsageError, match="not 64"):
            attester.attest(bytes(size))


class Chip:
    """A TPM's answers, for what a real one does not do on demand: being busy, having little room, or going mad."""

    def __init__(self, *, busy=0, room=64, changing=0, answer=None):
        self.key, self.busy, self.room, self.changing, self.answer = rsa_key(), busy, room, changing, answer

    def __call__(self, command):
        if self.answer is not None:
            return self.answer
        if self.busy:
            self.busy -= 1
            return self.coded(b"", 0x922)
        code = int.from_bytes(command[6:10], "big")
        body = {0x173: self.public, 0x17E: self.values, 0x158: self.quote}[code](command[10:])
        return self.coded(*body) if isinstance(body, tuple) else self.coded(body)

    def coded(self, body, result=0):
        return b"\x80\x01" + (10 + len(body)).to_bytes(4, "big") + result.to_bytes(4, "big") + body

    def public(self, body):
        modulus = self.key.public_key().public_numbers().n.to_bytes(256, "big")
        area = b"\0\x01\0\x0b\0\x05\0\x72\0\0\0\x10\0\x14\0\x0b\x08\0\0\0\0\0" + sized(modulus)
        return sized(area) + sized(b"") + sized(b"")

    def values(self, body):
        bank, bits = int.from_bytes(body[4:6], "big"), int.from_bytes(body[7:10], "little")
        chosen = [one for one in range(24) if bits >> one & 1][:8]
        picked = [sized(VALUES[one]) for one in chosen] if bank == SHA256 else []
        said = selection((bank, chosen if bank == SHA256 else []))
        return bytes(4) + said + len(picked).to_bytes(4, "big") + b"".join(picked)

    def quote(self, body):
        size = int.from_bytes(body[17:19], "big")
        extra = body[19 : 19 + size]
        if size > self.room:
            return b"", 0x1D5
        values = VALUES
        if self.changing:
            self.changing -= 1
            values = VALUES | {0: bytes([99]) * 32}
        data = message(values=values, extra=extra)
        both = sized(data) + signature(self.key, data)
        return len(both).to_bytes(4, "big") + both


@pytest.fixture
def chip(monkeypatch):
    def put(made):
        monkeypatch.setattr(tpm, "_opened", lambda device: nullcontext(made))
        return tpm.TpmAttester()

    return put


def test_a_tpm_without_room_for_64_bytes_quotes_their_hash(chip):
    for room in (64, 48, 32):
        made = Chip(room=room)
        found = verify(chip(made).attest(DATA), policy("tpm"), Asked(0, report_data=DATA))
        assert found.accepted
        assert len(found.claims["qualifying_data"]) == (128 if room == 64 else 64)


def test_a_busy_tpm_is_asked_again(chip):
    assert verify(chip(Chip(busy=3)).attest(DATA), policy("tpm"), Asked(0, report_data=DATA)).accepted
    with pytest.raises(Unreachable, match="0x922"):
        chip(Chip(busy=99)).attest(DATA)


def test_registers_that_change_meanwhile_are_read_again(chip):
    assert verify(chip(Chip(changing=2)).attest(DATA), policy("tpm"), Asked(0, report_data=DATA)).accepted
    with pytest.raises(Unreachable, match="registers changed at every try"):
        chip(Chip(changing=99)).attest(DATA)


@pytest.mark.parametrize(
    "answer", [b"", b"\x80\x01", b"\x80\x01\0\0\0\x0a\0\0\0\0", b"\x80\x01\0\0\0\xff\0\0\0\0", b"\xff" * 40]
)
def test_garbled_answers_of_a_tpm_are_said(chip, answer):
    with pytest.raises(Unreachable, match=r"cannot be read|refused"):
        chip(Chip(answer=answer)).attest(DATA)


def test_a_bank_that_the_tpm_does_not_have_is_said(chip):
    made = Chip()
    chip(made)
    with pytest.raises(Unreachable, match="does not say register 0"):
        tpm.TpmAttester(bank=SHA384).attest(DATA)


@pytest.mark.parametrize("word", ["simulated", *REAL])
def test_what_an_enclave_loads_of_the_project_is_in_its_digest(word):
    """In a fresh process, as the enclave starts: whatever else is loaded would not be measured."""
    code = (
        "import sys; from pathlib import Path; import potluck\n"
        "from potluck.tee import serve; from potluck.tee.attestation import workload\n"
        f"attest, files = serve.attester({word!r}, bytes(32)); root = Path(potluck.__file__).parent\n"
        "loaded = {Path(m.__file__).relative_to(root).as_posix() for n, m in list(sys.modules.items())"
        " if n.split('.')[0] == 'potluck'}\n"
        "print(files, sorted(loaded - set(workload.FILES)))"
    )
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == f"{int(word in REAL)} []"


def test_an_enclave_without_its_hardware_does_not_start_and_says_why():
    frame = subprocess.run(
        [*program("nsm"), str(8 << 30)], input=b"", capture_output=True, check=False, timeout=60
    ).stdout
    assert b"no document" in frame
    assert b"Nitro enclave alone" in frame


def test_there_is_no_other_word():
    with pytest.raises(UsageError, match="no attester 'sgx'"):
        named("sgx")
