"""What moved, round by round and step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.report import charts, words
from potluck.report.charts import Bar, Mark, Row
from potluck.report.details import VOTES, Details, Round
from potluck.report.outcome import Outcome

COLUMNS = 100  # most columns of the picture; more rounds share one


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rounds, ready to print. sums: how many there are, but for those in which sites voted and added nothing;
    every: how many rounds share a column of the picture; lost: "round 3: va", with the reason where it is known; timed:
    it is known when each sum was opened; tries: "before round 4 (too few answers)"."""

    chart: str
    rounds: tuple[Round, ...]
    sums: int
    every: int
    trained: bool
    other: bool
    lost: tuple[str, ...]
    timed: bool
    tries: tuple[str, ...]
    up: int
    down: int
    seconds: float
    steps_chart: str
    steps: tuple[tuple[str, int, int], ...]


def timeline(outcome: Outcome, details: Details) -> Timeline | None:
    """From the details, or else from the training rounds of the run; `None` where no round was finished."""
    rounds = details.timeline or tuple(
        Round(round=r.round, seconds=r.seconds, bytes_up=r.bytes_up, bytes_down=r.bytes_down, dropped=r.dropped)
        for r in outcome.rounds
    )
    if not rounds:
        return None
    up, down = sum(r.bytes_up for r in rounds), sum(r.bytes_down for r in rounds)
    every = -(-len(rounds) // COLUMNS)
    bars = [_bar(rounds[start : start + every]) for start in range(0, len(rounds), every)]
    lost = tuple(f"round {r.round}: {prose.listed(left(r))}" for r in rounds if r.dropped)
    desc = f"{prose.count(len(rounds), 'round')}, {words.size(up)} up and {words.size(down)} down in all. "
    desc += f"Drop-outs: {'; '.join(lost[:20])}." if lost else "No site dropped out."
    shown = range(0, len(bars), -(-len(bars) // 8))
    labels = [((index + 0.5) / len(bars), f"{rounds[index * every].round}") for index in shown]
    chart = charts.columns("rounds", "Bytes by round", desc, bars, labels, sizes=True)
    steps = _steps(rounds)
    return Timeline(
        chart=chart,
        rounds=rounds,
        sums=sum(r.kind != VOTES for r in rounds),
        every=every,
        trained=any(r.kind == "train" for r in rounds),
        other=any(r.kind != "train" for r in rounds) and any(r.kind == "train" for r in rounds),
        lost=lost,
        timed=any(r.when for r in rounds),
        tries=tuple(f"before round {r.round} ({', then '.join(r.tries)})" for r in rounds if r.tries),
        up=up,
        down=down,
        seconds=sum(r.seconds for r in rounds),
        steps_chart=_steps_chart(steps),
        steps=steps,
    )


def left(one: Round) -> list[str]:
    """Who left in a round: "va (silent)" where it is known why."""
    return [f"{name} ({one.why[name]})" if one.why.get(name) else name for name in one.dropped]


def _bar(rounds: Sequence[Round]) -> Bar:
    lost = [f"round {r.round}: {prose.listed(r.dropped)} left" for r in rounds if r.dropped]
    return Bar(
        float(sum(r.bytes_up for r in rounds)),
        float(sum(r.bytes_down for r in rounds)),
        hatched=all(r.kind != "train" for r in rounds),
        flag="; ".join(lost),
    )


def _steps(rounds: Sequence[Round]) -> tuple[tuple[str, int, int], ...]:
    total: dict[str, tuple[int, int]] = {}
    for one in rounds:
        for step in one.steps:
            letters, size = total.get(step.step, (0, 0))
            total[step.step] = (letters + step.letters, size + step.bytes)
    return tuple((name, letters, size) for name, (letters, size) in total.items())


def _steps_chart(steps: Sequence[tuple[str, int, int]]) -> str:
    if not steps:
        return ""
    rows = [Row(name, (Mark(float(size)),), words.size(size)) for name, _, size in steps]
    desc = "; ".join(f"{name}: {words.size(size)} in {letters} letters" for name, letters, size in steps)
    return charts.levers("steps", "Bytes by step, over all rounds", desc, rows)
