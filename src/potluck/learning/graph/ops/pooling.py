"""Pools and resampling over one, two and three axes. Rows are the first axis, and each is pooled alone."""

from collections.abc import Callable, Sequence
from math import floor, prod

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, batch_first, floating
from potluck.learning.graph.schema import MOST_NUMBER
from potluck.learning.graph.value import Misfit, Value


def _image(bound: Bound, axes: int, name: str = "self") -> Value:
    return batch_first(floating(bound.value(name), name), axes + 2, name)


def _pooled(
    value: Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    spread: Sequence[int],
    ceil: bool,
) -> Value:
    sizes = []
    for size, width, step, pad, gap in zip(value.shape[2:], kernel, stride, padding, spread, strict=True):
        if 2 * pad > width:
            raise Misfit("padding has to be at most half of the kernel")
        if pad and gap > size:  # torch goes back from it to a place outside of memory
            raise Misfit("a window would lie within the padding alone", "dilation at most the size of the input")
        left = size + 2 * pad - gap * (width - 1) - 1
        made = (left + (step - 1 if ceil else 0)) // step + 1
        # torch leaves out a window that would begin in the padding on the right.
        sizes.append(made - 1 if ceil and (made - 1) * step >= size + pad else made)
        if left < 0 or sizes[-1] < 1:
            raise Misfit("the kernel is larger than its input")
    return value.with_shape((*value.shape[:2], *sizes))


def _max_pool(axes: int) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, kernel = _image(bound, axes), bound.spatial("kernel_size", axes, 1)
        stride = bound.spatial("stride", axes, 1) if bound.wholes("stride", 1) else kernel
        padding, spread = bound.spatial("padding", axes, 0, 0), bound.spatial("dilation", axes, 1, 1)
        return (_pooled(value, kernel, stride, padding, spread, bound.flag("ceil_mode", False)),)

    def cost(bound: Bound, out: Outputs) -> Cost:
        places, flat = _windows(axes)(bound, out), axes == 2
        # Pictures are turned, and what was turned is kept.
        return Cost(places.flops, places.kept + (bound.value("self").size + out[0].size if flat else 0))

    names = ("self", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    return Op(f"max_pool{axes}d.default", names, 2, rule, cost, last=axes == 2)


def _avg_pool(axes: int) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, kernel = _image(bound, axes), bound.spatial("kernel_size", axes, 1)
        stride = bound.spatial("stride", axes, 1) if bound.wholes("stride", 1) else kernel
        padding, ceil = bound.spatial("padding", axes, 0, 0), bound.flag("ceil_mode", False)
        bound.flag("count_include_pad", True)
        if axes > 1:
            bound.absent("divisor_override")
        return (_pooled(value, kernel, stride, padding, (1,) * axes, ceil),)

    names = ("self", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    more = ("divisor_override",) if axes > 1 else ()
    return Op(f"avg_pool{axes}d.default", (*names, *more), 2, rule, _windows(axes))


def _windows(axes: int) -> Callable[[Bound, Outputs], Cost]:
    def cost(bound: Bound, out: Outputs) -> Cost:
        # Places of maxima are kept, as whole numbers.
        return Cost(out[0].size * prod(bound.spatial("kernel_size", axes, 1)), kept=2 * out[0].size)

    return cost


def _adaptive(axes: int) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, sizes = _image(bound, axes), bound.spatial("output_size", axes, 1)
        return (value.with_shape((*value.shape[:2], *sizes)),)

    def cost(bound: Bound, out: Outputs) -> Cost:
        return Cost(2 * (bound.value("self").size + out[0].size) * 2**axes)

    return Op(f"adaptive_avg_pool{axes}d.default", ("self", "output_size"), 2, rule, cost)


def _resampled(run: str, axes: int, *, corners: bool) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, sizes, factors = (
            _image(bound, axes, "input"),
            bound.wholes("output_size", 1),
            bound.numbers("scale_factors"),
        )
        if corners:
            bound.flag("align_corners", False)
        if bool(sizes) == (factors is not None):
            raise Misfit("takes either output_size or scale_factors")
        if factors is not None:
            if len(factors) != axes or not all(0 < one <= MOST_NUMBER for one in factors):
                raise Misfit(f"scale_factors have to be {axes} numbers above 0")
            sizes = tuple(floor(size * factor) for size, factor in zip(value.shape[2:], factors, strict=True))
        if len(sizes) != axes or min(sizes) < 1:
            raise Misfit(f"the result has to have {axes} axes of at least 1")
        return (value.with_shape((*value.shape[:2], *sizes)),)

    names = (
        ("input", "output_size", "align_corners", "scale_factors")
        if corners
        else ("input", "output_size", "scale_factors")
    )
    return Op(run, names, len(names), rule)


MAX_POOL1D, MAX_POOL2D, MAX_POOL3D = _max_pool(1), _max_pool(2), _max_pool(3)
AVG_POOL1D, AVG_POOL2D, AVG_POOL3D = _avg_pool(1), _avg_pool(2), _avg_pool(3)
ADAPTIVE_AVG_POOL1D, ADAPTIVE_AVG_POOL2D, ADAPTIVE_AVG_POOL3D = _adaptive(1), _adaptive(2), _adaptive(3)
UPSAMPLE_LINEAR1D = _resampled("upsample_linear1d.vec", 1, corners=True)
UPSAMPLE_BILINEAR2D = _resampled("upsample_bilinear2d.vec", 2, corners=True)
UPSAMPLE_TRILINEAR3D = _resampled("upsample_trilinear3d.vec", 3, corners=True)
UPSAMPLE_NEAREST1D, UPSAMPLE_NEAREST2D, UPSAMPLE_NEAREST3D = (
    _resampled(f"upsample_nearest{axes}d.vec", axes, corners=False) for axes in (1, 2, 3)
)
