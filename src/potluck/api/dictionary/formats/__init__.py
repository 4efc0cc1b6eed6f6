"""The formats of data dictionaries, a file and a line each; the first that claims a document reads it."""

from potluck.api.dictionary.formats.columns import PLAIN
from potluck.api.dictionary.formats.croissant import CROISSANT
from potluck.api.dictionary.formats.frictionless import FRICTIONLESS
from potluck.api.dictionary.formats.omop import OMOP
from potluck.api.dictionary.formats.pandera import PANDERA

FORMATS = (PANDERA, CROISSANT, OMOP, PLAIN, FRICTIONLESS)
