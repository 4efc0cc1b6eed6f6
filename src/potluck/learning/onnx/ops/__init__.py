"""How each operation of a graph is said in ONNX, by its word. What has no entry is refused by name."""

from collections.abc import Mapping

from potluck.learning.onnx.call import Say
from potluck.learning.onnx.ops import attention, convolution, elementwise, linear, normalisation, pooling, shape

SAID: Mapping[str, Say] = {
    **elementwise.SAID,
    **linear.SAID,
    **convolution.SAID,
    **normalisation.SAID,
    **pooling.SAID,
    **shape.SAID,
    **attention.SAID,
}
