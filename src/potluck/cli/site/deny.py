"""`potluck site deny`."""

from potluck.cli.site.decision import decision

command = decision("deny", "Say no to the plan whose hash begins with HASH, also where it runs already.")
