"""A line of the access log in words: what happened as a sentence, who did it, and what else is known of it."""

from potluck.owner.access import IN_FILE, Entry, Event, Outcome
from potluck.owner.form.labels import code, told

EVENTS: dict[Event, str] = {
    "start": "the program began",
    "stop": "the program ended",
    "request": "a run was asked for",
    "approve": "approved",
    "deny": "denied",
    "revoke": "approvals taken back",
    "withdraw": "a run was given up",
    "rows": "rows were read",
    "round": "a round",
    "refusal": "a letter was refused",
    "end": "a run ended",
    "forget": "what was kept of a run was removed",
    "members": "members, or their file",
    "sign-in": "signed in",
    "sign-out": "signed out",
    "person": "a person, or a way to sign in",
    "papers": "papers were written",
    "submit": "a run was started",
    "cancel": "a run was cancelled",
    "policy": "the policy",
    "notify": "somebody was told of a request",
    "doctor": "all was looked at, for Health",
}
"""By event: what a list of them calls it."""

_SAID: dict[tuple[Event, Outcome], str] = {
    ("request", "pending"): "A run was asked for: it waits",
    ("request", "approved"): "A run was asked for: taken on",
    ("request", "refused"): "A run was asked for: it cannot be carried out here",
    ("round", "done"): "A round was done",
    ("round", "aborted"): "A round failed",
    ("end", "withdrawn"): "A run was cancelled by who asked",
    ("end", "refused"): "A run ended: somebody refused it",
    ("end", "aborted"): "A run ended: it failed",
    ("members", "pending"): "A newer federation file waits for a person",
    ("members", "refused"): "A newer federation file lists this site no more: not taken",
    ("sign-in", "refused"): "A sign-in was refused",
    ("policy", "pending"): "A change of the policy was proposed",
    ("policy", "approved"): "A change of the policy was confirmed",
    ("policy", "denied"): "A change of the policy was turned down",
    ("policy", "withdrawn"): "A change of the policy was taken back",
    ("policy", "aborted"): "A change of the policy could not be written",
    ("notify", "done"): "Somebody was told of a request",
    ("notify", "aborted"): "Nobody could be told of a request",
}
_PERSONS = {"invited": "A person was invited", "removed": "A person was removed"}
_WAYS = {
    "token": "by the printed address",
    "password": "with a password",
    "passkey": "with a passkey",
    "invitation": "with an invitation",
}
_BY_PERSON = {"denied": "a person here had denied the plan", "revoked": "a person here had taken the approval back"}
"""By code: what a person said, which the program only passes on."""
_ASKED = {
    "members": "it names members that are new here",
    "repeats": "a step was repeated as often as one approval allows",
    "near": "beside another plan it would tell a few rows apart",
}
"""By code: why a person is asked, where it is no key of the policy."""


def said(one: Entry) -> str:
    """What happened, as a sentence."""
    if one.event == "request" and one.outcome == "denied":
        by = next((_BY_PERSON[why] for why in one.why if why in _BY_PERSON), "")
        rule = "policy" if all(code(word) != word for word in one.why) else "policy or program"
        return f"A run was asked for: {by or f'turned away by the {rule}'}"
    if one.event == "rows":
        return "Rows were looked at" if one.person else "A run read the rows"
    if one.event == "members" and one.outcome == "done":
        return "Members were agreed to" if one.person else "A newer federation file is in force"
    if one.event == "policy" and one.outcome == "done":
        return "The policy was changed"
    if one.event == "person" and one.why:
        return _PERSONS.get(one.why[0], "A way to sign in was chosen")
    known = _SAID.get((one.event, one.outcome)) or EVENTS[one.event]
    return known[:1].upper() + known[1:]


def who(one: Entry) -> str:
    """Who did it; empty where the program did, or nobody is named."""
    return one.person or (IN_FILE if one.event == "policy" else "")


def more(one: Entry) -> tuple[str, ...]:
    """What else the line has, in the words of the form where it has a key of the policy."""
    why = one.why
    if one.event == "request":
        return tuple(_ASKED.get(word) or code(word) for word in why if word not in _BY_PERSON)
    if one.event == "policy":
        return tuple(told(word) for word in why) or (("nothing that a form shows",) if one.outcome == "done" else ())
    if one.event == "person" and why and why[0] in _PERSONS:
        return why[1:]
    return tuple(_WAYS.get(word, word) for word in why) if one.event in ("sign-in", "person") else why
