"""The examples for operation: systemd units and containers say what they should, and their commands exist."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.cli import potluck as group
from support.docs.pages import ROOT

EXAMPLES = ROOT / "examples"
UNITS = sorted((EXAMPLES / "systemd").glob("*.service"))
COMPOSE = (EXAMPLES / "compose" / "compose.yaml").read_text(encoding="utf-8")
QUADLETS = sorted((EXAMPLES / "quadlet").glob("*.container"))
QUADLET = next(
    (path for path in map(Path, ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet")) if path.exists()), None
)
CONTAINERFILE = (EXAMPLES / "compose" / "Containerfile").read_text(encoding="utf-8")
KNOWN = {
    "Unit": "Description Wants After StartLimitIntervalSec",
    "Service": "Type User ExecStart ExecReload ReadWritePaths IPAddressDeny IPAddressAllow KillSignal TimeoutStopSec "
    "Restart RestartSec RestartPreventExitStatus MemoryMax MemorySwapMax LimitCORE LimitNOFILE TasksMax UMask "
    "NoNewPrivileges CapabilityBoundingSet ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectClock "
    "ProtectHostname ProtectControlGroups ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc "
    "RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality "
    "SystemCallArchitectures SystemCallFilter SystemCallErrorNumber",
    "Install": "WantedBy",
}
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "KillSignal": "SIGTERM",
    "Restart": "on-failure",
    "LimitCORE": "0",
    "UMask": "0077",
    "User": "potluck",
}


def unit(path: Path) -> dict[str, dict[str, str]]:
    """Section, directive, value. Raises AssertionError: a directive twice, or a line that is none."""
    found: dict[str, dict[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        assert name not in section, line
        section[name] = value
    return found


def taken(words: list[str]) -> bool:
    """Whether the command line takes these words: a verb with its arguments and options."""
    command = group
    while hasattr(command, "get_command"):
        command, *words = command.get_command(None, words[0]), *words[1:]
        assert command is not None
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    arguments = sum(parameter.param_type_name == "argument" and parameter.required for parameter in command.params)
    while words:
        word, *words = words
        if word.startswith("-"):
            assert word in options, word
            words = words if options[word].is_flag else words[1:]
        else:
            arguments -= 1
    return arguments == 0


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_hardened_and_starts_a_command_that_exists(path):
    found = unit(path)
    timed = path.with_suffix(".timer").exists()
    assert set(found) == set(KNOWN) - ({"Install"} if timed else set()), "a timer starts it, or a target"
    for section, directives in found.items():
        assert set(directives) <= set(KNOWN[section].split())
    service = found["Service"]
    assert {name: service[name] for name in HARDENED} == HARDENED
    assert "MemoryMax" in service
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/potluck")
    assert taken(words)
    homes = [word for word in words if word.startswith("/")]
    assert homes == service["ReadWritePaths"].split(), "it may write what its command names, and nothing else"


def test_a_unit_with_a_misspelt_word_or_verb_is_noticed(tmp_path):
    (tmp_path / "bad.service").write_text("[Service]\nUser=a\nUser=b\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        unit(tmp_path / "bad.service")
    assert not taken(["site", "run"])
    with pytest.raises(AssertionError):
        taken(["site", "walk", "cleveland"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_itself_understands_a_unit(path, tmp_path):
    """Where systemd is there; the test above needs none."""
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        text = path.read_text(encoding="utf-8")
        program = Path(sys.executable).parent / "potluck"
        (tmp_path / path.name).write_text(re.sub(r"ExecStart=\S+", f"ExecStart={program}", text), encoding="utf-8")
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(tmp_path / path.name)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Unknown" not in done.stderr


def container(path: Path) -> dict[str, list[str]]:
    """The directives of a quadlet's section `Container`, each with its values."""
    section = path.read_text(encoding="utf-8").split("[Container]\n")[1].split("\n[")[0]
    found: dict[str, list[str]] = {}
    for name, text in (line.split("=", 1) for line in section.splitlines() if line and line[0] != "#"):
        found.setdefault(name, []).append(text)
    return found


