"""Every kind of statistic, of 60,000 rows under every protection, beside its oracle on the pooled rows.

Rows are drawn from a fixed seed. Seconds are those of a whole run in one process: plan, reading, all sums, results and
report. Engines and the (simulated) enclave are processes of their own, started within a run. The oracle is NumPy,
SciPy, pandas or statsmodels, on arrays in memory. What a run says is first compared with it. Bytes are what one site
sends.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.cluster.vq
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.treatment.treatment_effects import TreatmentEffect

import potluck
from harness.measure import Row, in_turns, less

ROWS, SEED, TURNS = 60_000, 16, 3
WORDS = ("clear", "mask", "share", "he", "tee")
STAGES, WEEKS, EXACT = ("I", "II", "III", "IV"), 52, 1e-5
MIDDLES = np.array([[-2.0, -3.0], [-3.0, 3.0], [4.0, -1.0]])
"""Of the clouds of points that rows are drawn from."""
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "age": {"kind": "number", "low": 20, "high": 91, "unit": "years"},
    "x": {"kind": "number", "low": -8, "high": 8},
    "z": {"kind": "number", "low": -8, "high": 8},
    "stage": {"kind": "category", "values": list(STAGES)},
    "treated": {"kind": "category", "values": ["0", "1"]},
    "sick": {"kind": "category", "values": ["0", "1"]},
    "week": {"kind": "number", "low": 1, "high": WEEKS + 1},
    "event": {"kind": "category", "values": ["0", "1"]},
    "lab": {"kind": "number", "low": 0, "high": 10, "missing": "drop"},
}
MEASURED = ["age", "x", "z"]
DRUGS = ("aspirin", "insulin", "statin", "warfarin")
STRING: Mapping[str, Mapping[str, Any]] = {
    "drug": {"kind": "string", "length": 8, "alphabet": "abcdefghijklmnopqrstuvwxyz"}
}
NOISE = {"noise": "site", "unit": "row", "epsilon": 8.0, "delta": 1e-6}
Numbers = Sequence[float]
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A kind: what a plan asks for, what of its result is compared, the same by the oracle, and who that is.

    near: how near they are; sites: at how many; noised: it takes noise.
    """

    keys: Mapping[str, object]
    said: Callable[[Found], Any]
    oracle: Callable[[pd.DataFrame], Any]
    by: str
    near: float = EXACT
    sites: int = 3
    noised: bool = False


def value(found: Found) -> Any:
    """Of a result that is one value, or lists of them."""
    return found["value"]


def of_drugs(found: Found) -> list[float]:
    """Counts of strings, in the order of what rows are drawn from."""
    counts = {one["value"]: one["count"]["value"] for one in found["top"]}
    return [counts[name] for name in DRUGS]


def fitted(found: Found) -> list[float]:
    """Coefficients and their errors."""
    return [one[what] for what in ("value", "se") for one in found["coefficients"].values()]


def alive(rows: pd.DataFrame) -> Any:
    """Kaplan-Meier at each week."""
    curve = sm.SurvfuncRight(rows["week"].to_numpy(), rows["event"].to_numpy())
    return curve.surv_prob[np.searchsorted(curve.surv_times, np.arange(1, WEEKS + 1), "right") - 1]


def logistic(rows: pd.DataFrame) -> list[float]:
    """By iteratively reweighted least squares."""
    design = sm.add_constant(rows[["age", "x"]].to_numpy())
    fit = sm.GLM(rows["sick"].to_numpy(), design, family=sm.families.Binomial()).fit()
    return [*fit.params, *fit.bse]


def hazards(rows: pd.DataFrame) -> list[float]:
    """Breslow's ties, as ours."""
    status = rows["event"].to_numpy()
    fit = sm.PHReg(rows["week"].to_numpy(), rows[["age", "x"]].to_numpy(), status=status, ties="breslow").fit()
    return [*fit.params, *fit.bse]


def centers(rows: pd.DataFrame) -> list[float]:
    """Lloyd's algorithm from the centers that rows were drawn around; the largest cluster first."""
    values = rows[["x", "z"]].to_numpy()
    found, _ = scipy.cluster.vq.kmeans(values, MIDDLES, thresh=1e-12)
    nearest, _ = scipy.cluster.vq.vq(values, found)
    return np.asarray(found[np.argsort(-np.bincount(nearest))]).ravel().tolist()


def treated(rows: pd.DataFrame) -> list[float]:
    """Of the treatment on z, by models of both; the error with what fitting them adds."""
    design, given = sm.add_constant(rows[["age", "x"]].to_numpy()), rows["treated"].to_numpy()
    propensity = sm.Logit(given, design).fit(disp=False, tol=1e-12)
    fit = TreatmentEffect(sm.OLS(rows["z"].to_numpy(), design), given, propensity).aipw().results_gmm
    return [fit.params[0], fit.bse[0]]


