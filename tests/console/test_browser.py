"""The pages in a real browser: by keyboard alone, narrow, wide and dark; axe-core finds nothing; a foreign page fails.

Without Chromium these tests are skipped, and fail in CI.
"""

import http.server
import threading

import pytest

from potluck.api.network.persons import invite
from potluck.console import serve
from potluck.console.origin import Origin
from potluck.console.site.program import program
from potluck.owner.access import read
from support.console import home as homes
from support.console.browser import chromium, press, reach, unfold, violations
from support.console.home import TOKEN, served

pytestmark = pytest.mark.browser
WIDTHS = (400, 1400)
PATHS = ("/", "/past", "/log", "/budget", "/policy", "/policy/change", "/members", "/health", "/nowhere", "/sign-in")


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def site(browser, home):
    """(origin, a page that came by the printed address, what its console said)."""
    with serve.listening(0) as (port, sockets):
        origin = Origin.here(port).text
        with served(program(home, Origin.here(port), "ann", TOKEN), sockets):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            context.set_default_timeout(60_000)
            page, heard = context.new_page(), []
            page.on("console", lambda one: heard.append(one.text))
            page.on("dialog", lambda one: (heard.append(one.message), one.dismiss()))
            yield origin, page, heard
            context.close()


def decided(home):
    return [
        (e.event, e.person, e.reason) for e in read(home / "access.jsonl").entries if e.event in ("approve", "deny")
    ]


def test_an_officer_comes_from_the_address_to_a_decision_by_keyboard_alone(site, home, plan):
    origin, page, heard = site
    page.goto(f"{origin}/enter?token={TOKEN}")
    assert violations(page) == []
    reach(page, "Sign in as ann")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/")
    reach(page, "p")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/requests/{plan}?run=r1")
    assert violations(page) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    reach(page, "reason")
    page.keyboard.type("as the board agreed")
    reach(page, "Approve")
    press(page, "Enter")
    page.wait_for_selector("text=approved")
    assert decided(home) == [("approve", "ann", "as the board agreed")]
    assert heard == []


@pytest.mark.slow
def test_a_policy_is_changed_by_keyboard_alone(site, home):
    origin, page, heard = site
    page.goto(f"{origin}/enter?token={TOKEN}")
    page.click("main button")
    page.goto(f"{origin}/policy")
    reach(page, "Change the policy")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/policy/change")
    reach(page, "Few rows")  # a part that is folded, so that nobody tabs through them all
    press(page, "Enter")
    reach(page, "allow.min_rows")
    press(page, "Control+a")
    page.keyboard.type("7")
    reach(page, "Show what would change")
    press(page, "Enter")
    page.wait_for_selector("text=Nothing is saved yet. ")
    reach(page, "Save the policy")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/policy**")
    page.wait_for_selector("text=With fewer than 7 rows")
    assert "min_rows = 7" in (home / "policy.toml").read_text()
    assert heard == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_however_it_is_shown(site, home, plan, scheme):
    origin, page, heard = site
    other = homes.ask(home, homes.spec(name="another", purpose="w" * 300), "r2")
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{origin}/enter?token={TOKEN}")
    page.click("main button")
    for path in (*PATHS, f"/requests/{plan}", f"/requests/{other}", f"/requests/{plan}/papers"):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(origin + path)
            unfold(page)
            assert violations(page) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, (path, width)
    page.goto(f"{origin}/requests/{plan}")
    page.click("text=Count my rows")
    page.wait_for_selector("text=Nothing was sent")
    assert violations(page) == []
    homes.policy(home, "people = 1", "people = 2")
    page.goto(f"{origin}/policy/change")
    unfold(page)
    page.fill("[name='allow.min_rows']", "0")
    page.click("text=Show what would change")
    page.wait_for_selector("text=Nothing was saved")
    assert violations(page) == []
    page.fill("[name='allow.min_rows']", "5")
    unfold(page)
    page.check("[name='approve.people'][value='1']")
    page.click("text=Show what would change")
    page.wait_for_selector("text=Another person has to confirm it")
    assert violations(page) == []
    page.fill("#reason", "the board of May")
    page.click("text=Ask another person")
    page.wait_for_url(f"{origin}/policy/pending")
    assert violations(page) == []
    assert [one for one in heard if "404" not in one and "400" not in one] == []


