"""Clipped sums of rows' gradients as others make them: opacus by hooks and by ghost norms, and jax-privacy under jit.

Imported when first used. The networks are the same, and so, for opacus, are the weights and the rows.
"""

from importlib import import_module
from typing import Any

from harness.clipping import CLIP, Step, data, network

OPACUS, JAX = "opacus 1.6", "jax-privacy 2.0"


def hooks(kind: str) -> Step:
    """opacus lays out each row's gradient, by hooks."""
    import torch

    module, (x, y) = network(kind), data(kind)
    wrapped = import_module("opacus").GradSampleModule(module, loss_reduction="sum")
    weights = [one for one in wrapped.parameters() if one.requires_grad]
    optimizer = import_module("opacus.optimizers").DPOptimizer(
        torch.optim.SGD(weights, 1.0), noise_multiplier=0.0, max_grad_norm=CLIP, expected_batch_size=len(y),
        loss_reduction="sum",
    )  # fmt: skip

    def step() -> Any:
        optimizer.zero_grad()
        torch.autograd.backward(torch.nn.functional.cross_entropy(wrapped(x), y, reduction="sum"))
        optimizer.clip_and_accumulate()
        return [one.summed_grad for one in weights]

    return step


def ghost(kind: str) -> Step:
    """opacus finds norms without laying gradients out, and goes back twice."""
    import torch

    module, (x, y) = network(kind), data(kind)
    wrapped = import_module("opacus.grad_sample").GradSampleModuleFastGradientClipping(
        module, max_grad_norm=CLIP, use_ghost_clipping=True, loss_reduction="sum"
    )
    weights = [one for one in wrapped.parameters() if one.requires_grad]
    optimizer = import_module("opacus.optimizers").DPOptimizerFastGradientClipping(
        torch.optim.SGD(weights, 1.0), noise_multiplier=0.0, max_grad_norm=CLIP, expected_batch_size=len(y),
        loss_reduction="sum",
    )  # fmt: skip
    loss = import_module("opacus.utils.fast_gradient_clipping_utils").DPLossFastGradientClipping(
        wrapped, optimizer, torch.nn.CrossEntropyLoss(reduction="sum"), loss_reduction="sum"
    )

    def step() -> Any:
        optimizer.zero_grad()
        loss(wrapped(x), y).backward()
        return [one.grad for one in weights]

    return step


def jax(kind: str) -> Step:
    """jax-privacy: vmap, compiled. Of the MLP and the CNN."""
    loaded, clipping = import_module("jax"), import_module("jax_privacy.clipping")
    numpy, nn, lax = loaded.numpy, loaded.nn, loaded.lax
    x, y = (numpy.asarray(one.numpy()) for one in data(kind))
    weights = [numpy.asarray(one.detach().numpy()) for one in network(kind).parameters()]

    def convolved(given: Any, weight: Any, bias: Any, pad: int) -> Any:
        moved = lax.conv_general_dilated(given, weight, (2, 2), ((pad, pad),) * 2)
        made = numpy.tanh(moved + bias[:, None, None])
        return lax.reduce_window(made, -numpy.inf, lax.max, (1, 1, 2, 2), (1, 1, 1, 1), "VALID")

    def margins(weights: Any, given: Any) -> Any:
        if kind == "mlp":
            first = nn.relu(given @ weights[0].T + weights[1])
            return nn.relu(first @ weights[2].T + weights[3]) @ weights[4].T + weights[5]
        seen = convolved(convolved(given, weights[0], weights[1], 2), weights[2], weights[3], 0)
        hidden = numpy.tanh(seen.reshape(len(seen), -1) @ weights[4].T + weights[5])
        return hidden @ weights[6].T + weights[7]

    def loss(weights: Any, given: Any, labels: Any) -> Any:
        return -numpy.take_along_axis(nn.log_softmax(margins(weights, given)), labels[:, None], 1).sum()

    run = loaded.jit(clipping.clipped_grad(loss, l2_clip_norm=CLIP, batch_argnums=(1, 2)))
    return lambda: loaded.block_until_ready(run(weights, x, y))
