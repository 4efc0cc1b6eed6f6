"""`potluck tee`: evidence of enclaves, and the policies that judge it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

from potluck.api.machine import attest as machine
from potluck.api.machine import evidence as api
from potluck.api.machine.evidence import Given
from potluck.api.plan.grammar import dotted
from potluck.cli.door import PATH, added, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.verbs import Group
from potluck.core.errors import UsageError
from potluck.tee.attestation.evidence import FORMATS
from potluck.tee.attestation.verdict import Verdict

F = TypeVar("F", bound=Callable[..., object])
LATEST = 253_402_300_799
"""Unix seconds of the end of the year 9999."""


@click.group("tee", cls=Group)
def command() -> None:
    """Trusted hardware: verify an enclave's evidence under your own policy, before you send a byte."""


def evidenced(function: F) -> F:
    """Add the options that say which evidence is meant, and when."""
    return added(
        function,
        click.option("--format", "format_", type=click.Choice(FORMATS), help="Kind of evidence."),
        click.option("--evidence", type=PATH, help="Report, quote or document."),
        click.option("--endorsement", "endorsements", type=PATH, multiple=True, help="Certificate or collateral."),
        click.option("--root", "roots", type=PATH, multiple=True, help="Trust this root instead (development)."),
        click.option("--at", type=click.IntRange(0, LATEST), metavar="UNIX", help="Time to verify at (default: now)."),
    )


@command.command("verify")
@evidenced
@click.option("--policy", type=PATH, required=True, help="Your policy (TOML).")
@click.option("--nonce", metavar="HEX", help="The nonce that you asked with.")
@click.option("--report-data", metavar="HEX", help="The report data that must be in it.")
@spoken
def verify(policy: Path, nonce: str | None, report_data: str | None, **words: object) -> int:
    """Accept or refuse evidence under a policy. Exit 0: accepted; 3: refused, with every reason."""
    verdict = api.attested(replace(_given(words), nonce=nonce, report_data=report_data), policy)
    voice().data(verdict.document(), lambda out: judged(out, verdict))
    return 0 if verdict.accepted else 3


@command.command("policy")
@click.argument("policy", type=PATH, required=False)
@evidenced
@click.option("-o", "--output", type=PATH, help="Write the new policy here.")
@spoken
def policy(policy: Path | None, output: Path | None, **words: object) -> None:
    """What POLICY demands; or, from --format and --evidence, a policy to begin with that demands what they claim."""
    say = voice()
    if (policy is None) == (words["evidence"] is None):
        hint = "potluck tee policy FILE, or potluck tee policy --format snp --evidence FILE"
        raise UsageError("give a policy, or evidence to make one from", hint=hint)
    if policy is not None:
        held = api.demands(policy)
        said = [*(f"{key} = {_word(value)}" for key, value in held.flat()), held.hash]
    else:
        held = api.begun(_given(words), output)
        said = [held.file] if held.file else held.text.splitlines()
    say.lines(held.document(), said)
    say.warn(held.warnings)


@command.command("measure")
@spoken
def measure() -> None:
    """The digest of the code that an enclave of this installation runs: all owners must find the same."""
    said = machine.measured()
    voice().lines(said, [str(said["workload"])])


@command.command("attest")
@click.option("--attester", type=click.Choice(machine.WORDS), required=True, help="Who speaks for this machine.")
@click.option("--nonce", metavar="HEX", help="What the verifier sent, up to 64 bytes.")
@click.option("--report-data", metavar="HEX", help="All 64 bytes, instead of a nonce.")
@click.option("--device", type=PATH, help="In place of /dev/nsm, /dev/tpmrm0 or configfs-tsm's folder.")
@click.option("-o", "--output", type=PATH, default=Path("evidence"), help="Folder to write to (default: evidence).")
@spoken
def attest(attester: str, nonce: str | None, report_data: str | None, device: Path | None, output: Path) -> None:
    """Evidence of the machine that this runs on, for `potluck tee verify`. Exit 4: it has no such hardware."""
    made = machine.attest(attester, nonce, report_data, device, output)
    voice().lines(made.document(), map(str, (made.format, made.evidence, *made.endorsements)))


def _given(words: dict[str, Any]) -> Given:
    """The evidence that the options name. Raises UsageError: one is missing."""
    for name, option in (("format_", "--format"), ("evidence", "--evidence")):
        if words[name] is None:
            hint = f"one of {', '.join(FORMATS)}" if name == "format_" else "the file of the report, quote or document"
            raise UsageError(f"{option} is missing", hint=hint)
    return Given(words["format_"], words["evidence"], words["endorsements"], words["roots"], words["at"])


def judged(out: Terminal, verdict: Verdict) -> None:
    """Print a verdict: the word, the stamp, every reason, what nobody asked, and what the evidence claims."""
    word = Text("accept:", "green") if verdict.accepted else Text("refuse:", "red")
    out.print(word, verdict.format)
    if verdict.stamp:
        out.say(f"  {verdict.stamp}", "yellow")
    out.lines(f"  {reason}" for reason in verdict.reasons)
    out.lines(f"  not compared: {path}" for path in verdict.unchecked)
    if verdict.claims:
        out.print("claims:")
    out.lines(f"  {path} = {_word(value)}" for path, value in dotted(verdict.claims) if value is not None)


def _word(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
