"""The coordinator's pages in a real browser: by keyboard alone, narrow, wide and dark; a report can do nothing there.

Without Chromium these tests are skipped, and fail in CI.
"""

import pytest

from potluck.console import serve
from potluck.console.origin import Origin
from potluck.learning.evaluation.validation import Look
from support.console import office as offices
from support.console.browser import chromium, press, reach, violations
from support.console.home import TOKEN, served
from support.console.office import Event, live

pytestmark = pytest.mark.browser
WIDTHS = (400, 1400)
RUN = "a" * 32


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def site(browser, federation, copied, quick):
    """(origin, a page that came by the printed address, what its console said, the desk)."""
    with serve.listening(0) as (port, sockets):
        origin = Origin.here(port)
        with offices.desk(copied, origin) as desk, served(desk.app, sockets):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            context.set_default_timeout(60_000)
            page, heard = context.new_page(), []
            page.on("console", lambda one: heard.append(one.text))
            page.goto(f"{origin.text}/enter?token={TOKEN}")
            page.click("main button")
            page.wait_for_url(f"{origin.text}/")
            yield origin.text, page, heard, desk
            context.close()


def test_a_plan_is_sent_looked_at_and_started_by_keyboard_and_its_run_followed(site):
    origin, page, heard, desk = site
    page.goto(f"{origin}/new")
    reach(page, "text")
    page.keyboard.insert_text(offices.text())
    reach(page, "Check it")
    press(page, "Enter")
    page.wait_for_url("**/plans/*")
    assert violations(page) == []
    reach(page, "Start the run")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/runs/*")
    (run,) = [one.run for one in desk.office.runs]
    assert violations(page) == []
    page.wait_for_selector("text=This page follows the run.")
    desk.office.change(run, state="open", opened=2)
    page.wait_for_selector("text=Running: 2 of 3 sums done.")
    desk.office.looks[run] = [Look(number, 0.5, 0.6) for number in (1, 2)]
    page.wait_for_selector("text=AUC on validation rows")
    desk.office.change(run, state="finished", opened=3)
    page.wait_for_selector("text=Finished.")
    page.wait_for_selector("text=End it", state="detached")
    assert heard == []


@pytest.mark.slow
def test_a_wrong_plan_is_mended_and_a_run_cancelled_by_keyboard_alone(site):
    origin, page, heard, desk = site
    page.goto(f"{origin}/new")
    wrong = offices.text(task="trian")
    reach(page, "text")
    page.keyboard.insert_text(wrong)
    reach(page, "Check it")
    press(page, "Enter")
    page.wait_for_url("**/plans/*")
    assert violations(page) == []
    reach(page, "Mend it and send it again")
    press(page, "Enter")
    page.wait_for_url("**/new?again=*")
    assert violations(page) == []
    assert page.input_value("#text").split() == wrong.split()
    reach(page, wrong.strip().partition("\n")[0])
    press(page, "Control+a")
    page.keyboard.insert_text(offices.text())
    reach(page, "Check it")
    press(page, "Enter")
    page.wait_for_url("**/plans/*")
    reach(page, "Start the run")
    press(page, "Enter")
    page.wait_for_url(f"{origin}/runs/*")
    reach(page, "reason")
    page.keyboard.type("the wrong columns")
    reach(page, "Cancel the run")
    press(page, "Enter")
    page.wait_for_selector("text=Cancelled by ann")
    page.wait_for_selector("text=The wrong columns.")
    assert [one.state for one in desk.office.runs] == ["cancelled"]
    assert heard == []


@pytest.mark.slow
def test_a_check_that_takes_long_says_what_it_does_and_is_sent_once(site):
    origin, page, heard, _ = site
    page.goto(f"{origin}/new")
    page.evaluate(
        """() => {
          window.sent = 0;
          document.querySelector("main form").addEventListener("submit", (event) => {
            window.sent += !event.defaultPrevented;
            event.preventDefault(); // nothing leaves, so that the page stays
          });
        }"""
    )
    page.click("text=Check it")
    page.wait_for_selector("text=one round is rehearsed with made-up rows. It gets 60 seconds. So far")
    page.click("text=Check it", force=True)
    assert page.evaluate("window.sent") == 1
    assert violations(page) == []
    assert heard == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_however_it_is_shown(site, scheme, tmp_path):
    origin, page, heard, desk = site
    (tmp_path / "report.html").write_text("<h1>x</h1>")
    desk.office.runs = [
        live(RUN, "w" * 100, state="open", opened=1, why="w" * 300),
        *(live(f"{n:032x}", state=("finished", "failed")[n % 2], out=tmp_path) for n in range(60)),
    ]
    desk.office.looks[RUN] = [Look(number, 0.5, 0.6) for number in (1, 2, 3)]
    desk.office.said[RUN] = [Event(1, "2026-12-01T10:00:00.000+00:00", "answer", "w" * 300)]
    paths = ["/", "/?page=2", f"/runs/{RUN}", f"/runs/{0:032x}", "/new", "/sites", "/log", "/nowhere"]
    for text in (offices.text(), offices.text(task="x"), offices.text(purpose="w" * 300)):
        page.goto(f"{origin}/new")
        page.fill("#text", text)
        page.click("text=Check it")
        page.wait_for_url("**/plans/*")
        paths.append(page.url.removeprefix(origin))
    page.emulate_media(color_scheme=scheme)
    for path in (*paths, f"{paths[-1]}?p0=1&p2=1"):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(origin + path)
            for fold in page.locator("details").all():
                fold.evaluate("one => one.open = true")
            assert violations(page) == [], (path, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, (path, width)
    assert [one for one in heard if "404" not in one] == []


REPORT = """<!doctype html><title>none</title><style>h1 { color: rgb(1, 2, 3) }</style><h1>report</h1>
<script>document.title = "script"</script><img src="x" onerror="document.title = 'image'">
<form action="/sign-out" method="post"><button>Press</button></form><iframe src="/"></iframe>"""


@pytest.mark.slow
def test_a_report_shows_its_style_and_runs_nothing(site, tmp_path):
    origin, page, heard, desk = site
    (tmp_path / "report.html").write_text(REPORT)
    desk.office.runs.append(live(RUN, state="finished", out=tmp_path))
    page.goto(f"{origin}/runs/{RUN}/report")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(1, 2, 3)"
    assert page.evaluate("window.origin") == "null"  # it has no cookie, and reads no page
    page.click("text=Press")
    assert page.title() == "none"
    said = " ".join(heard)
    assert "Blocked script execution" in said
    assert "Blocked form submission" in said or "form-action" in said
    assert page.frames[1].url in ("", "about:blank", "chrome-error://chromewebdata/")
    page.goto(f"{origin}/")  # the control: nobody was signed out
    page.wait_for_selector("text=signed in as ann")


@pytest.mark.slow
def test_without_a_script_a_run_is_followed_by_loading_it_again(browser, site):
    origin, page, _, desk = site
    desk.office.runs.append(live(RUN, state="open"))
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{origin}/runs/{RUN}")
    assert plain.locator("meta[http-equiv=refresh]").count() == 1
    desk.office.change(RUN, opened=2)
    plain.click("text=Load it again")
    plain.wait_for_selector("text=Running: 2 of 3 sums done.")
    context.close()
