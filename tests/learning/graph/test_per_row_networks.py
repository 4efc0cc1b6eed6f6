"""Clipped sums of whole networks beside vmap over torch's own modules, and what no row may do to another."""

import json

import pytest
import torch
from torch.func import functional_call, grad, vmap

from potluck.core.errors import GraphError
from potluck.learning.graph.check import check
from potluck.learning.graph.interpreter import program
from potluck.learning.graph.per_row import RULES
from potluck.learning.graph.per_row.gradients import gradients
from potluck.learning.graph.per_row.pieces import Laid, Outer
from potluck.learning.graph.per_row.uses import uses
from support.graph.modules import CASES, SOME_SLOW, Case
from support.graph.rows_alone import alone, compared, lost, norms, units
from support.graph.running import graph, network, node, ready, same
from support.graph.scenes import X, v
from support.places import TESTS

pytestmark = pytest.mark.torch
ROWS = 6
OPACUS = json.loads((TESTS / "support/graph/opacus.json").read_text(encoding="utf-8"))["networks"]
"""What opacus 1.6.0 finds by hooks (GradSampleModule), in float64 and with nothing dropped, of networks that it takes:
norms of rows, and sums that are clipped at their median. Tied weights it refuses, and of a table that is looked up once
for all rows, as places in `bert`, it takes the batch's gradient for that of each row."""


def case(name):
    return next(one for one in CASES if one.name == name)


def inputs(one: Case, rows=ROWS, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(0, 12, (rows, *given.shape), generator=draw)
        if given.dtype == "int64"
        else torch.randn((rows, *given.shape), generator=draw)
        for name, given in one.inputs.items()
    }


def prepared(name):
    made, weights = ready(network(name))
    trained = [one.name for one in made.graph.weights if one.train]
    return made, {key: one.detach() for key, one in weights.items()}, trained


def found(name, given, there=None, **more):
    made, weights, trained = prepared(name)
    there = torch.ones(len(next(iter(given.values()))), dtype=torch.bool) if there is None else there
    return gradients(uses(made, trained), weights, given, lost, there, train=False, **more)


def by_vmap(one: Case, given):
    """Of eager torch: nothing of a graph."""
    module = one.make().eval()
    moved = {name: part.detach() for name, part in module.named_parameters() if part.requires_grad}
    held = {name: part.detach() for name, part in module.named_parameters() if not part.requires_grad}

    def value(moved, *row):
        return lost(functional_call(module, (moved | held), tuple(part[None] for part in row)))[0]

    torch.backends.mha.set_fastpath_enabled(False)
    try:
        laid = vmap(grad(value), in_dims=(None, *[0] * len(given)), randomness="error")(moved, *given.values())
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return list(moved), [[laid[name][i] for name in moved] for i in range(ROWS)]


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of torch's own attention under vmap
@pytest.mark.parametrize("one", SOME_SLOW)
def test_clipped_sums_of_every_architecture_are_those_of_vmap(one):
    given = inputs(one)
    names, rows = by_vmap(one, given)
    wanted = units(rows, 1)
    real = norms(wanted)
    clip = float(real.median())
    mine = found(one.name, given)
    assert sorted(mine.pieces) == sorted(names)
    assert ((mine.norms - real).abs() <= 1e-5 * real).all()
    factors, clipped = (clip / real).clamp(max=1.0), mine.clipped(clip)
    assert (factors < 1).any()
    weight = float((factors * real).sum())
    for i, name in enumerate(names):
        total = sum(float(factor) * row[i] for factor, row in zip(factors, wanted, strict=True))
        assert float((clipped[name].double() - total).norm()) <= 1e-5 * weight, name


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in ("mlp", "cnn", "vit") else pytest.mark.slow) for one in OPACUS]
)
def test_norms_and_clipped_sums_are_those_of_opacus(name):
    """Of each weight's clipped sum its norm, and its product with numbers from -1 to 1."""
    wanted, mine = OPACUS[name], found(name, inputs(case(name)))
    real = torch.tensor(wanted["norms"], dtype=torch.float64)
    assert torch.allclose(mine.norms, real, rtol=1e-5, atol=0)
    clip = float(real.median())
    near = 1e-5 * float(real.clamp(max=clip).sum())
    clipped = mine.clipped(clip)
    assert sorted(clipped) == sorted(wanted["sums"])
    for key, (norm, product) in wanted["sums"].items():
        flat = clipped[key].double().flatten()
        line = torch.linspace(-1, 1, len(flat), dtype=torch.float64) if len(flat) > 1 else torch.ones(1).double()
        assert float(flat.norm()) == pytest.approx(norm, abs=near), key
        assert float(flat @ line) == pytest.approx(product, abs=near * float(line.norm())), key


@pytest.mark.parametrize("name", ["vit", "lora", pytest.param("bert", marks=pytest.mark.slow)])
def test_some_weights_alone_train_and_rows_of_a_person_are_one_unit(name):
    made, weights, trained = prepared(name)
    compared(made, weights, inputs(case(name)), trained[::3], each=2)


def test_no_gradient_of_a_wide_layer_is_laid_out():
    made = network("mlp")
    pieces = found("mlp", inputs(case("mlp"))).pieces
    for one in made.graph.weights:
        assert isinstance(pieces[one.name], Outer if len(one.shape) == 2 else Laid)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1e38], ids=["nan", "inf", "huge"])
