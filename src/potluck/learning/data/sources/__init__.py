"""The kinds of source, a file and a line each; those that a policy names besides are in `owner/source.py`."""

from potluck.learning.data.source import SOURCES
from potluck.learning.data.sources import arrow, csv_file, memory

SOURCES.register("memory", memory.in_memory)
SOURCES.register("arrow", arrow.arrow)
SOURCES.register("csv", csv_file.csv_file)