@pytest.mark.slow
def test_axe_does_find_what_is_wrong(site):
    """The control of the tests above."""
    origin, page, _ = site
    page.goto(f"{origin}/sign-in")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"data:,\"><input>')")
    assert {"image-alt", "label"} <= {rule for rule, _ in violations(page)}


ATTACK = """<!doctype html><title>x</title><iframe src="{target}"></iframe>
<img src="{target}"><script src="{target}/style.css"></script>
<form method="post" action="{target}/requests/{plan}/decide"><input name="form" value="{form}">
<input name="verdict" value="approve"><input name="reason" value="x"></form>
<script>window.onload = () => document.forms[0].submit()</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_port_cannot_make_her_browser_decide(site, home, plan, host):
    """Even with the id of her form, which it could not have: the browser says where the form is from."""
    origin, page, _ = site
    page.goto(f"{origin}/enter?token={TOKEN}")
    page.click("main button")
    page.goto(f"{origin}/requests/{plan}")
    form = page.locator(".decide input[name=form]").get_attribute("value")
    text = ATTACK.format(target=origin, plan=plan, form=form).encode()

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as evil:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        try:
            page.goto(f"http://{host}:{evil.server_port}/", wait_until="commit")
            page.wait_for_selector("text=Refused: the form is not from a page of this origin")
        finally:
            evil.shutdown()
    assert decided(home) == []
    page.goto(f"{origin}/requests/{plan}")
    page.click("button:has-text('Approve')")  # the control
    page.wait_for_selector("text=approved")
    assert decided(home) == [("approve", "ann", "")]


@pytest.mark.slow
def test_hostile_words_run_nothing(site, home):
    origin, page, heard = site
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    plan = homes.ask(home, homes.spec(name=evil, purpose=evil), "r3", asker=evil)
    page.goto(f"{origin}/enter?token={TOKEN}")
    page.click("main button")
    page.goto(f"{origin}/requests/{plan}")
    assert page.locator("h1").inner_text() == evil
    page.evaluate(
        """() => new Promise((failed) => {
          const image = document.createElement("img");
          image.setAttribute("onerror", "alert(3)");
          image.addEventListener("error", failed);
          image.src = "x";
          document.body.append(image);
        })"""
    )
    assert not {"1", "2", "3"} & set(heard)  # the policy of the page stops even what would get into it
    assert any("Content Security Policy" in one for one in heard)


@pytest.mark.slow
def test_two_persons_join_and_approve_one_with_a_passkey_and_one_with_a_password(site, home, plan):
    """The passkey is Chromium's own code, with an authenticator that it plays (WebDriver's virtual authenticators)."""
    origin, page, heard = site
    homes.policy(home, "people = 1", "people = 2")
    driver = page.context.new_cdp_session(page)
    driver.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    driver.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(invite(home, "ann", origin).address)
    assert violations(page) == []
    page.click("text=Make a passkey")
    page.wait_for_selector("text=signed in as ann")
    page.click("text=Sign out")
    page.wait_for_url(f"{origin}/sign-in")
    assert violations(page) == []
    page.click("text=Sign in with a passkey")
    page.wait_for_selector("text=signed in as ann")
    page.goto(f"{origin}/requests/{plan}")
    page.click("button:has-text('Approve')")
    page.wait_for_selector("text=one approval missing")
    page.click("text=Sign out")
    page.goto(invite(home, "bob", origin).address)
    reach(page, "password")
    page.keyboard.type("correct horse battery")
    reach(page, "again")
    page.keyboard.type("correct horse battery")
    press(page, "Enter")
    page.wait_for_selector("text=signed in as bob")
    page.goto(f"{origin}/requests/{plan}")
    page.click("button:has-text('Approve')")
    page.wait_for_selector("text=approved")
    assert [person for _, person, _ in decided(home)] == ["ann", "bob"]
    assert heard == []