@pytest.mark.parametrize("name", ["mlp", "resnet", "vit"])
def test_a_row_that_is_not_finite_counts_as_zero_and_moves_no_other(name, bad):
    given = inputs(case(name))
    poisoned = {key: one.clone() for key, one in given.items()}
    for one in poisoned.values():
        one[2].flatten()[0] = bad
    before, after = found(name, given), found(name, poisoned)
    clip = float(before.norms.median())
    kept = torch.arange(ROWS) != 2
    factors = after.factors(clip, double=False)
    if torch.isfinite(after.norms[2]) and after.sound[2]:  # a norm took the large number away
        assert name != "mlp"
        assert bad == -1e38
        return
    assert factors[2] == 0
    assert same(factors[kept], before.factors(clip, double=False)[kept])
    without = found(name, given, there=kept)
    for double in (False, True):
        sums, wanted = (one.clipped(clip, double=double) for one in (after, without))
        for key, one in sums.items():
            assert torch.isfinite(one).all()
            assert torch.allclose(one, wanted[key], rtol=0, atol=1e-5 * clip)


@pytest.mark.parametrize(
    "name",
    ["mlp", "cnn", "gpt2", "vit", *(pytest.param(one, marks=pytest.mark.slow) for one in ("llama", "unet", "resnet"))],
)
def test_a_units_norm_and_factor_keep_their_bits_whatever_the_others_are(name):
    first, second = inputs(case(name), 16), inputs(case(name), 16, seed=2)
    mixed = {key: second[key].clone() for key in first}
    for key, one in mixed.items():
        one[5] = first[key][5]
    before, after = found(name, first), found(name, mixed)
    clip = float(before.norms.median())
    for one, other in ((before.norms, after.norms), (before.reaches, after.reaches)):
        assert same(one[5], other[5])
        assert not same(one, other)
    assert same(before.factors(clip, double=False)[5], after.factors(clip, double=False)[5])


@pytest.mark.parametrize("name", ["mlp", "gpt2", "llama"])
def test_a_sum_of_floats_is_within_its_bound_of_the_sum_in_float64(name):
    mine = found(name, inputs(case(name), 64))
    clip = float(mine.norms.median())
    factors = mine.factors(clip, double=False)
    apart = sum(
        float((one.total(factors).double() - one.total(factors.double())).square().sum())
        for one in mine.pieces.values()
    )
    assert 0 < apart**0.5 <= mine.error(clip, double=False)


def test_an_absent_row_adds_nothing_and_is_no_unit():
    given, there = inputs(case("mlp")), torch.tensor([True, False, True, True, False, False])
    some = found("mlp", given, there=there, each=2)
    assert some.there.tolist() == [True, True, False]
    rows = alone(*prepared("mlp")[:2], given, prepared("mlp")[2])
    wanted = [rows[0], [a + c for a, c in zip(rows[2], rows[3], strict=True)]]
    assert torch.allclose(some.norms[:2], norms(wanted).double(), rtol=1e-5)
    total = some.clipped(1e9)
    for i, name in enumerate(prepared("mlp")[2]):
        assert torch.allclose(total[name], wanted[0][i] + wanted[1][i], rtol=1e-5, atol=1e-6)


def attention(drop):
    """Its bias trains, and it may drop out."""
    nodes = (node("scaled_dot_product_attention", X, X, X, v("w"), drop, out="y"),)
    return program(check(graph({"x": ("float32", (2, 3, 4))}, nodes, "y", {"w": ("float32", (3, 3))})))


def test_a_node_that_draws_and_has_no_rule_is_refused():
    assert uses(attention(0.0), ["w"]).at
    with pytest.raises(GraphError, match=r"node 1 \(scaled_dot_product_attention\): each row's gradient.*frozen"):
        uses(attention(0.1), ["w"])
    assert not uses(attention(0.1), []).at


def test_weights_that_the_graph_lacks_are_refused():
    with pytest.raises(GraphError, match="no weights other"):
        uses(attention(0.0), ["other"])


def test_what_would_be_laid_out_beyond_a_bound_is_refused():
    nodes = (
        node("permute", v("w"), (1, 0), out="a"),
        node("matmul", X, v("a"), out="y"),
    )
    made = program(check(graph({"x": ("float32", (4,))}, nodes, "y", {"w": ("float32", (5, 4))})))
    weights, given = {"w": torch.ones(5, 4)}, {"x": torch.ones(3, 4)}
    there = torch.ones(3, dtype=torch.bool)
    assert gradients(uses(made, ["w"]), weights, given, lost, there, most=60).terms == 1
    with pytest.raises(GraphError, match=r"60 numbers of gradients.*fewer rows"):
        gradients(uses(made, ["w"]), weights, given, lost, there, most=59)


@pytest.mark.parametrize("name", ["mlp", pytest.param("resnet", marks=pytest.mark.slow), "vit"])
def test_without_any_rule_the_same_follows_from_torchs_derivative_of_each_node(name, monkeypatch):
    for word in RULES.words():
        monkeypatch.delitem(RULES.entries, word)
    made, weights, trained = prepared(name)
    plain = compared(made, weights, inputs(case(name)), trained)
    assert {type(one) for one in plain.pieces.values()} == {Laid}
