"""What helps where a site does not take part, by the code that it answers: for whoever reads the server's screen."""

from collections.abc import Iterable

ELSE = "plan or policy must change"
_DO = {
    "pending": "its owner decides: potluck site inbox",
    "silent": "`potluck site run` there may have no broker, or no room to log: potluck site doctor there",
    "denied": "its owner said no: ask there",
    "revoked": "its owner took the approval back: ask there",
    "federation": "both need the newest federation file: potluck server doctor here, potluck site doctor there",
    "expired": "renew the federation file: potluck federation rotate",
    "version": "update the older of the two programs",
    "ledger": "its IT puts the newest ledger back: potluck docs backup",
    "plan": "the screen of its `potluck site run` says what the plan lacks",
    "initial": "it makes another first model of the plan: the screen of its `potluck site run` says which",
    "graph": "its `potluck site run` says what is wrong with the graph",
    "base": "its IT puts the frozen weights into models.folder",
    "finished": "start a new run: --fresh",
    "policy": "its policy.toml cannot be read: potluck site doctor there",
    "engine": "its IT sees to the engine: potluck site doctor there",
    "data": "its rows do not fit, or cannot be read: the screen of its `potluck site run` says why",
    "disk": "its disk is full: its IT makes room",
    "rows_changed": "its rows are put back, or a new run begins: --fresh",
}


def advice(said: Iterable[tuple[str, str, tuple[str, ...]]]) -> str:
    """What to do, each thing once with the names that it is about. said: name, verdict and codes of each party."""
    found: dict[str, list[str]] = {}
    for name, verdict, codes in said:
        things = [_DO[verdict]] if verdict in ("pending", "silent") else [_DO.get(code, ELSE) for code in codes]
        for thing in dict.fromkeys(things or [_DO["denied"]]):
            found.setdefault(thing, []).append(name)
    return "; ".join(f"{', '.join(names)}: {thing}" for thing, names in found.items())
