"""`potluck site revoke`."""

from potluck.cli.site.decision import decision

command = decision("revoke", "Take back all approvals of the plan with HASH; a run ends before its next round.")
