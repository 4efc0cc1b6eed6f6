"""`potluck server person`: who signs in at the coordinator's pages."""

from potluck.cli.persons import group

command = group("server", "the coordinator's", 8712)
