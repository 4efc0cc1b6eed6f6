"""`potluck site`: the owner's part, a file a verb."""

from potluck.cli.verbs import Verbs

VERBS = {
    "new": "Make a home: keys, a card for the coordinator, a policy that denies all.",
    "join": "Verify the federation file and pin it.",
    "run": "Run the site until it is stopped: it answers requests as its policy and its owner say.",
    "inbox": "What waits for approval.",
    "preview": "What would leave: the first sum of a plan, computed and not sent.",
    "approve": "Say yes to a plan.",
    "deny": "Say no to a plan, also where it runs already.",
    "revoke": "Take back all approvals of a plan.",
    "budget": "What was spent, from the verified ledger, and what a plan would leave.",
    "web": "Pages for who decides: what waits in plain words, yes or no, and what was asked before.",
    "person": "Who signs in at these pages, each with a passkey or password of their own.",
    "log": "Every request, granted or not, every round and every decision.",
    "status": "Does it run, is it connected, what goes on and what waits, what was spent.",
    "doctor": "Is all well: home, policy, rows, engines, broker, clock, disk, expiry; what to do where it is not.",
    "report": "Papers of a run for who files them: written, signed, and verified.",
    "models": "What runs left for the owner alone.",
    "backup": "Copy the home to a file, while the site works: keys, ledger, decisions, all but rows.",
    "restore": "A home from such a file, in a new folder.",
    "forget": "Remove what is kept for a run that will not go on.",
}
SAID = "The owner's part: keys, policy, the federation joined, requests and approvals, the ledger."

command = Verbs("site", __name__, VERBS, SAID)
