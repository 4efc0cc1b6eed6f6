"""`potluck site person`: who signs in at the owner's pages."""

from potluck.cli.persons import group

command = group("site", "the owner's", 8711)
