"""How each row's gradient of a weight is found, by the operation that takes the weight. An idea a file, a line each.

An operation without a line takes `any_node`, where that is sound.
"""

from potluck.core.registry import Registry, table
from potluck.learning.graph.per_row import convolution, elementwise, linear, normalisation
from potluck.learning.graph.per_row.call import Rule

RULES: Registry[Rule] = table("graph.per_row")
RULES.register("linear", linear.linear)
RULES.register("addmm", linear.addmm)
RULES.register("matmul", linear.matmul)
RULES.register("embedding", linear.embedding)
RULES.register("conv1d", convolution.convolution(1))
RULES.register("conv2d", convolution.convolution(2))
RULES.register("conv3d", convolution.convolution(3))
RULES.register("conv_transpose1d", convolution.convolution(1, transposed=True))
RULES.register("conv_transpose2d", convolution.convolution(2, transposed=True))
RULES.register("conv_transpose3d", convolution.convolution(3, transposed=True))
RULES.register("layer_norm", normalisation.last_axes(normalisation.layer))
RULES.register("rms_norm", normalisation.last_axes(normalisation.root_mean_square))
RULES.register("group_norm", normalisation.channels(normalisation.group))
RULES.register("instance_norm", normalisation.channels(normalisation.instance))
RULES.register("batch_norm", normalisation.channels(normalisation.frozen))
RULES.register("add", elementwise.added)
RULES.register("sub", elementwise.subtracted)
RULES.register("mul", elementwise.multiplied)
RULES.register("div", elementwise.divided)
RULES.register("expand", elementwise.repeated)
