"""Scores of membership beside those of PrivacyGuard and jax-privacy: the same words of models, the same scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from potluck.audits.membership import beside, lira, rmia
from potluck.audits.membership.scored import Scores
from potluck.audits.seen import Shadow

pytestmark = pytest.mark.slow

ROWS, MODELS = 600, 16


@pytest.fixture(scope="module")
def said():
    """(what the released model says [n], models of the attacker's own [s, n], in which of them a row is [s, n], who
    trained [n]): of members all are surer."""
    draw = np.random.default_rng(7)
    inside = draw.permuted(np.tile(np.arange(MODELS) % 2 == 0, (ROWS, 1)), axis=1).T
    trained, base = draw.integers(2, size=ROWS).astype(bool), draw.normal(0, 2, ROWS)
    each = base + 1.2 * inside + draw.normal(0, 1, (MODELS, ROWS))
    return base + 1.2 * trained + draw.normal(0, 1, ROWS), each, inside, trained


@pytest.mark.parametrize("ties", [False, True])
def test_area_and_members_caught_at_few_false_alarms(jax_auditing, privacy_guard, said, ties):
    from privacy_guard.analysis.mia.mia_results import MIAResults
    from sklearn.metrics import auc
    from torch import from_numpy

    released, _, _, trained = said
    values = np.round(released) if ties else released
    members, others = values[trained][:250], values[~trained][:200]
    ours = Scores(members, others)
    found, false = MIAResults(from_numpy(members), from_numpy(others)).get_tpr_fpr()
    assert ours.auc == pytest.approx(auc(false, found), abs=1e-12)
    hull = jax_auditing.CanaryScoreAuditor(members, others)  # it draws lines over the curve, so it is never below
    assert ours.auc <= hull.attack_auroc() < ours.auc + 0.05
    for alarm in (0.005, 0.01, 0.05, 0.1):  # whole numbers of rows
        assert ours.caught(alarm) == pytest.approx(found[false <= alarm + 1e-12].max(), abs=1e-12)
        assert ours.caught(alarm) <= hull.tpr_at_given_fpr(alarm) + 1e-12
    assert ours.auc > 0.55


def frame(**columns):
    return pd.DataFrame({"user_id": np.arange(ROWS)} | columns)


def test_lira_with_one_variance_of_all_rows(privacy_guard, said):
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.lira_attack import LiraAttack

    released, each, inside, trained = said
    columns = {"score_orig": released}
    for name, some in (("in", inside), ("out", ~inside)):
        rest = np.where(some, each, np.nan)
        columns[f"score_mean_{name}"] = np.nanmean(rest, axis=0)
        spread = np.nanvar(rest, axis=0, ddof=1)  # as many models with each row: a mean is what they have together
        columns[f"score_std_{name}"] = np.full(ROWS, np.sqrt(spread.mean()))
    rows = frame(**columns)
    theirs = LiraAttack(rows[trained].copy(), rows[~trained].copy(), AggregationType.MAX, online_attack=True)
    theirs.run_attack()
    ours = lira.online(released[:, None], each[:, :, None], inside.astype(float))
    assert ours[trained] == pytest.approx(theirs.df_train_merge["score"].to_numpy(), abs=1e-9)
    assert ours[~trained] == pytest.approx(theirs.df_test_merge["score"].to_numpy(), abs=1e-9)
    assert Scores(ours[trained], ours[~trained]).auc > 0.7


def test_rmia_among_the_candidates_themselves(privacy_guard, said, monkeypatch):
    from privacy_guard.analysis.mia.aggregate_analysis_input import AggregationType
    from privacy_guard.attacks.rmia_attack import RmiaAttack

    released, each, inside, trained = said
    likely = 1 / (1 + np.exp(-released)), 1 / (1 + np.exp(-each))
    columns = {"score_orig": likely[0]}
    columns |= {f"score_ref_{one}": likely[1][one] for one in range(MODELS)}
    columns |= {f"member_ref_{one}": inside[one] for one in range(MODELS)}
    rows = frame(**columns)
    theirs = RmiaAttack(
        rows[trained], rows[~trained], rows, AggregationType.MAX, num_reference_models=MODELS, online=True
    )
    theirs.run_attack()
    shadows = [Shadow(some, words[:, None]) for some, words in zip(inside, each, strict=True)]
    seen = SimpleNamespace(candidates=SimpleNamespace(of=frozenset("a"), by_unit=np.asarray), plan=None)
    monkeypatch.setattr(beside, "grown", lambda seen, until: shadows)
    monkeypatch.setattr(
        rmia, "released", lambda seen: SimpleNamespace(target=SimpleNamespace(apart=True, side="binary"))
    )
    monkeypatch.setattr(rmia, "said", lambda seen: released[:, None])
    (found,) = rmia.RMIA.tried(seen, None)
    ours = found.values * (ROWS - 1) / ROWS  # theirs counts the row itself among the others
    assert ours[trained] == pytest.approx(theirs.df_train_merge["score"].to_numpy(), abs=2 / ROWS)
    assert ours[~trained] == pytest.approx(theirs.df_test_merge["score"].to_numpy(), abs=2 / ROWS)
    assert Scores(ours[trained], ours[~trained]).auc > 0.7
