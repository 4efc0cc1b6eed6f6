"""An owner's papers about runs: the permit annex of each, written into its home, signed, and verified by others.

Everything comes from this home: requests, access log, ledger, policy, federation file. Of rows it has what was counted
when they were read for the plan; nothing here reads them.
"""

import hashlib
import os
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from jinja2 import TemplateError

from potluck.api.network.annex.whole import annex_of
from potluck.api.network.asked import Asked
from potluck.api.network.inbox import inbox
from potluck.api.network.members import federation_show
from potluck.core import private
from potluck.core.errors import Refused, UsageError, reason
from potluck.core.party import Party, Role
from potluck.core.plan import CODE
from potluck.core.schema import readable
from potluck.core.visible import visible
from potluck.members import files
from potluck.members.card import fingerprint
from potluck.members.change import called
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.members.papers import sealed, verified, verified_page
from potluck.owner.access import AccessLog, Subject
from potluck.owner.requests import SHORTEST, Requests
from potluck.report.papers import annex as paper
from potluck.report.papers.page import render
from potluck.tasks import own

CHARTER = "federation.toml"
"""The federation file beside the papers: with it whoever has them can verify them, also after keys have changed."""
MOST = 64 << 20
"""Bytes of an annex that is read."""


class _Sites(msgspec.Struct, frozen=True):
    sites: tuple[str, ...]


class _Plan(msgspec.Struct, frozen=True):
    federation: _Sites


