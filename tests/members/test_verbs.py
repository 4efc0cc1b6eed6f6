"""`potluck federation` and `potluck site new|join` as people type them: exit codes, what is said, what never is."""

import base64
import json
import re
import shutil
import stat
from pathlib import Path

import pytest

from potluck.api.network import members as api
from potluck.core.party import SERVER, site
from potluck.members import charter, offer
from potluck.members import keys as keyring
from potluck.members.card import draft
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.tables import moment
from potluck.net.broker import nodes
from potluck.testing.draws import seeded
from support.members.scene import DAY
from support.places import ROOT

REFERENCE = ROOT / "docs" / "reference" / "json.md"
PRINT = re.compile(r"(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begin(cli, *sites):
    """hospitals with these members; gives the fingerprints as `site new` said them."""
    assert cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222").code == 0
    prints = {name: cli("site", "new", name, "--json").json["fingerprint"] for name in sites}
    if sites:
        assert cli("federation", "add", "hospitals", *(f"{name}/{name}.card" for name in sites)).code == 0
    return prints


def test_enrolment_from_the_first_key_to_the_joined_federation(here, cli):
    said = cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222", "--json")
    assert said.code == 0, said.err
    chief = said.json["coordinator"]
    assert said.json["version"] == 1
    assert said.json["members"] == {}
    assert {path.name for path in (here / "hospitals" / "broker").iterdir()} >= {"ca.pem", "server.pem", "nats.conf"}
    prints = {}
    for name in ("cleveland", "va"):
        said = cli("site", "new", name)
        assert said.code == 0, said.err
        (prints[name],) = PRINT.findall(said.out)
        assert (here / name / "policy.toml").is_file()
    said = cli("federation", "add", "hospitals", "cleveland/cleveland.card", "va/va.card")
    assert said.code == 0, said.err
    assert set(PRINT.findall(said.out)) == {chief, *prints.values()}
    said = cli("site", "join", "cleveland", "hospitals/federation.toml")
    assert said.code == 0, said.err
    assert set(PRINT.findall(said.out)) == {chief, *prints.values()}
    assert "compare" in said.err
    again = cli("site", "join", "cleveland", "hospitals/federation.toml", "--json")
    assert again.json["first"] is False
    assert again.json["federation"]["members"] == prints
    assert again.json["fingerprint"] == prints["cleveland"]
    for path in ("hospitals", "cleveland", "hospitals/federation.toml"):
        shown = cli("federation", "show", path, "--json")
        assert shown.json["coordinator"] == chief
        assert shown.json["members"] == prints
        assert shown.json["version"] == 2
        assert set(PRINT.findall(cli("federation", "show", path).out)) == {chief, *prints.values()}


def test_a_site_can_insist_on_a_coordinator(here, cli):
    begin(cli, "a")
    true = cli("federation", "show", "hospitals", "--json").json["coordinator"]
    wrong = ("0" if true[0] != "0" else "1") + true[1:]
    said = cli("site", "join", "a", "hospitals/federation.toml", "--coordinator", wrong)
    assert (said.code, said.out) == (3, "")
    assert not (here / "a" / "federation.toml").exists()
    said = cli("site", "join", "a", "hospitals/federation.toml", "--coordinator", true.lower().replace("-", " "))
    assert said.code == 0
    assert "compare" not in said.err


def test_changes_reach_a_site_and_older_files_do_not(here, cli, room):
    begin(cli, "a", "b")
    shutil.copy("hospitals/federation.toml", "two.toml")
    assert cli("site", "join", "a", "two.toml").code == 0
    assert cli("federation", "remove", "hospitals", "b").code == 0
    assert cli("site", "join", "a", "hospitals/federation.toml", "--json").json["federation"]["version"] == 3
    said = cli("site", "join", "a", "two.toml")
    assert (said.code, said.out) == (3, "")
    assert "older" in said.err
    said = cli("site", "join", "b", "hospitals/federation.toml")
    assert said.code == 3
    assert "not a member" in said.err
    assert cli("federation", "remove", "hospitals", "b").code == 2
    assert cli("federation", "add", "hospitals", "a/a.card").code == 2


def test_a_forged_or_strange_file_is_refused_and_the_pin_stays(here, cli, room):
    begin(cli, "a")
    assert cli("site", "join", "a", "hospitals/federation.toml").code == 0
    pinned = Path("a/federation.toml").read_bytes()
    text = Path("hospitals/federation.toml").read_text()
    Path("edited.toml").write_text(text.replace("localhost", "evil.test"))
    stranger = keyring.make(here / "stranger", seeded("stranger"))
    true = charter.read(here / "hospitals" / "federation.toml")
    forged = api.coordinator.prolonged(api.coordinator.with_new_keys(true, [], 2_000_000_000), 9)
    forged = charter.write(api.coordinator.replace(forged, coordinator=draft(SERVER, stranger)), stranger.signing)
    Path("forged.toml").write_text(forged)
    for name, said in (("edited.toml", "not signed"), ("forged.toml", "has not handed over")):
        got = cli("site", "join", "a", name)
        assert (got.code, got.out) == (3, ""), name
        assert said in got.err
    for content in ("", "version = 1", "[["):
        Path("broken.toml").write_text(content)
        assert cli("site", "join", "a", "broken.toml").code == 2
    assert cli("site", "join", "a", "none.toml").code == 2
    assert Path("a/federation.toml").read_bytes() == pinned


def test_an_expired_file_is_refused(here, cli, room, monkeypatch):
    begin(cli, "a")
    now = moment(charter.read(here / "hospitals" / "federation.toml").expires).timestamp()
    monkeypatch.setattr("time.time", lambda: now + DAY)
    said = cli("site", "join", "a", "hospitals/federation.toml")
    assert said.code == 3
    assert "expired" in said.err
    shown = cli("federation", "show", "hospitals", "--json")
    assert (shown.code, shown.json["expired"]) == (0, True)
    assert "expired" in shown.err
    assert cli("federation", "add", "hospitals", "a/a.card").code == 3
    assert cli("federation", "rotate", "hospitals", "--days", "30").code == 0
    assert cli("site", "join", "a", "hospitals/federation.toml").code == 0


def test_rotation_of_a_sites_keys_and_of_the_coordinators(here, cli, room):
    begin(cli, "a", "b")
    for name in "ab":
        assert cli("site", "join", name, "hospitals/federation.toml").code == 0
    chief = cli("federation", "show", "hospitals", "--json").json["coordinator"]
    fresh = cli("site", "new", "a", "--rotate", "--json").json
    assert cli("site", "new", "a", "--rotate").code == 2
    said = cli("federation", "rotate", "hospitals", fresh["card"], "--json")
    assert said.json["changed"] == ["a"]
    assert said.json["members"]["a"] == fresh["fingerprint"]
    said = cli("federation", "rotate", "hospitals", "--keys", "--json")
    assert said.json["coordinator"] != chief
    for name in "ab":
        joined = cli("site", "join", name, "hospitals/federation.toml", "--json")
        assert joined.json["new_coordinator"] is True
        assert joined.json["federation"]["version"] == 4
        assert "new keys" in joined.err
    assert cli("federation", "rotate", "hospitals", "nowhere.card").code == 2
    cli("site", "new", "c")
    said = cli("federation", "rotate", "hospitals", "c/c.card")
    assert said.code == 2
    assert "not a member" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["federation"],
        ["site"],
        ["federation", "new", "x"],
        ["federation", "new", "x", "--broker", "nats://b:4222"],
        ["federation", "new", "x", "--broker", "tls://b:4222", "--days", "0"],
        ["federation", "new", "server", "--broker", "tls://b:4222"],
        ["federation", "add", "nowhere"],
        ["federation", "add", "nowhere", "x.card"],
        ["federation", "remove", "nowhere", "x"],
        ["federation", "rotate", "nowhere"],
        ["federation", "show", "nowhere"],
        ["federation", "nonsense"],
        ["site", "new", "server"],
        ["site", "new", "x", "--name", ""],
        ["site", "new", "x", "--name", "y", "--rotate"],
        ["site", "new", "nowhere", "--rotate"],
        ["site", "join", "nowhere", "x.toml"],
    ],
)
def test_wrong_usage_is_exit_2_and_leaves_nothing(here, cli, room, words):
    said = cli(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert list(here.iterdir()) == []


def test_nothing_that_is_there_is_overwritten(here, cli, room):
    begin(cli, "a")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert cli("site", "new", "a").code == 2
    assert cli("site", "new", "hospitals").code == 2
    assert cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222").code == 2
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_a_name_cannot_rewrite_the_screen(here, cli, room):
    name = "a\x1b[1A\x1b[2K\r[red]b"
    assert cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222").code == 0
    made = cli("site", "new", "evil", "--name", name)
    added = cli("federation", "add", "hospitals", *(Path("evil").glob("*.card")))
    joined = cli("site", "join", "evil", "hospitals/federation.toml")
    for said in (made, added, joined, cli("federation", "show", "hospitals")):
        assert said.code == 0, said.err
        assert "\x1b" not in said.out + said.err
        assert "\r" not in said.out + said.err
        assert "[red]b" in said.out
    assert cli("federation", "show", "hospitals", "--json").json["members"].keys() == {name}


def test_two_cards_of_one_name_are_refused(here, cli, room):
    begin(cli, "a")
    cli("site", "new", "one", "--name", "b")
    cli("site", "new", "two", "--name", "b")
    assert cli("federation", "add", "hospitals", "one/b.card", "two/b.card").code == 2
    assert cli("federation", "add", "hospitals", "one/b.card").code == 0
    assert cli("federation", "add", "hospitals", "two/b.card").code == 2
    text = Path("one/b.card").read_text().replace('name = "b"', 'name = "c"')
    Path("c.card").write_text(text)
    assert cli("federation", "add", "hospitals", "c.card").code == 3


def test_a_federation_does_not_grow_beyond_what_its_sites_follow(here, cli, room, monkeypatch):
    begin(cli, "a")
    cli("site", "new", "b")
    before = Path("hospitals/federation.toml").read_bytes()
    monkeypatch.setattr(offer, "LARGEST", len(before))
    ended = cli("federation", "add", "hospitals", "b/b.card")
    assert ended.code == 2
    assert "with 2 members the federation file has " in ended.err
    assert Path("hospitals/federation.toml").read_bytes() == before
    assert cli("federation", "rotate", "hospitals").code == 0  # what does not make it longer goes on


def test_a_broker_moves_and_one_node_becomes_three_and_never_one_again(here, cli):
    begin(cli, "a")
    known = cli("federation", "show", "hospitals", "--json").json
    three = [word for port in (1, 2, 3) for word in ("--broker", f"tls://localhost:{port}")]
    moved = cli("federation", "rotate", "hospitals", *three, "--json")
    assert moved.json["broker"] == ",".join(three[1::2])
    assert moved.json["version"] == known["version"] + 1
    assert "at tls://localhost:4222: " in moved.err  # where nobody hears of it
    assert nodes(Path("hospitals")) == (1, 2, 3)
    assert cli("federation", "rotate", "hospitals", "--broker", "tls://localhost:4222").code == 2
    assert cli("federation", "rotate", "hospitals", "--broker", "localhost").code == 2
    assert cli("federation", "rotate", "hospitals", *three, "--keys").code == 2
    assert cli("federation", "show", "hospitals", "--json").json["version"] == moved.json["version"]


def spellings(raw: bytes) -> set[str]:
    return {raw.hex(), base64.b64encode(raw).decode().rstrip("="), base64.b32encode(raw).decode().rstrip("=")}


def test_no_secret_is_in_any_output_or_outside_the_keys(here, cli):
    said = [cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222", "-v")]
    said += [cli("site", "new", name, *more) for name in "ab" for more in ((), ("--rotate",))]
    said += [cli("federation", "add", "hospitals", "a/a.card", "b/b.card", "--json")]
    said += [cli("site", "join", name, "hospitals/federation.toml", "-v") for name in "ab"]
    said += [cli("federation", "rotate", "hospitals", "a/a.next.card", "--days", "9", "--json")]
    said += [cli("federation", "show", "hospitals", "--debug")]
    assert [one.code for one in said] == [0] * len(said)
    folders = [folder for folder in here.rglob("keys*") if folder.is_dir()]
    assert len(folders) == 5
    secrets = set()
    for folder in folders:
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            text = path.read_text().strip()
            raw = (
                bytes(keyring.nkeys.decode_seed(text.encode())[1]) if text.startswith("SU") else base64.b64decode(text)
            )
            secrets |= {text.rstrip("="), *spellings(raw), *spellings(raw[:32]), *spellings(raw[32:64])} - {""}
    others = [path for path in here.rglob("*") if path.is_file() and path.parent not in folders]
    written = "\n".join([path.read_text() for path in others] + [one.out + one.err for one in said])
    assert len(others) > 10
    assert len(secrets) > 50
    assert not [secret for secret in secrets if secret in written]
    card_text = Path("a/a.card").read_text()
    held = SiteHome.at(here / "a").open(CoordinatorHome.at(here / "hospitals").standing().federation.issued)
    assert (
        base64.b64encode(held.federation.cards[site("a")].signing).decode() in written
    )  # the control: public is there
    assert card_text in written


def test_every_key_of_the_documents_is_documented(here, cli, room):
    text = REFERENCE.read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0].strip(): part for part in text.split("\n## ")}
    begin(cli, "a")
    documents = {
        "federation": cli("federation", "show", "hospitals", "--json").json,
        "site": {
            **cli("site", "new", "b", "--json").json,
            **cli("site", "join", "a", "hospitals/federation.toml", "--json").json,
        },
    }
    for name, document in documents.items():
        assert [key for key in document if f"`{key}`" not in parts[name]] == []