@pytest.mark.parametrize("path", QUADLETS, ids=lambda path: path.stem)
def test_a_quadlet_is_confined_and_runs_a_command_that_exists(path):
    found = container(path)
    assert taken(shlex.split(found["Exec"][0]))
    confined = {
        "ReadOnly": "true",
        "DropCapability": "all",
        "NoNewPrivileges": "true",
        "User": "10001",
        "Pull": "never",
    }
    assert {name: found[name] for name in confined} == {name: [text] for name, text in confined.items()}
    assert f"USER {found['User'][0]}:{found['Group'][0]}\n" in CONTAINERFILE
    homes = [text.split(":")[1] for text in found["Volume"] if ":ro" not in text]
    assert homes == [found["Exec"][0].partition(" --")[0].split()[-1]], "it may write its home and nothing else"
    if "site" in path.stem:  # what it asks is what the process answers
        port = found["Exec"][0].partition("--health ")[2]
        assert f"http://localhost:{port}/healthz" in found["HealthCmd"][0]
        compile(shlex.split(found["HealthCmd"][0])[2], "HealthCmd", "exec")
        assert found["HealthOnFailure"] == ["none"]
    assert ("PublishPort" in found) == ("broker" in path.stem), "no ports but the broker's"


def test_podman_itself_understands_the_quadlets(tmp_path):
    """Where podman is there (`make test-all` installs it); the test above needs none."""
    if QUADLET is None:
        return

    def made(folder: Path) -> subprocess.CompletedProcess[str]:
        environ = {"QUADLET_UNIT_DIRS": str(folder), "PATH": "/usr/bin:/bin"}
        return subprocess.run([str(QUADLET), "-dryrun"], env=environ, capture_output=True, text=True, check=False)

    done = made(EXAMPLES / "quadlet")
    assert done.returncode == 0, done.stderr
    assert "nsupported" not in done.stderr
    starts = re.findall(r"^ExecStart=/usr/bin/podman run .* --read-only .*$", done.stdout, re.MULTILINE)
    assert len(starts) == len(QUADLETS)
    for path in QUADLETS:
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace("ReadOnly=", "ReedOnly="), encoding="utf-8")
    spoilt = made(tmp_path)  # the control
    assert spoilt.returncode != 0 or "nsupported" in spoilt.stderr


def services() -> dict[str, str]:
    """The block of each service in the compose file, with those that it takes over (`<<: *name`)."""
    text = COMPOSE.split("\nservices:\n")[1].split("\nnetworks:\n")[0]
    found = dict(re.findall(r"^  (\w+):\n((?:(?:    .*)?\n)*)", text + "\n", re.MULTILINE))
    shared = dict(re.findall(r"^x-\w+: &(\w+)\n((?:  .*\n)*)", COMPOSE, re.MULTILINE))

    def whole(block: str) -> str:
        return block + "".join(whole(shared[name]) for name in re.findall(r"<<: \*(\w+)", block))

    return {name: whole(block) for name, block in found.items()}


def value(block: str, key: str) -> list[str]:
    """A list in brackets; the service's own stands before the shared one."""
    line = re.search(rf"^ +{key}: (\[.*\])$", block, re.MULTILINE)
    return json.loads(line[1]) if line else []


def test_every_container_is_confined_and_runs_a_command_that_exists():
    found = services()
    assert set(found) == {"broker", "cleveland", "hungarian", "va", "server"}
    for name, block in found.items():
        assert taken(value(block, "command")), name
        assert value(block, "cap_drop") == ["ALL"]
        assert value(block, "security_opt") == ["no-new-privileges:true"]
        assert re.search(r"^ +read_only: true$", block, re.MULTILINE)
        assert bool(value(block, "ports")) == (name == "broker"), "no ports but the broker's"


def test_a_sites_container_reads_its_rows_only_and_has_no_way_out():
    for name in ("cleveland", "hungarian", "va"):
        block = services()[name]
        assert value(block, "volumes") == [f"./{name}:/potluck/home", f"./data/{name}:/data:ro"]
        assert value(block, "networks") == ["federation"]
        assert value(block, "command") == ["site", "run", "/potluck/home"]
    assert re.search(r"^  federation:\n    internal: true", COMPOSE, re.MULTILINE)


def test_the_image_comes_from_no_registry_in_particular_and_takes_a_wheel_alone():
    base = re.search(r"^ARG BASE=(\S+)\nFROM \$\{BASE\}$", CONTAINERFILE, re.MULTILINE)
    assert base
    assert "/" not in base[1]
    assert re.findall(r"^COPY (.*) \S+$", CONTAINERFILE, re.MULTILINE) == ["."]  # of the folder below
    assert "--require-hashes -r inside/potluck/site/locks/program.txt" in CONTAINERFILE
    assert re.search(r"^    context: wheel\n    dockerfile: \.\./Containerfile$", COMPOSE, re.MULTILINE)
    assert 'ENTRYPOINT ["potluck"]' in CONTAINERFILE
    assert "\t" not in COMPOSE
