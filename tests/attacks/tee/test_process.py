"""The enclave's process: what it loads, what it can reach, and what becomes of a run when it dies."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Rule
from potluck.core.stages import Opened
from potluck.tee import host
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.demand import built_in
from potluck.tee.attestation.workload import FILES, ROOT, workload
from potluck.tee.host import Enclave
from potluck.tee.sum import messages as m
from potluck.testing.protection import check_protection, judged
from support.tee.rig import arrays, judge, keep, left, program, sitting, stopped


@pytest.fixture
def enclave():
    made = Enclave(program())
    yield made
    made.close()


def loaded(enclave):
    return enclave._call("modules")[0].decode().split("\n")


def test_it_loads_only_the_files_that_are_measured(enclave):
    enclave.keys()
    assert {name for name in loaded(enclave) if name.split(".")[0] == "potluck"} <= measured()


def measured():
    return {f"potluck/{name}".removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES}


def test_no_file_is_measured_that_no_enclave_loads():
    """With the attesters of all machines, of which a process loads one."""
    attesters = sorted(name for name in measured() if ".attesters." in name)
    modules = ", ".join(["potluck.parties.runners.enclave", "potluck.parties.runners.enclave_graphs", *attesters])
    code = f"import sys; sys.path.append({str(ROOT.parent)!r}); import {modules}"
    told = "; print(*(name for name in sys.modules if name.split('.')[0] == 'potluck'))"
    done = subprocess.run([sys.executable, "-I", "-B", "-c", code + told], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == measured()


@pytest.mark.parametrize("rule", ["sum", "median", "trimmed", "krum", "norm"])
def test_nothing_is_loaded_or_opened_once_the_door_is_shut(enclave, rule):
    enclave.keys()
    before = loaded(enclave), handles(enclave)
    words = [one % 100 + 1 for one in arrays(4)]
    sat = sitting(words, 1, enclave=enclave, rule=Rule(rule, 1, 1000) if rule != "sum" else Rule())
    assert isinstance(sat.run()[SERVER].result, Opened)
    assert (loaded(enclave), handles(enclave)) == before
    assert all(kind == "pipe" for kind in before[1])


def handles(enclave):
    """What the process holds open; its stderr goes nowhere."""
    folder = Path(f"/proc/{enclave._worker.pid}/fd")
    try:
        open_ = sorted(folder.iterdir())
    except PermissionError:
        pytest.skip("root may write anywhere")
    kinds = []
    for one in open_:
        mode = os.stat(one).st_mode
        if os.readlink(one) != "/dev/null":
            kinds.append("pipe" if stat.S_ISFIFO(mode) else os.readlink(one))
    return kinds


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname').read()",
        "open('/tmp/leak', 'w').write('x')",
        "import socket; socket.socket()",
        "import subprocess; subprocess.run(['/bin/sh', '-c', 'true'], capture_output=True, check=True)",
        "os.pipe()",
        "os.listdir('/')",
    ],
)
def test_it_reaches_no_file_no_network_and_no_shell_that_could_answer(enclave, attempt):
    enclave.keys()
    assert enclave._call("attempt", attempt.encode())[0] != b"done"
    assert enclave._call("attempt", b"1 + 1")[0] == b"done"


def test_its_environment_is_empty_and_its_command_heeds_none(enclave, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    enclave.keys()
    assert enclave._call("attempt", b"assert not {'LD_PRELOAD', 'PYTHONPATH'} & set(os.environ)")[0] == b"done"
    assert enclave._call("attempt", b"assert sys.flags.isolated and sys.flags.ignore_environment")[0] == b"done"
    assert host.program("simulated")[1:3] == ["-I", "-B"]


def test_other_code_is_another_workload(tmp_path, monkeypatch):
    before = workload()
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr("potluck.tee.attestation.workload.ROOT", tmp_path)
    assert workload() == before
    for name in FILES:
        body = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(body + b"#")
        assert workload() != before
        (tmp_path / name).write_bytes(body)
    assert built_in().policy.simulated.measurements == (before.hex(),)


def test_what_it_says_of_itself_is_what_the_owners_expect(enclave):
    keys, code = enclave.keys()
    assert code == workload() == judge().workload
    assert (len(keys.box), len(keys.sign)) == (1216, 32)
    assert set(enclave._worker.versions) == {"python", "numpy", "cryptography", "pynacl"}


# --- Its death ---


@pytest.mark.parametrize(
    "step", [m.INPUT, *(pytest.param(step, marks=pytest.mark.slow) for step in (a.EVIDENCE, m.SURVIVORS))]
)
def test_its_death_in_a_round_is_named_and_opens_nothing(enclave, step):
    sat = sitting(arrays(4), 1, enclave=enclave)
    killed = []

    def carry(letter):
        if letter.label.step == step and not killed:
            killed.append(enclave._worker.pid)
            os.kill(killed[0], 9)
            enclave._worker._process.wait(10)
        return (letter,)

    sat.carry = carry
    desks = sat.run()
    assert desks[SERVER].result is None
    assert desks[SERVER].abort.cause in (Cause.ENGINE, Cause.TOO_FEW)
    told = str(desks[SERVER].abort)
    assert "engine failed" in told, told


def test_its_death_between_rounds_is_noticed_by_the_owners(enclave):
    ledgers = keep(4)
    assert isinstance(check_protection(sitting(arrays(4), 1, enclave=enclave, ledgers=ledgers)), Opened)
    os.kill(enclave._worker.pid, 9)
    enclave._worker._process.wait(10)
    again = sitting(arrays(4), 1, enclave=enclave, ledgers=ledgers, number=2)
    desks = again.run()
    assert {why for _, _, why in stopped(desks).values()} == {"enclave"}
    assert not left(again, m.INPUT)
    assert isinstance(judged(again, desks), Abort)


def test_an_attester_that_nobody_knows_ends_the_process_and_says_so():
    with pytest.raises(Abort) as stop:
        Enclave(host.program("no such")).keys()
    assert stop.value.cause is Cause.ENGINE
