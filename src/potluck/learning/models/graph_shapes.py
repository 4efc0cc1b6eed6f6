"""What of a graph does not fit a plan's columns, its tokenizers and its target: inputs by name, shapes, logits."""

from collections.abc import Iterator

from potluck.core.visible import visible
from potluck.learning.data.encode import Encoding, tensors, worded
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.target import Goal
from potluck.learning.data.texts.cells import MASK
from potluck.learning.data.texts.worded import Tokenizers
from potluck.learning.graph.file import Network
from potluck.learning.graph.value import FLOATS


def shape_faults(network: Network, how: Encoding, target: Goal, tokenizers: Tokenizers) -> Iterator[str]:
    """What of a graph does not fit a plan's columns and its target."""
    graph, values = network.graph, network.checked.values
    wanted, features = tensors(how), len(how.names)
    inputs = {one.name for one in graph.inputs}
    texts = {one.name for one in worded(how)}
    masks = {f"{name}{MASK}": wanted[name] for name in texts if f"{name}{MASK}" in inputs - set(wanted)}
    texts, wanted = texts | set(masks), wanted | masks
    if features or not wanted:
        wanted[FEATURES] = (features,)
    hint = f"make it with {' '.join(_input(name, shape, name in texts) for name, shape in wanted.items())}"
    if inputs != set(wanted):
        what = f"it takes {', '.join(one.name for one in graph.inputs)}, and the plan gives {', '.join(wanted)}"
        yield f"model.graph: {visible(what)}. hint: {hint}"
        return
    for name, shape in wanted.items():
        given = values[name]
        fits = given.dtype == "int64" if name in texts else given.dtype in FLOATS
        if not fits or given.shape != (1, *shape):
            found = ", ".join(("b", *map(str, given.shape[1:])))
            of = f"[b, {', '.join(map(str, shape))}] of {visible(name)}"
            gives = f"{features} features" if name == FEATURES else of
            yield f"model.graph: it takes {given.dtype} [{found}], and the plan has {gives}. hint: {hint}"
    yield from _tokens(network, how, tokenizers)
    made = values[graph.output].shape
    if not target.apart:
        yield from _next_tokens(made, how, target, tokenizers)
    elif made != (1, target.outputs):
        several = f"{target.outputs} {target.side}"
        of = {"binary": "two sides", "number": "a number"}.get(target.side, several)
        what = f"it makes [b, {', '.join(map(str, made[1:]))}], and the target has {of}"
        yield f"model.graph: {what}. hint: logits [b, {target.outputs}]; or another data.target"


def _next_tokens(made: tuple[int, ...], how: Encoding, target: Goal, tokenizers: Tokenizers) -> Iterator[str]:
    """What of a graph's output does not fit the tokens of the text that it is to say. made: for a batch of one row."""
    one = next(field for field in worded(how) if field.name == target.column)
    known = tokenizers.get(one.tokenizer or "")
    if known is None:  # which `_tokens` says
        return
    wanted = one.length or 0, known.vocabulary
    if made[1:] == wanted:
        return
    place = f"logits [b, {wanted[0]}, {wanted[1]}], at each place of {visible(one.name)} one for each token there is"
    more = len(made) == 3 and made[1] == wanted[0] and made[2] > wanted[1]
    hint = f"{place}; leave out the further ones: logits[..., :{wanted[1]}]" if more else place
    what = f"it makes [b, {', '.join(map(str, made[1:]))}], and next tokens are of {wanted[1]} in {wanted[0]} places"
    yield f"model.graph: {what}. hint: {hint}"


def _tokens(network: Network, how: Encoding, tokenizers: Tokenizers) -> Iterator[str]:
    """What of a graph does not fit the tokenizers of texts: a token without a place would end a whole batch."""
    below = network.checked.below
    for one in worded(how):
        at, found, most = f"data.columns.{one.name}", tokenizers.get(one.tokenizer or ""), below.get(one.name)
        if found is None:
            yield f'{at}.tokenizer: is not here. hint: tokenizer = "tokenizer.json", beside the plan'
            continue
        if most is not None and most < found.vocabulary:
            what = f"the graph has a table of {most} tokens, and its tokenizer gives {found.vocabulary}"
            yield f"{at}.tokenizer: {visible(what)}. hint: the tokenizer that the graph was made for"
        if below.get(f"{one.name}{MASK}", 2) < 2:
            what = f"the graph looks in a table of one row for what is 0 or 1, {visible(one.name)}{MASK}"
            yield f"{at}: {what}. hint: a table of two rows"
        if (one.length or 0) <= found.own:
            yield f"{at}.length: its tokenizer puts {found.own} tokens around each text. hint: a larger length"


def _input(name: str, shape: tuple[int, ...], whole: bool) -> str:
    """An input as `potluck graph make` takes it. whole: of whole numbers."""
    return f"--input {visible(name)}={','.join(map(str, shape))}{':int64' if whole else ''}"
