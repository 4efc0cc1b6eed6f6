"""`potluck server`: the coordinator's part in a run across machines, a file a verb."""

from potluck.cli.verbs import Verbs

VERBS = {
    "run": "Run a plan with the sites of a federation, to its end.",
    "doctor": "Is all well: home, clock, disk, federation file, broker; what to do where it is not.",
    "web": "Pages for who coordinates: sites, plans, runs as they go, reports.",
    "backup": "The coordinator's home as one file, copied while a run goes on.",
    "restore": "A coordinator's home from its copy, on another machine.",
    "person": "Who signs in at the coordinator's pages, each with a passkey or password of their own.",
}
SAID = "The coordinator's part in a run across machines."

command = Verbs("server", __name__, VERBS, SAID)