def pooled_means(rows: pd.DataFrame) -> list[float]:
    """Of as many sites as there are, by the precision of each."""
    sites = [one["lab"].dropna() for one in dealt(rows, 6).values()]
    means, variances = ([one.mean() for one in sites], [one.var() / len(one) for one in sites])
    found = combine_effects(np.array(means), np.array(variances), method_re="chi2")
    return [found.mean_effect_fe, found.sd_eff_w_fe, found.mean_effect_re, found.sd_eff_w_re]


def described(rows: pd.DataFrame) -> list[float]:
    """Mean, deviation and quartiles of ages, and percent of stages."""
    age, stages = rows["age"], rows["stage"].value_counts(normalize=True).sort_index()
    return [age.mean(), age.std(), *np.quantile(age, [0.5, 0.25, 0.75], method="inverted_cdf"), *(100 * stages)]


def explained(rows: pd.DataFrame) -> Any:
    """Shares of the variance of columns on equal ranges."""
    low, high = np.array([[COLUMNS[name][end] for name in MEASURED] for end in ("low", "high")], float)
    spread = np.linalg.eigvalsh(np.cov(rows[MEASURED].to_numpy() / (high - low), rowvar=False))[::-1]
    return spread / spread.sum()


CASES: Mapping[str, Case] = {
    "count": Case({}, value, len, "pandas"),
    "sum": Case({"column": "x"}, value, lambda rows: np.sum(rows["x"].to_numpy()), "NumPy"),
    "mean": Case({"column": "x"}, value, lambda rows: np.mean(rows["x"].to_numpy()), "NumPy"),
    "variance": Case({"column": "x"}, value, lambda rows: np.var(rows["x"].to_numpy()), "NumPy"),
    "histogram": Case(
        {"column": "x", "bins": 64}, value, lambda rows: np.histogram(rows["x"], 64, (-8, 8))[0], "NumPy"
    ),
    "contingency": Case(
        {"columns": ["stage", "sick"]}, value, lambda rows: pd.crosstab(rows["stage"], rows["sick"]), "pandas"
    ),
    "quantile": Case(
        {"column": "age", "bins": 71},
        lambda found: [one["value"] for one in found["quantiles"]],
        lambda rows: np.quantile(rows["age"], [0.25, 0.5, 0.75], method="inverted_cdf"),
        "NumPy",
    ),
    "survival": Case(
        {"time": "week", "event": "event", "bins": WEEKS},
        lambda found: found["survival"],
        alive,
        "statsmodels",
    ),
    "regression": Case(
        {"family": "binomial", "target": "sick", "events": ["1"], "features": ["age", "x"]},
        fitted,
        logistic,
        "statsmodels",
    ),
    "cox": Case(
        {"time": "week", "event": "event", "events": ["1"], "bins": WEEKS, "features": ["age", "x"]},
        fitted,
        hazards,
        "statsmodels",
    ),
    "effect": Case(
        {
            "method": "aipw",
            "treatment": "treated",
            "treated": ["1"],
            "outcome": "z",
            "features": ["age", "x"],
        },
        lambda found: [found["ate"]["value"], found["ate"]["se"]],
        treated,
        "statsmodels",
    ),
    "meta": Case(
        {"column": "lab", "of": "mean"},
        lambda found: [found[of][what] for of in ("fixed", "random") for what in ("value", "se")],
        pooled_means,
        "statsmodels",
        sites=6,
    ),
    "test": Case(
        {"test": "welch", "column": "age", "by": "event"},
        lambda found: found["statistic"],
        lambda rows: scipy.stats.ttest_ind(*(rows["age"][rows["event"] == one] for one in (0, 1)), equal_var=False)[0],
        "SciPy",
    ),
    "table1": Case(
        {"columns": ["age", "stage"], "bins": 71},
        lambda found: [
            *(found["rows"][0][what]["value"] for what in ("mean", "sd", "median", "q1", "q3")),
            *(line["percent"]["value"] for line in found["rows"][1:]),
        ],
        described,
        "pandas",
    ),
    "missing": Case(
        {"columns": ["lab"]},
        lambda found: found["rates"]["lab"]["missing"]["value"],
        lambda rows: rows["lab"].isna().mean(),
        "pandas",
    ),
    "top": Case(
        {"column": "stage"},
        lambda found: [one["count"]["value"] for one in found["top"]],
        lambda rows: rows["stage"].value_counts(),
        "pandas",
    ),
    "discover": Case(
        {"column": "drug", "k": len(DRUGS)},
        of_drugs,
        lambda rows: rows["drug"].value_counts()[list(DRUGS)],
        "pandas",
        near=0.04,
        noised=True,
    ),
    "distinct": Case({}, value, lambda rows: rows["who"].nunique(), "pandas"),
    "pca": Case({"columns": MEASURED}, lambda found: found["explained"], explained, "NumPy"),
    "kmeans": Case({"columns": ["x", "z"], "k": 3}, lambda found: np.ravel(found["centers"]), centers, "SciPy", 1e-4),
}


