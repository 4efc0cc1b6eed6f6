"""`potluck site approve`."""

from potluck.cli.site.decision import decision

command = decision(
    "approve", "Say yes to the plan whose hash begins with HASH: serves the run that waits, or the next."
)
