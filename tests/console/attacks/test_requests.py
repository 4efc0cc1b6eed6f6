"""What is refused before anybody looks who asks: other names, other pages' forms, and what no browser would send."""

import re
import time

import pytest

from potluck.console.origin import MOST, Origin, refusal
from potluck.core.errors import UsageError
from potluck.members.persons import Persons
from potluck.owner.access import read
from support.console.home import Visitor

HOSTILE = "evil.example"


def decided(home):
    return [one.event for one in read(home / "access.jsonl").entries if one.event in ("approve", "deny", "revoke")]


@pytest.mark.parametrize(
    "name", [HOSTILE, "localhost", "localhost:8712", "127.0.0.1:8711", "localhost:8711.evil.example", ""]
)
def test_a_name_that_was_rebound_to_this_machine_gets_nothing(standing, name):
    _, ann, plan = standing
    assert ann.get("/").status_code == 200
    answer = ann.get(f"/requests/{plan}", Host=name)
    assert answer.status_code == 421
    assert plan not in answer.text


def test_two_host_headers_are_none():
    scope = {"method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"localhost:8711")]}
    assert refusal(scope, Origin.here(8711)) is None
    twice = scope | {"headers": [*scope["headers"], (b"host", b"evil.example")]}
    assert refusal(twice, Origin.here(8711))[0] == 421


FOREIGN = {
    "another site's": {"Origin": "https://evil.example"},
    "another port's": {"Origin": "http://localhost:9999", "Sec_Fetch_Site": "same-site"},
    "another scheme's": {"Origin": "https://localhost:8711"},
    "a sandboxed frame's": {"Origin": "null"},
    "one without an origin": {"Origin": None},
    "one that says cross-site": {"Sec_Fetch_Site": "cross-site"},
    "one of the same site": {"Sec_Fetch_Site": "same-site"},
}


def test_a_form_of_another_page_decides_nothing(home, ann, plan):
    form = ann.form(f"/requests/{plan}", f"/requests/{plan}/decide")
    for whose, said in FOREIGN.items():
        assert ann.decide(plan, "approve", form=form, **said).status_code == 403, whose
    assert decided(home) == []
    assert ann.decide(plan, "approve", form=form).status_code == 303  # the control: the same form, from its own page
    assert decided(home) == ["approve"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_is_no_form_decides_nothing(standing, kind):
    home, ann, plan = standing
    form = ann.form(f"/requests/{plan}", f"/requests/{plan}/decide")
    assert ann.decide(plan, "approve", form=form, Content_Type=kind).status_code == 415
    assert decided(home) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_not_answered(standing, method):
    _, ann, _ = standing
    assert ann.client.request(method, "/").status_code == 405
    scope = {"method": method, "path": "/", "query_string": b"", "headers": [(b"host", b"localhost:8711")]}
    assert refusal(scope, Origin.here(8711))[0] == 405  # whatever a page takes: no other is looked at as a form is


def test_no_method_is_taken_from_a_header_or_field(standing):
    home, ann, plan = standing
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    query = f"form={form}&verdict=approve&reason=x&_method=POST"
    answer = ann.get(f"{page}/decide?{query}", **{"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"})
    assert answer.status_code == 405
    assert decided(home) == []


PATHS = ["/requests/../../a/keys/signing.key", "/requests/%2e%2e%2f%2e%2e%2fsite.toml",
         "//evil.example/", "/requests/\\..\\site.toml", "/style.css/../../site.toml", "/requests/" + "a" * 2000,
         "/requests/" + "A" * 64, "/requests/" + "a" * 63, "/requests/a%00b"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_to_no_file_and_no_other_host(standing, path):
    _, ann, _ = standing
    answer = ann.client.get("http://localhost:8711" + path)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_body_is_bounded_whether_or_not_it_says_its_length(ann):
    assert ann.post("/enter/now", {"token": "x" * MOST}).status_code == 413

    def pieces():
        for _ in range(MOST // 1024 + 2):
            yield b"x" * 1024

    said = {"Origin": ann.origin.text, "Content-Type": "application/x-www-form-urlencoded"}
    assert ann.client.post("/enter/now", content=pieces(), headers=said).status_code == 413
    assert ann.post("/enter/now", {"token": "x" * (MOST - 100)}).status_code == 409  # the control: read, and refused


@pytest.mark.parametrize("body", [b"token=a&token=b", b"=" + b"&a=1" * 30, b"token=\xff", b"token=%ff", b"token"])
def test_a_form_of_another_shape_is_refused(standing, body):
    _, ann, _ = standing
    said = {"Origin": ann.origin.text, "Content-Type": "application/x-www-form-urlencoded"}
    assert ann.client.post("/enter/now", content=body, headers=said).status_code in (400, 409)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/style.css", "/nowhere", "/enter?token=1"])
def test_every_answer_has_the_headers_that_keep_others_out(standing, path):
    _, ann, _ = standing
    for answer in (ann.get(path), ann.get(path, Host=HOSTILE), ann.client.delete(path)):
        policy = dict(one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["style-src"] == policy["script-src"] == policy["form-action"] == "'self'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers


def test_no_page_runs_a_script_or_has_a_style_of_its_own(standing):
    _, ann, plan = standing
    for path in ("/", "/past", "/sign-in", f"/requests/{plan}"):
        text = ann.get(path).text
        assert re.sub(r'<script src="/[a-z]+\.js" defer></script>', "", text).count("<script") == 0
        assert "style=" not in text
        assert "http://" not in text.replace(ann.origin.text, "")
        assert "https://" not in text


def test_another_site_embeds_nothing_and_may_only_link(standing):
    _, ann, _ = standing
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert [ann.get("/", **one).status_code for one in (image, frame, link)] == [403, 403, 200]


@pytest.mark.parametrize("query", ["next=https://evil.example", "next=//evil.example", "url=%0d%0aSet-Cookie:%20a=b"])
def test_no_address_is_taken_from_a_request(home, query):
    visitor = Visitor(home)
    assert visitor.get(f"/?{query}").headers["location"] == "/sign-in"
    visitor.enter()
    answer = visitor.post("/sign-out", {"form": visitor.form("/", "/sign-out"), "next": "https://evil.example"})
    assert answer.headers["location"] == "/sign-in"
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize("text", ["http://potluck.example", "https://potluck.example/path", "https://*.example", "*",
                                  "https://user@potluck.example", "https://a.example https://b.example",
                                  "javascript:x", "https://a..b", "https://a:0443", "https://a:70000"])  # fmt: skip
def test_an_origin_behind_a_proxy_is_https_and_a_host_alone(text):
    with pytest.raises(UsageError, match="is no origin"):
        Origin.behind(text)
    with pytest.raises(UsageError, match="is no origin"):
        Origin.named(text)
    assert [Origin.named(one).host for one in ("http://localhost:8711", "https://a.b:443")] == ["localhost:8711", "a.b"]
    assert Origin.here(80).host == "localhost"
    assert Origin.behind("https://potluck.example:8443").host == "potluck.example:8443"


def test_behind_tls_a_browser_is_told_to_come_by_nothing_else(home):
    Persons(home / "persons.json").invite("ann", time.time())
    proxied = Visitor(home, origin=Origin.behind("https://potluck.example"), token="")
    name = "strict-transport-security"
    for answer in (proxied.get("/sign-in"), proxied.get("/", Host=HOSTILE)):
        assert answer.headers[name] == "max-age=31536000"
    assert name not in Visitor(home).get("/sign-in").headers  # http://localhost is no place for it
