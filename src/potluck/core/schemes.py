"""What every room may have to know of a plan's protection: facts, in one table, so that no room asks for its name.

What a protection does stands in its folder. A fact says what is so, never which protection it is.
"""

from dataclasses import dataclass

from potluck.core.registry import Registry, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """The facts of one protection.

    said: what it does, for an owner who may allow it; left: how updates left their sites under it, in a report; scored:
    how rows and model did, where it scores rows. hides: the server reads no single update. computes: compute parties
    take part, on parts of what owners give. enclave: an enclave takes part. again: what goes up is sealed once more to
    keys of the round, so that no long-term key opens it.
    """

    hides: bool
    said: str = ""
    left: str = ""
    scored: str = ""
    computes: bool = False
    enclave: bool = False
    again: bool = False


SCHEMES: Registry[Scheme] = table("protect.with")
"""By the word of a plan and of a policy. An intersection runs on `psi` and nothing else: its word is no variant."""
SCHEMES.register(
    "clear",
    Scheme(
        hides=False,
        said="the server sees your site's own sum",
        left="each site's update went to the server in the clear",
    ),
)
SCHEMES.register(
    "mask",
    Scheme(
        hides=True,
        said="the server sees the sum of all sites alone",
        left="updates left their sites under masks that cancel, so that the server could open only their sum",
        again=True,
    ),
)
SCHEMES.register(
    "share",
    Scheme(
        hides=True,
        said="three compute parties add up, and any two of them could open yours",
        left="updates left their sites in shares, of which no single party can read one",
        scored="Rows and model left in shares, of which no single party can read one; the scores came back in shares, "
        "to who has the rows alone.",
        computes=True,
    ),
)
SCHEMES.register(
    "he",
    Scheme(
        hides=True,
        said="encrypted sums, which sites open together",
        left="updates left their sites encrypted, and were added up without being opened",
        scored="The rows left encrypted and came back as encrypted scores: who has the model saw no row, who has the "
        "rows saw no weight.",
    ),
)
SCHEMES.register(
    "tee",
    Scheme(
        hides=True,
        said="an enclave opens the sums, where attestation says which",
        left="updates left their sites sealed for an enclave that opens only their sum",
        scored="Rows and model left sealed for an enclave that each end's own policy allows; the scores came back "
        "sealed to who has the rows.",
        enclave=True,
        again=True,
    ),
)


def scheme_of(word: object) -> Scheme:
    """The facts of the protection that a plan or a run's document names; of `psi`, and of a word that this version does
    not know, those of none."""
    none = Scheme(hides=False)
    return SCHEMES.entries.get(word, none) if isinstance(word, str) else none
