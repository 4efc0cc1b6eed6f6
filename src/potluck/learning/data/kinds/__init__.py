"""The kinds of column, a file and a line each."""

from potluck.learning.data.column import COLUMNS
from potluck.learning.data.kinds import category, date, image, number, string, tensor, text

COLUMNS.register("number", number.NUMBER)
COLUMNS.register("category", category.CATEGORY)
COLUMNS.register("date", date.DATE)
COLUMNS.register("image", image.IMAGE)
COLUMNS.register("tensor", tensor.TENSOR)
COLUMNS.register("text", text.TEXT)
COLUMNS.register("string", string.STRING)