@dataclass(frozen=True, slots=True)
class Paper:
    """The papers of one run. folder: where they are; digest: of annex.json, in hex; fingerprint: of the key that signed
    them."""

    run: str
    hash: str
    plan: str
    state: str
    folder: str
    digest: str
    fingerprint: str

    def document(self) -> dict[str, object]:
        """The JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verified:
    """Papers whose signature holds. by: version and digest of the federation file that says so, as people compare it;
    coordinator: its coordinator's fingerprint; spelt: whether the plan's text has the plan's hash under this program's
    version; page: whether annex.html is there, too: then its signature holds; alike: whether it is the page that this
    version makes of annex.json (None: it is not there); role: "site" or "compute", who signed."""

    site: str
    role: str
    fingerprint: str
    run: str
    hash: str
    plan: str
    state: str
    made: str
    digest: str
    federation: str
    version: int
    coordinator: str
    spelt: bool
    page: bool
    alike: bool | None = None

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {"verified": True, **asdict(self)}


def asked_for(folder: Path, which: str) -> list[Asked]:
    """The requests of a run, or of all runs of a plan, oldest first. which: a run's name, or the first letters of one
    name or hash. Raises UsageError: none or several plans begin so."""
    home, text = SiteHome.at(folder), which.strip().lower().removeprefix("sha256:")
    with closing(Requests(home.requests)) as requests:
        every = requests.every()
    exact = [one for one in every if one.run == which]
    long = len(text) >= SHORTEST
    found = exact or [one for one in every if long and (one.hash.startswith(text) or one.run.startswith(text))]
    runs = {one.run for one in found}
    hashes = {one.hash for one in found}
    if len(hashes) != 1:
        what = f"{len(hashes) or 'no'} plans were asked for here whose hash or run begins with {which!r}"
        raise UsageError(what, where=home.name, hint="potluck site log, or the page of what was asked, has both")
    return [one for one in inbox(folder, hashes.pop()) if one.request.run in runs]


def write(folder: Path, which: str, now: datetime, person: str = "", out: Path | None = None) -> list[Paper]:
    """Write and sign the papers of these runs, in the home or in `out`, a folder a run; what is there is replaced.

    now: with its time zone; person: who asks for them, for the access log. Raises UsageError: no such run, or they
    cannot be written. Refused: this site's ledger or federation file is not what it was, or no line can be logged.
    """
    home = SiteHome.at(folder)
    asked = asked_for(folder, which)
    found = [(one, annex_of(home, one, now)) for one in asked]
    charter = files.text(home.federation, "federation file")
    done = []
    for one, annex in found:
        about = Subject(person=person, plan=one.plan.name, hash=one.request.hash, run=one.request.run)
        AccessLog(home.access).write("papers", now, about=about)
        data = paper.text(annex)
        place = (out or home.folder / own.FOLDER).absolute() / file_name(one.request.run)
        files.kept_folder(place.parent)
        files.kept_folder(place)
        name = hashlib.sha256(data).hexdigest()
        page = render(annex, one.plan.federation.sites, name).encode()
        seal = sealed(home, data, page)
        parts = {paper.JSON: data, CHARTER: charter.encode(), paper.HTML: page, paper.SEAL: seal.encode()}
        for file, content in parts.items():  # the signature last
            files.replace(place / file, content, files.PRIVATE)
        me = home.name, home.me.role.value
        mine = next(card.fingerprint for card in annex.federation.members if (card.name, card.role) == me)
        done.append(Paper(one.request.run, f"sha256:{one.request.hash}", one.plan.name, one.request.state.value,
                          str(place), name, mine))  # fmt: skip
    return done


def verify(place: Path, file: Path, which: str, now: float) -> Verified:
    """Whether papers are signed by a member, and the page beside them where there is one. place: a site's or
    coordinator's home, or a federation file; file: their annex.json, or the folder of it; which: the run or the plan's
    hash, or its first letters, that they are to be of, "" any.

    Raises UsageError: there are none, malformed, or `which` is too short. Refused: not signed so, of another
    federation, or of another run.
    """
    federation = federation_show(place, now).federation
    path = file / paper.JSON if file.is_dir() else file
    data, seal = _bytes(path), files.text(_beside(path, paper.SEAL), "signature")
    card = verified(federation, seal, data, str(path))
    found = paper.read(data, str(path))
    says = Party(Role.COMPUTE if found.computes else Role.SITE, found.site)  # the two may be called alike
    if (says, found.federation.id) != (card.party, federation.id):
        what = f"the papers say that they are {called(says)}'s of federation {visible(found.federation.id)}"
        raise Refused(f"{what}, and {called(card.party)} of {federation.id} signed them", where=str(path))
    if which and which != found.request.run and not found.plan.hash.startswith(f"sha256:{_hex(which)}"):
        what = f"the papers are of run {found.request.run} and plan {found.plan.hash}"
        raise Refused(what, where=str(path), hint="they are no others' papers")
    page, alike = _beside(path, paper.HTML), None
    if os.path.lexists(page):
        shown = _bytes(page)
        verified_page(federation, seal, data, shown, str(page))
        alike = _alike(found, data, shown)
    return Verified(
        site=found.site,
        role=card.party.role.value,
        fingerprint=fingerprint(card),
        run=found.request.run,
        hash=found.plan.hash,
        plan=found.plan.name,
        state=found.request.state,
        made=found.made,
        digest=hashlib.sha256(data).hexdigest(),
        federation=federation.name,
        version=federation.version,
        coordinator=fingerprint(federation.coordinator),
        spelt=_spelt(found),
        page=alike is not None,
        alike=alike,
    )


def _alike(found: paper.Annex, data: bytes, shown: bytes) -> bool:
    """Whether a signed page says what the papers say, as this version says it. Who signs may sign two things."""
    try:
        sites = msgspec.json.decode(found.plan.text, type=readable(_Plan)).federation.sites
        return render(found, sites, hashlib.sha256(data).hexdigest()).encode() == shown
    except (msgspec.MsgspecError, TemplateError, ValueError, ArithmeticError, RecursionError):
        return False  # papers that nobody could have made a page of


def _bytes(path: Path) -> bytes:
    try:
        with private.regular(path) as content:
            data = content.read(MOST + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
    if len(data) > MOST:
        raise UsageError("is too long for a permit annex", where=str(path))
    return data


def _beside(path: Path, name: str) -> Path:
    """The file of that name beside an annex.json: its browser may have put a run before all of their names."""
    return path.with_name(path.name.removesuffix(paper.JSON) + name)


def _hex(which: str) -> str:
    """Raises UsageError: fewer letters than name a plan; other papers would fit, too."""
    text = which.strip().lower().removeprefix("sha256:")
    if len(text) < SHORTEST:
        what = f"{which!r} is neither the run of these papers nor {SHORTEST} letters of a plan's hash"
        raise UsageError(what, where="--verify", hint="name the whole run, or more of the hash")
    return text


def _spelt(found: paper.Annex) -> bool:
    text = found.plan.text.encode()
    whole = hashlib.sha256(b"potluck plan 4\0" + CODE.encode() + b"\0" + text).hexdigest()
    return found.plan.hash == f"sha256:{whole}"
