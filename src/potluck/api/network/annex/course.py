"""What became of one run here, step by step, by the access log and the ledger: how its request was judged each time,
when its first round began, how it ended.

It does NOT know why another party refused, nor more of a cancel than its asker's own words.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from potluck.api.network.history import Fate
from potluck.api.network.membership.turned import away
from potluck.core.prose import capital, count, listed, utc
from potluck.owner.access import Entry
from potluck.owner.form.labels import code
from potluck.owner.requests import Request, State
from potluck.report.papers.annex import Step

MOST = 40
"""Steps that papers have: the first, and the newest. An asker may send a run again and again."""
_PERSONS = {"denied": "a person here had said no", "revoked": "a person here had taken the approval back"}
_ENDS = {
    "withdrawn": "who asked cancelled it",
    "refused": "it ended: another party refused it",
    "aborted": "it stopped: a round failed",
}


def course(log: Iterable[Entry], run: str, began: float | None) -> tuple[Step, ...]:
    """Oldest first. log: oldest first; began: when the first round began here (seconds since 1970); None: none did."""
    steps = [one for line in log if line.run == run and (one := _step(line)) is not None]
    if began is not None:
        before = sum(datetime.fromisoformat(one.when).timestamp() <= began for one in steps)
        steps.insert(before, Step(when=utc(began), says="its first round began here"))
    found: list[Step] = []
    for one in steps:
        last = found[-1] if found else None
        if last is not None and (last.says, last.reason, last.policy) == (one.says, one.reason, one.policy):
            found[-1] = msgspec.structs.replace(last, times=last.times + 1)
        else:
            found.append(one)
    return tuple(found if len(found) <= MOST else [found[0], *found[1 - MOST :]])


def _step(line: Entry) -> Step | None:
    if line.event == "request":
        return Step(when=line.when, says=_judged(line), policy=line.policy)
    if line.event == "end":
        words = _ENDS["withdrawn"] if line.reason else _ENDS.get(line.outcome, "it ended")
        return Step(when=line.when, says=words, reason=line.reason)
    return None


def _judged(line: Entry) -> str:
    why = [code(word) for word in line.why]
    match line.outcome:
        case "approved":
            return "the program took it on"
        case "pending":
            return "it was allowed, and waited for its graph" if "graph" in line.why else "it was allowed, and waited"
        case "refused":
            return f"it was {away(line.why[-1] if line.why else '')}"
    persons = [_PERSONS[word] for word in line.why if word in _PERSONS]
    return f"it was turned away: {listed(persons)}" if persons else f"the program said no: {listed(why)}"


def stands(request: Request, fate: Fate, steps: Sequence[Step], rounds: int, missing: int, open_: bool) -> str:
    """The state of a request, in a sentence or two. open_: the ledger has the run, and not yet its end."""
    began = f"{capital(count(rounds, 'round'))} began here"
    left = began if rounds else "No round began here: nothing has left this site"
    match request.state:
        case State.PENDING:
            return f"It waits for {count(missing, 'approval')}. {left}."
        case State.APPROVED if fate.word.startswith("turned away"):
            return f"This site turned it away when it was asked for last, and may be asked again. {left}."
        case State.APPROVED if fate.codes:
            return f"The policy says no ({', '.join(fate.codes)}), after it was approved. {left}."
        case State.APPROVED if steps and steps[-1].says in _ENDS.values():
            return f"It does not go on for now: {steps[-1].says}. {left}."
        case State.APPROVED:
            how = "The run goes on: write these papers again at its end" if open_ else "It may begin"
            return f"{how}. {left}."
        case State.DENIED:
            policy = f"The policy said no ({', '.join(request.codes)})"
            return f"{policy if request.codes else 'Somebody said no'}. {left}."
        case State.REVOKED:
            return f"The approval was taken back, and no further round begins. {left}."
    end = next((one for one in reversed(steps) if one.says in (*_ENDS.values(), "it ended")), None)
    if request.state is State.WITHDRAWN or (end is not None and end.says == _ENDS["withdrawn"]):
        said = f", who said: {end.reason.rstrip('.')}" if end is not None and end.reason else ""
        return f"It was cancelled by who asked{said}. {left}."
    return f"The run is over{'' if fate.word == 'finished' else f': {fate.word}'}. {left}."
