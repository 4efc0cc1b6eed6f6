"""The task's own claims: what opened sums reveal, whatever protects them."""

from potluck.core.party import SERVER
from potluck.core.plan import Protect, Statistic, Training
from potluck.core.views import Form, together
from potluck.learning.views import views
from potluck.tasks import catalog
from support.learning.sums import category, heart, number, replaced, stats
from support.learning.tiny import noised


def of(plan, thing, party=None):
    return [view for view in views(plan) if view.of == thing and party in (None, view.party)]


def test_newton_says_that_exact_sums_of_few_rows_can_be_inverted():
    (view,) = of(heart(), "the sum", SERVER)
    assert view.party == SERVER
    assert view.form is Form.SUM
    for word in ("gradient", "Gram", "inverted", "few rows"):
        assert word in view.note


def test_noise_shows_in_the_form_unless_the_server_adds_it():
    plan = heart(training=Training(method="gradient", expected_rows=500))
    forms = {}
    for word in ("none", "site", "shared", "reveal"):
        (view,) = of(replaced(plan, privacy=replaced(noised("row"), noise=word)), "the sum", SERVER)
        forms[word] = view.form
    assert forms == {"none": Form.SUM, "site": Form.NOISED, "shared": Form.NOISED, "reveal": Form.SUM}


def test_everyone_sees_the_model_and_each_site_its_own_metrics():
    for word, server in (("clear", Form.PLAIN), ("mask", Form.NOTHING)):  # under clear it reads the site's own part
        plan = replaced(heart(), protect=Protect(scheme=word))
        assert {view.party for view in of(plan, "the model")} == {SERVER, *plan.sites}
        for site in plan.sites:
            forms = {view.party: view.form for view in of(plan, f"{site}'s metrics")}
            assert forms == dict.fromkeys(plan.sites, Form.NOTHING) | {SERVER: server, site: Form.PLAIN}


def test_who_opens_a_sites_update_with_the_server_opens_its_metrics():
    plan = replaced(heart(), protect=Protect(scheme="mask"))
    one, *others = plan.sites
    every = catalog.views(plan)
    for size in range(len(others) + 1):
        some = frozenset(others[:size])
        (update, metrics) = (
            next(view for view in together(every, some | {SERVER}) if view.of == f"{one}'s {thing}")
            for thing in ("update", "metrics")
        )
        assert (update.form is Form.PLAIN) == (metrics.form is Form.PLAIN)
        alone = [view.form for view in together(every, some) if view.of == f"{one}'s metrics"]
        assert alone in ([], [Form.NOTHING])  # the evaluation's sum is the server's
    assert update.form is Form.PLAIN


def test_sites_see_the_coefficients_of_fits_and_a_lying_server_can_choose_them():
    fit = Statistic(name="f", kind="regression", family="binomial", target="y", features=("x",), rounds=12)
    every = views(stats({"x": number(0, 1), "y": category("0", "1")}, fit))
    assert {view.of for view in every} == {"the sum"}
    assert {view.form for view in every} == {Form.SUM}
    server, *sites = every
    assert "up to 12 sums of slope and curvature" in server.note
    assert "a lying server may ask at other coefficients" in server.note
    assert all("announced to all" in view.note for view in sites)


def test_statistics_have_no_model_and_sites_see_no_sum():
    plan = stats({}, Statistic(name="n", kind="count"))
    assert {view.of for view in views(plan)} == {"the sum"}
    assert {view.party: view.form for view in views(plan)} == {
        SERVER: Form.SUM,
        **dict.fromkeys(plan.sites, Form.NOTHING),
    }
