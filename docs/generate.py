"""Fill the marked blocks of THREATS.md with what the views say. Run it after a change to any view.

`.venv/bin/python docs/generate.py` rewrites the file; a test fails while a block is stale. A block lies between the
lines `<!-- generated: NAME -->` and `<!-- end -->`. Nobody edits it by hand.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import potluck

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "THREATS.md"
SITES = ("a", "b", "c", "d")
OF = ("a's update", "the sum", "the model", "a's metrics")
COALITIONS = (
    ("broker",),
    ("server",),
    ("b",),
    ("broker", "server"),
    ("broker", "b"),
    ("server", "b"),
    ("server", "b", "c"),
    ("b", "c", "d"),
    ("server", "alpha"),
    ("alpha", "beta"),
)
NOISED = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0}


def plan(word: str, server: str, privacy: dict[str, object], enclave: str = "simulated") -> potluck.Plan:
    """Four sites of which one may collude and one may vanish, and a logistic regression."""
    return potluck.Plan(
        name="example",
        purpose="show who could see what",
        task="train",
        federation={"sites": list(SITES), "corrupt": 1, "dropouts": 1, "server": server},
        data={
            "columns": {"x": {"kind": "number", "low": 0, "high": 1}, "y": {"kind": "category", "values": ["0", "1"]}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.25},
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "expected_rows": 1000},
        protect={"with": word, "enclave": enclave},
        privacy=privacy,
    )


PLANS = {
    "clear": plan("clear", "curious", {"noise": "none"}),
    "mask-curious": plan("mask", "curious", {"noise": "none"}),
    "mask-lying": plan("mask", "lying", {"noise": "none"}),
    "mask-lying-shared": plan("mask", "lying", NOISED),
    "share-curious": plan("share", "curious", {"noise": "none"}),
    "he-curious": plan("he", "curious", {"noise": "none"}),
    "tee-lying": plan("tee", "lying", {"noise": "none"}, "tsm"),
    "tee-simulated": plan("tee", "lying", {"noise": "none"}),
}
HEADS = {
    "clear": "`clear`",
    "mask-curious": "`mask`, curious",
    "mask-lying": "`mask`, lying",
    "mask-lying-shared": "`mask`, lying, `shared` noise",
    "share-curious": "`share`, curious",
    "he-curious": "`he`, curious",
    "tee-lying": "`tee`, lying",
    "tee-simulated": "`tee`, simulated",
}


NONE = {"noise": "none"}
COLUMNS = {
    "x": {"kind": "number", "low": 0, "high": 1, "owner": "a"},
    "z": {"kind": "number", "low": 0, "high": 1, "owner": "b"},
    "y": {"kind": "category", "values": ["0", "1"], "owner": "b"},
}
TOGETHER = {
    "fit": potluck.Plan(
        name="example",
        purpose="show who could see what",
        task="fit",
        federation={"sites": ["a", "b"], "server": "curious"},
        align={"keys": ["id"]},
        data={
            "columns": COLUMNS,
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.25},
        },
        model={"kind": "logistic"},
        training={"method": "newton"},
        protect={"with": "share"},
        privacy=NONE,
    ),
    **{
        f"intersect-{reveal}": potluck.Plan(
            name="example",
            purpose="show who could see what",
            task="intersect",
            federation={"sites": sites, "server": "curious"},
            align={"keys": ["id"], "reveal": reveal, "to": ["a"], "protocol": protocol},
            privacy=NONE,
        )
        for reveal, sites, protocol in (("members", ["a", "b"], "rr22"), ("size", ["a", "b", "c"], "ecdh"))
    },
    **{
        f"predict-{word}": potluck.Plan(
            name="example",
            purpose="show who could see what",
            task="predict",
            federation={"sites": ["a", "b"], "server": "curious"},
            model={"digest": "sha256:" + 64 * "0"},
            predict={"owner": "a", "client": "b", "mode": "batch"},
            protect={"with": word, "enclave": "tsm"},
            privacy=NONE,
        )
        for word in ("he", "tee", "share")
    },
}
"""Tasks that are one round between owners of different things. Their views are shown whole."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def views(name: str) -> str:
    """Who sees what of site a; b stands for all other sites, alpha for all compute parties."""
    rows = potluck.explain(PLANS[name]).rows()
    shown = [row for row in rows if row["of"] in OF and row["party"] in ("server", "broker", "alpha", "a", "b")]
    cells = [[row["party"], row["of"], row["form"], row["breaks_if"], row["note"]] for row in shown]
    return table(("party", "of", "sees", "breaks if", "note"), cells)


def whole(name: str) -> str:
    """Who sees what, of everything; beta and gamma are as alpha, and the broker's seals stand under the sums."""
    rows = [row for row in potluck.explain(TOGETHER[name]).rows() if row["party"] not in ("broker", "beta", "gamma")]
    cells = [[row["party"], row["of"], row["form"], row["breaks_if"], row["note"]] for row in rows]
    return table(("party", "of", "sees", "breaks if", "note"), cells)


def coalitions() -> str:
    """What each coalition sees of the update of site a, which is not among them."""
    rows = []
    for coalition in COALITIONS:
        cells = [" + ".join(coalition)]
        for one in PLANS.values():
            if not set(coalition) <= {"server", "broker", *SITES, *map(str, one.spec.compute)}:
                cells.append("–")
                continue
            seen = {row["of"]: row["form"] for row in potluck.explain(one, coalition).rows()}
            cells.append(seen.get("a's update", "nothing"))
        rows.append(cells)
    return table(("together", *HEADS.values()), rows)


def blocks() -> dict[str, str]:
    """Every generated block by name."""
    sums = {name: views(name) for name in PLANS}
    return {**sums, **{name: whole(name) for name in TOGETHER}, "coalitions": coalitions()}


def filled(text: str) -> str:
    """`text` with every block as the views say it. Raises KeyError: a block that is not known."""
    made = blocks()
    return re.sub(
        r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{made[match[2]]}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
