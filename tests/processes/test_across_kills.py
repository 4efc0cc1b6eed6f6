"""kill -9 of server, site and broker at each step of a round: the right sum, ledgers that equal what left, no hanging.

In the fast suite the server and a site are hit once, each at another step; the whole product is slow.
"""

from itertools import product

import pytest

from support.processes.hospitals import NAMES, federation
from support.processes.kills import CLEAR, SENT, Kill, moments, undergo
from support.processes.rig import BROKER, need_broker

ROLES = ("server", "site", "broker")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One federation for all kills: its sites and broker live on from run to run, but for those that were killed."""
    need_broker()
    rig = federation(tmp_path_factory.mktemp("kills") / "f")
    try:
        rig.start(BROKER, *NAMES)
        yield rig
    finally:
        rig.close()
    rig.leaves_nothing()


def few():
    """Each step once with each moment somewhere; roles by turns."""
    for number, (step, sender) in enumerate(SENT.items()):
        role = ROLES[number % 3]
        yield Kill(role, step, moments(role, sender)[(number // 3) % 2])


def fewer():
    """The other protection, noise, and the first round."""
    yield Kill("site", "clear/input", "before send", word="clear")
    yield Kill("server", "clear/input", "on receipt", word="clear")
    yield Kill("broker", "begin", "before send", word="clear")
    yield Kill("site", "mask/share", "after send", noise="shared")
    yield Kill("server", "mask/unmask", "on receipt", noise="shared")
    yield Kill("site", "mask/input", "before send", round=1)


def many():
    """Each role at each step, before and after, with each noise, and in the first round as well."""
    done = {str(kill) for kill in (*few(), *fewer())}
    for role, (step, sender), noise in product(ROLES, SENT.items(), ("none", "shared")):
        for moment in moments(role, sender):
            kill = Kill(role, step, moment, noise)
            if str(kill) not in done:
                yield kill
    for role, (step, sender) in product(("site", "server"), SENT.items()):
        yield Kill(role, step, moments(role, sender)[1], round=1)
    for role, (step, sender) in product(ROLES, CLEAR.items()):
        for moment in moments(role, sender):
            yield Kill(role, step, moment, word="clear")


def stateful():
    """Servers whose next model follows from more than the last sum: a state, replayed from those that are stored."""
    yield Kill("server", "mask/unmask", "on receipt", round=3, optimizer="adam")
    yield Kill("server", "begin", "before send", round=3, optimizer="yogi")
    yield Kill("server", "clear/input", "when done", word="clear", round=3, optimizer="nesterov")
    yield Kill("site", "mask/input", "after send", optimizer="momentum")


def looking():
    """Servers that end early: what they remember of looks is replayed too. Round 4 is the second look."""
    yield Kill("server", "mask/input", "on receipt", round=4, looks=True)
    yield Kill("server", "begin", "before send", round=5, looks=True)
    yield Kill("server", "clear/input", "when done", word="clear", round=2, looks=True)
    yield Kill("site", "mask/input", "after send", round=4, looks=True)


def drawing():
    """Rows are drawn in secret: whoever begins a round again draws them again, and pays again."""
    yield Kill("site", "mask/input", "after send", noise="shared", drawn=True)
    yield Kill("site", "mask/input", "before send", noise="shared", round=3, drawn=True)
    yield Kill("server", "mask/unmask", "on receipt", noise="shared", drawn=True)
    yield Kill("server", "begin", "before send", noise="shared", round=1, drawn=True)


def walking():
    """Sites take steps of their own along noised sums: whoever begins a round again draws and pays for all of them."""
    yield Kill("site", "mask/input", "before send", noise="site", walking=True)
    yield Kill("site", "mask/input", "after send", noise="site", round=3, walking=True)
    yield Kill("server", "mask/unmask", "on receipt", noise="site", walking=True)
    yield Kill("site", "clear/input", "after send", word="clear", noise="site", walking=True)


def boosting():
    """Trees that stand half grown when somebody dies."""
    yield Kill("site", "mask/input", "after send", boosted=True)
    yield Kill("server", "mask/unmask", "on receipt", boosted=True)
    yield Kill("server", "begin", "before send", round=3, boosted=True)
    yield Kill("site", "clear/input", "before send", word="clear", round=3, boosted=True)


def voting():
    """Votes that were cast are not cast again, and the run ends as it would have."""
    yield Kill("site", "mask/input", "after send", voted=True)
    yield Kill("server", "mask/unmask", "on receipt", voted=True)
    yield Kill("server", "begin", "before send", round=3, voted=True)


FAST = [*few()][:1]


@pytest.mark.parametrize("kill", FAST, ids=str)
def test_a_kill_cannot_change_a_sum_or_lose_a_charge(shared, kill):
    print(kill, undergo(shared, kill))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kill",
    [
        *(
            kill
            for kill in (*few(), *stateful(), *looking(), *drawing(), *walking(), *boosting(), *voting())
            if kill not in FAST
        ),
        *fewer(),
        *many(),
    ],
    ids=str,
)
def test_no_kill_can_change_a_sum_or_lose_a_charge(shared, kill):
    print(kill, undergo(shared, kill))
