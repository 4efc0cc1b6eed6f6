"""What each attack is after, in half a sentence, for people who never read of it: the report's, by an attack's name.
And of those that ask the same, which to believe."""

from collections.abc import Mapping
from types import MappingProxyType

MEMBER = "who was in training"
AIMS: Mapping[str, str] = MappingProxyType(
    {
        "analytic": "rows themselves, from what one layer of the model learnt",
        "imprint": "rows themselves, by a first layer that was made to keep them apart",
        "rates": "a site's share of positive rows, or its means, from the first sum",
        "gram": "rows themselves, from sums of products of their columns",
        "differencing": "the row that came or went between two runs of training",
        "tracker": "the few rows that are in one of two runs of statistics",
        "leaves": "a row's target and its range of values, from the leaves of a tree",
        "bins": "a row's target and its range of values, from sums of boosting over one row",
        "uniform": "what a site sent, if what hides it is not as random as it has to be",
        "letters": "what a site sent, if what hides it is not there",
        "equivocation": "what a site sent, by a server that tells sites different things",
        "survivors": "what a site sent, by a server that names different sites to different parties",
        "dictionary": "who is in the files of others, by made-up keys",
        "again": "who came to the files of others or left them between two runs",
        "poisoning": "a model that is wrong at the other sites",
        "backdoor": "a model that gives a wanted answer for rows with a mark",
        "published": "who was among the rows, from published numbers alone",
        "synthetic": "who was among the rows, from made-up rows and the counts that they are drawn from",
        "property": "what rows of a site are like: shares of values and means",
        "equations": f"{MEMBER}, by solving sums for who is in them",
        "loss": f"{MEMBER}: the model is hardly wrong about those rows",
        "rmia": f"{MEMBER}: the model favours them, beside the attacker's own, more than it does other rows",
        "lira offline": f"{MEMBER}: the model is surer of them than the attacker's own, which never saw them",
        "lira": f"{MEMBER}: the attacker's own models with a row speak of it as the model does, those without do not",
        "inversion": "rows themselves, by a search for rows that would teach the same",
    }
)
ALIKE = frozenset({"loss", "rmia", "lira offline", "lira"})
WHICH = (
    "loss, rmia, lira offline and lira ask the same of each row: was it in training? One success is enough. Where all "
    "fail, lira and rmia say most: they train models of their own as the plan says, with the row and without it, and "
    "so know what a model says of a row that it never saw. lira offline has those without it alone. loss has none: it "
    "takes an easy row for one that trained, and that it fails says next to nothing."
)
"""Reference: Carlini et al. 2022, arXiv 2112.03570, table 1; the digits of `docs/reference/attacks.md`."""
