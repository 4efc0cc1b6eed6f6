"""Why a database is not reached: a wrong password is told from a closed port, a wrong name and a wrong TLS."""

import pytest

from potluck.api.network.doctor.rows import rows
from potluck.api.network.members import site_new
from potluck.core.errors import DataError
from potluck.core.plan import Data
from potluck.members.home import SiteHome
from potluck.owner.policy import Source
from potluck.owner.reading import read as read_policy
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from support.owner.postgres import address
from support.ports import free_port

TROUBLES = {
    "password": (lambda text, port: text.replace("31337", "31338"), "it does not take this user's password"),
    "user": (lambda text, port: text.replace("owner:", "nobody:"), "it does not take this user's password"),
    "base": (lambda text, port: text.replace("/postgres", "/s3cr3t"), "it has no database of that name"),
    "port": (lambda text, port: text.replace(str(port), str(free_port())), "nothing listens at its host and port"),
    "name": (lambda text, port: text.replace("127.0.0.1", "s3cr3t.invalid"), "its host's name is not known"),
    "tls": (lambda text, port: f"{text}?sslmode=require", "the connection cannot be secured by TLS"),
}


def said(text, tmp_path, engine):
    source = Source(url=Secret(text.encode()), query="select 1 as x", engine=engine)
    with pytest.raises(DataError) as caught:
        open_source(source, tmp_path, Data(), "home").names()
    assert "s3cr3t" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
def test_each_trouble_has_words_and_a_hint_of_its_own(database, tmp_path, engine):
    source = Source(url=Secret(address(database).encode()), query="select 1 as x", engine=engine)
    assert open_source(source, tmp_path, Data(), "home").names() == ("x",)  # the control
    found = {}
    for name, (change, words) in TROUBLES.items():
        error = said(change(address(database), database), tmp_path, engine)
        assert f"the database did not give the rows (OperationalError: {words}" in error.what, name
        found[words] = error.hint
    assert len(set(found.values())) == len(found) == 5


def test_what_a_query_is_refused_for_is_named_by_its_kind_alone(database, tmp_path):
    for query, kind in (("select a from nothing", "UndefinedTable"), ("select no from pg_class", "UndefinedColumn")):
        source = Source(url=Secret(address(database).encode()), query=query)
        with pytest.raises(DataError, match=rf"the database did not give the rows \({kind}\)"):
            open_source(source, tmp_path, Data(), "home").names()


def test_the_doctor_tells_a_wrong_password_from_a_closed_port_and_counts_rows_where_all_is_well(database, tmp_path):
    site_new(tmp_path / "a", None)
    path = tmp_path / "a" / "policy.toml"
    text = path.read_text()
    query = '\nquery = "select * from generate_series(1, 7) as x"'
    for name, state, words in (
        (None, "good", "7 rows of 1 column can be read"),
        ("password", "bad", "it does not take this user's password"),
        ("port", "bad", "nothing listens at its host and port"),
    ):
        change = TROUBLES[name][0] if name else lambda said, port: said
        (tmp_path / "a" / "secret.url").write_text(change(address(database), database))
        (tmp_path / "a" / "secret.url").chmod(0o600)
        path.write_text(text.replace('file = "rows.csv"', f'url_file = "secret.url"{query}'))
        home = SiteHome.at(tmp_path / "a")
        (found,) = rows(home, read_policy(home.policy), count=True)
        assert (found.topic, found.state) == ("rows", state)
        assert words in found.what
