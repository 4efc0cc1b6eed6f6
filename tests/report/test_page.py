"""What the one page promises: complete, offline, readable without eyes or colour, and deaf to hostile names."""

import json
import re
from collections import Counter
from itertools import pairwise

import msgspec
import pytest

from potluck.core.errors import UsageError
from potluck.report.page import render, small
from support.report.samples import HEART, SAMPLES, aborted, across, clear, heart, proved, statistics, write
from support.report.tree import Tree

ORDER = ["result", "budget", "views", "timeline", "caveats", "plan", "versions"]


PROOF = ["attacks", "shown", "measured"]
"""Where a run was attacked and audited."""


@pytest.fixture(params=[*SAMPLES, "proved"], scope="module")
def tree(request, tmp_path_factory):
    if request.param == "proved":
        return Tree(render(proved(tmp_path_factory.mktemp("run"))))
    return Tree(render(write(tmp_path_factory.mktemp("run"), *SAMPLES[request.param]())))


def test_markup_is_well_formed(tree):
    assert tree.errors == []
    assert tree.open == []


def test_nothing_is_fetched_and_nothing_runs(tree):
    for tag, attrs, _ in tree.tags:
        assert tag not in {"script", "iframe", "object", "embed", "img", "base", "form", "video", "audio"}
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in {"src", "href", "action", "poster", "srcset", "xlink:href", "data"}:
                assert value.startswith("#") or value == "data:,"
            for target in re.findall(r"url\(([^)]*)\)", value):
                assert target.startswith("#")
    assert [a["rel"] for a in tree.named("link")] == ["icon"]
    styles = "".join(text for tag, text in tree.text if tag == "style")
    assert "url(" not in styles
    assert "@import" not in styles
    policy = next(a["content"] for a in tree.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_every_id_is_unique_and_every_reference_leads_somewhere(tree):
    ids = Counter(attrs["id"] for _, attrs, _ in tree.tags if "id" in attrs)
    assert [name for name, times in ids.items() if times > 1] == []
    for _, attrs, _ in tree.tags:
        wanted = attrs.get("aria-labelledby", "").split() + attrs.get("aria-describedby", "").split()
        if attrs.get("href", "").startswith("#"):
            wanted.append(attrs["href"][1:])
        for value in attrs.values():
            wanted += re.findall(r"url\(#([^)]*)\)", value)
        assert [name for name in wanted if name not in ids] == []


def test_headings_are_in_order(tree):
    levels = [int(tag[1]) for tag, _, _ in tree.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_sections_are_in_order_and_named(tree):
    sections = [attrs for tag, attrs, around in tree.tags if tag == "section" and around[-1] == "main"]
    wanted = ORDER[:3] + [attrs["id"] for attrs in sections if attrs["id"] in PROOF] + ORDER[3:]
    assert len(wanted) in (len(ORDER), len(ORDER) + len(PROOF))
    assert [attrs["id"] for attrs in sections] == wanted
    assert all(attrs["aria-labelledby"] for attrs in sections)
    assert [a["href"][1:] for a, around in ((a, o) for t, a, o in tree.tags if t == "a") if "nav" in around] == wanted


def test_there_are_landmarks_a_language_and_a_skip_link(tree):
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert len([1 for tag, _, around in tree.tags if tag == landmark and "svg" not in around]) == 1, landmark
    assert tree.named("html")[0]["lang"] == "en"
    assert tree.named("nav")[0]["aria-label"]
    first = next(attrs for tag, attrs, _ in tree.tags if tag in {"a", "button", "summary"} or "tabindex" in attrs)
    assert first["href"] == "#main"
    assert tree.named("main")[0]["id"] == "main"


def test_every_picture_says_what_it_shows(tree):
    position = {id(attrs): index for index, (_, attrs, _) in enumerate(tree.tags)}
    shown = 0
    for tag, attrs, around in tree.tags:
        if tag != "svg" or "svg" in around or attrs.get("aria-hidden") == "true":
            continue
        shown += 1
        assert attrs["role"] == "img"
        inside = [(t, a) for t, a, _ in tree.tags[position[id(attrs)] + 1 :][:2]]
        assert inside == [("title", {"id": attrs["aria-labelledby"]}), ("desc", {"id": attrs["aria-describedby"]})]
    said = [text.strip() for tag, text in tree.text if tag == "desc"]
    assert len(said) == shown
    assert all(said)


def test_every_table_has_a_caption_and_every_header_a_scope(tree):
    tables = tree.named("table")
    assert len(tree.named("caption")) == len(tables)
    assert all(attrs.get("scope") in {"row", "col"} for attrs in tree.named("th"))
    for tag, attrs, _ in tree.tags:
        if attrs.get("class") == "scroll":
            assert tag == "div"
            assert attrs["tabindex"] == "0", "what scrolls must be reachable by keyboard"
            assert attrs["role"] == "region"


def test_the_same_folder_gives_the_same_page(tmp_path):
    folder = write(tmp_path / "run", *heart())
    assert render(folder) == render(folder)


# What it says


def test_the_demo_tells_its_story(page):
    text = Tree(page(*heart())).words()
    assert "Four sites trained a logistic regression together in 20 rounds." in text
    assert "No row was sent anywhere" in text
    assert "right in at most 73 of 100 cases" in text
    assert "an AUC of 0.840; 0.855 without noise and 0.860 with all rows in one place" in text
    assert "all rows are in one process here" in text
    for name in (*HEART, "alone", "federated", "pooled", "sha256:" + "5f3c" * 16, "privacy.epsilon=1.0", "3.11.7"):
        assert name in text
    assert "round 3: va; round 9: va" in text
    assert "add-or-remove-one" in text


def test_every_word_of_a_view_stands_beside_its_glyph(page):
    html = page(*heart())
    uses = re.findall(r'<use href="#form-(\w+)"/></svg><span>(\w+)', html)
    assert len(uses) > 40
    assert all(glyph == word for glyph, word in uses)


def test_what_breaks_a_claim_is_on_the_page_and_not_in_a_tooltip(page):
    html = page(*heart())
    assert "2 of the other sites collude, or both X25519 and ML-KEM-768 fall" in html
    assert "2 of hungarian, switzerland, va collude" in html
    assert " title=" not in html


def test_which_rows_are_taken_for_what_is_a_table_with_intervals_under_noise(page):
    run, details = heart()
    assert "Right and wrong" not in Tree(page(run, details)).words()
    measured = run["metrics"]["federated"]
    counts, low, high = [[90.5, 12.0], [-3.1, 107.0]], [[80.0, 5.0], [-9.0, 99.0]], [[101.0, 19.0], [3.0, 115.0]]
    measured["confusion"] = {"labels": ["negative", "<b>ill</b>"], "counts": counts, "low": low, "high": high}
    tree = Tree(page(run, details))
    assert "Right and wrong" in tree.words()
    assert "at a threshold of one half" in tree.words()
    assert "−3.1−9.0 to 3.0" in tree.words().replace(" −9", "−9")
    assert "<b>ill</b>" in tree.words()
    assert [attrs["style"] for attrs in tree.named("td") if "--depth" in attrs.get("style", "")] == [
        f"--depth:{depth}" for depth in ("0.85", "0.11", "0.00", "1.00")
    ]


def classes(run):
    """A run's document with what a model of three classes has beside noise."""
    table = {
        "labels": ["home", "<b>ward</b>", "grave"], "said": ["wrong", "right"], "low": [[3.0, 30.0]] * 3,
        "high": [[9.0, 50.0]] * 3, "counts": [[6.0, 40.5], [20.0, 9.5], [22.0, 4.0]],
        "largest": {"label": "<b>ward</b>", "share": 0.465},
    }  # fmt: skip
    told = {"auc": None, "accuracy": 0.553, "accuracy_low": 0.5, "accuracy_high": 0.6}
    told |= {"rows": 102.0, "rows_low": 90.0, "rows_high": 114.0}
    return run | {"metrics": {"federated": told | {"confusion": table}}}


def test_of_several_classes_it_says_what_is_right_of_each_and_without_a_model(page):
    run, details = clear()
    html = page(classes(run), details)
    text = " ".join(Tree(html).words().split())
    guess = "Without a model “<b>ward</b>”, said of every row, has an accuracy of about 0.465."
    assert text.count(guess) == 2  # in the summary, and beside the table
    assert "of several classes by the largest score" in text
    assert "Noise is in each number: it may be negative" in text
    for false in ("on the diagonal", "down: what they are, across: what the model says"):
        assert false not in text.casefold()
    heads = re.findall(r'<th scope="col" class="n">(\w+)</th>', html.partition("confusion-table")[2])
    assert heads[:2] == ["wrong", "right"]
    assert "40.53.0" not in text
    assert "<b>ward</b>" not in html


def test_statistics_are_drawn_each_in_its_way(page):
    tree = Tree(page(*statistics()))
    text = tree.words()
    assert "Four sites computed four statistics together" in text
    assert "Mean of age by sex, in years" in text
    assert "all: 53.51 (53.02 to 54.00)" in text
    assert re.search(r"920\.4 +95.%: 914\.0 to 926\.8", text)
    assert "sex = 1" in text
    assert "age (years)" in text
    assert "−1.4" in text
    assert sum(attrs.get("class") == "heat" for attrs in tree.named("table")) == 1
    assert sum("--depth" in attrs.get("style", "") for attrs in tree.named("td")) == 8


def test_no_noise_is_said_aloud(page):
    text = Tree(page(*clear())).words()
    assert "No noise was added: whatever was opened is exact." in text
    assert "There is no ceiling" in text
    assert "each site's update went to the server in the clear" in text
    assert "against a lying server" not in text
    assert "Right guesses" not in text


def test_no_protection_but_clear_is_said_to_show_the_server_every_update(page):
    run, details = clear()
    said = {word: Tree(page(run, msgspec.structs.replace(details, protect=word))).words() for word in ("clear", "psi")}
    assert ["the server reads every update" in text for text in said.values()] == [True, False]


def test_an_aborted_run_claims_no_result(page):
    text = Tree(page(*aborted())).words()
    assert "Aborted:" in text
    assert "too few left (mask/input)" in text
    assert "ended without a result" in text
    assert "No round was finished." in text
    assert "No noise was owed" not in text


def test_a_simulated_enclave_is_stamped(page):
    run, details = heart()
    text = Tree(page(run, msgspec.structs.replace(details, simulated=True))).words()
    assert "No protection: simulated." in text
    assert "No hardware sealed anything" in text
    of_before = msgspec.structs.replace(details, protect="tee", simulated=True, exposed=False)
    assert "went to a simulated enclave" in Tree(page(run, of_before)).words()
    assert "No protection" not in Tree(page(run, details)).words()


def test_an_enclave_that_a_tpm_speaks_for_is_not_drawn_as_protected(page):
    run, details = heart()
    known = msgspec.structs.replace(details, protect="tee")
    covered, open_ = (Tree(page(run, msgspec.structs.replace(known, exposed=one))).words() for one in (False, True))
    assert "encrypts no memory: its host could read each of them" in open_
    assert "A TPM's enclave" in open_
    assert "sealed for an enclave that opens only their sum" in covered
    assert "sealed for an enclave" not in open_


def test_how_epsilon_grew_is_drawn_and_told(page):
    run, details = heart()
    html = page(run, details)
    drawn = html.partition("epsilon-course")[2].partition("</svg>")[0]
    found = re.findall(r'<line x1="([\d.]+)%" y1="([\d.]+)"[^>]*stroke-width="2"', drawn)
    lines = [(float(x), float(y)) for x, y in found]
    assert [at for at, _ in lines] == pytest.approx(
        [13 + 85 * at / 20 for at in (0, 3, 5, 8, 10, 13, 15, 18)], abs=0.01
    )
    bottom = lines[0][1]
    risen = [bottom - y for _, y in lines]
    course = [0, 0.35, 0.46, 0.59, 0.67, 0.77, 0.84, 0.92]
    assert risen == pytest.approx([risen[-1] * cost / 0.92 for cost in course], abs=0.1)
    assert "0.9800 after sum 20." in drawn
    assert "no plan with noise does" in Tree(html).words()
    once = [msgspec.structs.replace(one, course=one.course[:1]) for one in details.budget]
    assert "How ε grew" not in page(run, msgspec.structs.replace(details, budget=tuple(once)))


def test_without_a_ledger_other_runs_are_not_guessed_at(page):
    run, details = heart()
    text = Tree(page(run, msgspec.structs.replace(details, budget=()))).words()
    assert "All runs so far" not in text
    assert "stands in its own ledger: potluck site budget" in " ".join(text.split())
    assert "73 in 100" in text


def test_a_model_farther_off_than_the_mean_is_said_to_be_and_no_number_boasts(page):
    run, details = SAMPLES["clear"]()
    run["metrics"]["federated"]["r2"] = -14.2
    text = " ".join(Tree(page(run, details)).words().split())
    assert "It is farther off than the mean of the target, said of every row (R² −14.200)." in text
    assert "below 0" in text
    assert "R² is −14.200: the mean of the target, said of every row, would be nearer." in text


def test_exact_metrics_by_site_are_shown_only_where_the_run_gave_them(page):
    run, details = heart()
    text = Tree(page(run, msgspec.structs.replace(details, comparison=()))).words()
    assert "0.840" in text
    assert "pooled" not in text
    assert "Not private" not in text
    run["metrics"] = None
    text = Tree(page(run, msgspec.structs.replace(details, comparison=()))).words()
    assert "a metric is a release too" in text


def test_a_site_that_is_not_better_off_is_told_so(page):
    run, details = heart()
    text = Tree(page(run, details)).words()
    assert "The federated model is ahead of a site's own at 4 of 4 sites; the intervals are apart at none." in text
    worse = [
        msgspec.structs.replace(score, value=0.5, low=0.45, high=0.55)
        if (score.label, score.metric, score.site) == ("federated", "auc", "va")
        else score
        for score in details.comparison
        if (score.metric, score.site) != ("auc", "switzerland")
    ]
    text = Tree(page(run, msgspec.structs.replace(details, comparison=tuple(worse)))).words()
    assert "ahead of a site's own at 2 of 3 sites; the intervals are apart at 1." in text
    assert "Not defined on the held-out rows of switzerland." in text


# Hostile input

PAYLOAD = (
    "\"'><img src=x onerror=alert(1)><script>alert(1)</script></style></title></svg>{{ 7*7 }}{% raw %}&lt;\u202e\x00"
)
KEEP = {"form", "kind", "task", "protect", "metric", "label", "noise", "unit", "neighbours", "created"}


def _poison(value, word, key="", depth=0):
    if isinstance(value, str):
        return value if key in KEEP else word + value.replace("'s ", "'s ") if key == "of" else f"{word} {value}"
    if isinstance(value, list | tuple):
        return [_poison(item, word, key, depth + 1) for item in value]
    if isinstance(value, dict):
        named = key in {"coefficients", "by", "epsilon", "by_site", "alone", "versions", "results"}
        return {f"{word} {k}" if named else k: _poison(v, word, k, depth + 1) for k, v in value.items()}
    return value


@pytest.mark.parametrize("sample", [heart, across, statistics, aborted])
def test_hostile_names_change_no_tag(tmp_path, sample):
    run, details = sample()

    def tags(word):
        folder = tmp_path / str(len(word))
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(_poison(run, word)))
        (folder / "details.json").write_text(json.dumps(_poison(msgspec.to_builtins(details), word)))
        return Tree(render(folder))

    plain, hostile = tags("name"), tags(PAYLOAD)
    assert [(tag, sorted(attrs)) for tag, attrs, _ in hostile.tags] == [(t, sorted(a)) for t, a, _ in plain.tags]
    assert hostile.errors == []
    text = hostile.words()
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_a_small_table_escapes_and_needs_no_page():
    rows = [("<b>x</b>", "y's update", "masked", "a & b collude")]
    tree = Tree(small("<b>Who</b>", ("<b>Party</b>", "Of", "Form", "Unless"), rows, "<b>More</b>", ["<b>line</b>"]))
    assert tree.errors == []
    assert tree.named("b") == []
    assert "<b>x</b>" in tree.words()
    assert len(tree.named("caption")) == 1
    assert all(attrs["scope"] for attrs in tree.named("th"))


# Wrong folders


@pytest.mark.parametrize(
    ("run", "details"),
    [
        (None, "{}"),
        ("{}", None),
        ("", "{}"),
        ("{", "{}"),
        ("[]", "{}"),
        ('{"rounds": 3}', "{}"),
        ("{}", '{"budget": [{"site": 1}]}'),
        ("{}", '{"views": [{"party": "a", "of": "b", "form": "glimpsed"}]}'),
        ("{}", '{"version": 1}'),
        ("{}", "[" * 100_000),
        (b"\xff\xfe", "{}"),
    ],
)
def test_a_missing_or_garbled_document_is_a_usage_error(tmp_path, run, details):
    for name, body in (("run.json", run), ("details.json", details)):
        if body is not None:
            (tmp_path / name).write_bytes(body if isinstance(body, bytes) else body.encode())
    with pytest.raises(UsageError) as caught:
        render(tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_no_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"run\.json"):
        render(tmp_path / "nowhere")
