"""A site's policy for its owner's eyes: in words, and the file as it is but for addresses."""

from pathlib import Path

from potluck.members.home import SiteHome
from potluck.owner.policy import exposed
from potluck.owner.policy_words import Topic, topics
from potluck.owner.reading import read as read_policy


def rules(folder: Path) -> tuple[tuple[Topic, ...], str]:
    """(the policy of the site in `folder`, by topic; a warning where others may read an address in it, else "").

    Raises UsageError: no home, or a policy that does not fit.
    """
    home = SiteHome.at(folder)
    policy = read_policy(home.policy)
    return topics(policy), exposed(policy, home.policy) or ""