def rows() -> Iterator[Row]:
    """Seconds beside the oracle, then bytes beside those of `clear`, kind by kind."""
    pooled = made(ROWS, SEED)
    carried(["count"], "clear", pooled)  # what is loaded at first use counts for nobody
    for kind in CASES:
        sent: dict[str, float] = {}
        (oracle,) = in_turns(TURNS, partial(CASES[kind].oracle, pooled))
        for word in WORDS:
            began = time.perf_counter()
            found, sent[word] = carried([kind], word, pooled)
            seconds = time.perf_counter() - began
            agree(kind, found[kind], pooled)
            what = f"{kind} of {ROWS:,} rows at {CASES[kind].sites} sites, {word}"
            yield less(f"{what}: seconds", (seconds, oracle), f"{CASES[kind].by}, pooled rows in memory", "s")
            if word != "clear":
                yield less(f"{what}: a site sends", (sent[word], sent["clear"]), "clear", "B")


def made(many: int, seed: int) -> pd.DataFrame:
    """Rows of all sites: three clouds of points, a treatment, an illness and times to an event that go by them.

    Sites differ in `lab`: where they do not, statsmodels has a variance between them below 0.
    """
    draw = np.random.default_rng(seed)
    x, z = (MIDDLES[draw.choice(3, many, p=[0.5, 0.3, 0.2])] + draw.normal(0, 0.7, (many, 2))).clip(-7.9, 7.9).T
    age = draw.normal(55, 15, many).round().clip(20, 90)
    risk = 0.03 * (age - 55) + 0.2 * x
    week = np.ceil(draw.exponential(60 * np.exp(-risk / 2)))
    left = draw.integers(1, WEEKS + 1, many)
    chances = draw.random((2, many)) < 1 / (1 + np.exp(np.array([-risk / 3, -risk + 0.5])))
    return pd.DataFrame(
        {
            "who": np.arange(many) // 4,  # all rows of one are at one site
            "age": age,
            "x": x,
            "z": z,
            "stage": draw.choice(np.array(STAGES), many, p=[0.4, 0.3, 0.2, 0.1]),
            "treated": chances[0].astype(int),
            "sick": chances[1].astype(int),
            "week": np.minimum(week, left),
            "event": (week <= left).astype(int),
            "lab": np.where(draw.random(many) < 0.1, np.nan, draw.uniform(0, 9, many) + np.linspace(0, 1, many)),
            "drug": draw.choice(np.array(DRUGS), many, p=[0.4, 0.3, 0.2, 0.1]),
        }
    )


def planned(kinds: Sequence[str], word: str, sites: Sequence[str]) -> potluck.Plan:
    """A plan of one statistic a kind, without noise where they take none, for a server that follows the protocol."""
    (noised,) = {CASES[kind].noised for kind in kinds}
    return potluck.Plan(
        name="insights",
        purpose="time statistics",
        task="statistics",
        federation={"sites": list(sites), "server": "curious", "corrupt": 1},
        data={"columns": {**COLUMNS, **(STRING if noised else {})}}
        | ({"person": "who"} if "distinct" in kinds else {}),
        statistics=[{"name": kind, "kind": kind, **CASES[kind].keys} for kind in kinds],
        protect={"with": word},
        privacy=NOISE if noised else {"noise": "none"},
    )


def dealt(rows: pd.DataFrame, sites: int) -> dict[str, pd.DataFrame]:
    """To each site as many rows, in their order."""
    size = len(rows) // sites
    return {f"site{place}": rows[place * size : (place + 1) * size].reset_index(drop=True) for place in range(sites)}


def carried(kinds: Sequence[str], word: str, pooled: pd.DataFrame) -> tuple[Found, float]:
    """Results by kind, at as many sites as they need, and bytes that a site sends, of all sums together."""
    sites = dealt(pooled, max(CASES[kind].sites for kind in kinds))
    with tempfile.TemporaryDirectory() as folder:
        done: Any = potluck.run(planned(kinds, word, list(sites)), sites, out=Path(folder) / "run")
        return done.results, sum(one["bytes_up"] for one in done.document["rounds"]) / len(sites)


def agree(kind: str, found: Found, pooled: pd.DataFrame) -> None:
    """A result and its oracle. Raises AssertionError: they differ."""
    case = CASES[kind]
    np.testing.assert_allclose(case.said(found), case.oracle(pooled), rtol=case.near, atol=case.near, err_msg=kind)