def test_every_subcommand_and_option_is_documented():
    import importlib

    text = (REFERENCE.parent / "verbs.md").read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0].strip(): part for part in text.split("\n## ")}
    common = parts["# Verbs"]
    for verb, names in (("federation", None), ("site", ("new", "join"))):
        group = importlib.import_module(f"potluck.cli.{verb}").command
        for name in names or group.list_commands(None):
            assert f"potluck {verb} {name}" in parts[verb]
            for option in group.get_command(None, name).params:
                words = option.opts if option.param_type_name == "option" else [option.human_readable_name]
                assert all(word in parts[verb] or f"`{word}`" in common for word in words), f"{verb} {name} {words}"


def test_where_two_persons_decide_the_first_who_joins_hears_what_is_left(here, cli, monkeypatch):
    begin(cli, "a", "b")
    alone = cli("site", "join", "a", "hospitals/federation.toml")
    assert "another person" not in alone.err  # the control: the first file is one person's
    policy = here / "a" / "policy.toml"
    policy.write_text(policy.read_text().replace("people = 1", "people = 2"))
    mark = cli("site", "new", "c", "--json").json["fingerprint"]
    assert cli("federation", "add", "hospitals", "c/c.card").code == 0
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    said = cli("site", "join", "a", "hospitals/federation.toml")
    assert f"new, and not agreed to yet: c {mark}: another person has to agree, beside ann" in said.err
    assert "potluck site join a --offered` under another login" in said.err
    monkeypatch.setattr("getpass.getuser", lambda: "ben")
    last = cli("site", "join", "a", "--offered", "--json")
    assert (last.json["new"], last.json["first_of_two"]) == ({}, {})


def test_json_is_one_document(here, cli, room):
    for words in (
        ["federation", "new", "h", "--broker", "tls://b:1"],
        ["site", "new", "s"],
        ["federation", "show", "h"],
    ):
        said = cli(*words, "--json")
        json.loads(said.out)
        assert said.err == ""
