"""The networks that groups train, as torch modules: made anew from a seed. torch is imported when one is made."""

from itertools import pairwise
from pathlib import Path
from typing import Any

TOKENS, WIDTH, RANK = 32, 384, 8


def few_weights() -> Any:
    """A CNN of 52,000 weights for pictures of 28 x 28 and ten kinds, which takes little time."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10))


def residual() -> Any:
    """A ResNet with GroupNorm (three stages of two blocks, 175,000 weights) for pictures of 28 x 28 and ten kinds."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.first, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.GroupNorm(4, after)
            self.second, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.GroupNorm(4, after)
            same = before == after
            self.short: Any = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.second(torch.relu(self.norm1(self.first(x)))))
            return torch.relu(y + self.short(x))

    torch.manual_seed(0)
    widths = (16, 16, 16, 32, 32, 64, 64)
    blocks = [Block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    stem = [nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.GroupNorm(4, 16), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def minilm(weights: Path) -> Any:
    """MiniLM (BERT, 6 layers of 384) with its own weights, frozen, and adapters of rank 8 beside queries, keys and
    values; two classes from the mean over tokens: 111,362 weights that train.

    Rows are the places of 32 tokens, all of them real.
    """
    import torch
    from safetensors.torch import load_file
    from torch import nn
    from torch.nn import functional

    held = load_file(weights)

    def frozen(name: str) -> Any:
        after, before = held[f"{name}.weight"].shape
        layer = nn.Linear(before, after)
        layer.weight, layer.bias = (nn.Parameter(held[f"{name}.{one}"], False) for one in ("weight", "bias"))
        return layer

    def norm(name: str) -> Any:
        layer = nn.LayerNorm(WIDTH, 1e-12)
        layer.weight, layer.bias = (nn.Parameter(held[f"{name}.{one}"], False) for one in ("weight", "bias"))
        return layer

    def table(name: str) -> Any:
        weight = held[f"embeddings.{name}_embeddings.weight"]
        layer = nn.Embedding(*weight.shape)
        layer.weight = nn.Parameter(weight, False)
        return layer

    class Adapted(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.base, self.down = frozen(name), nn.Linear(WIDTH, RANK, bias=False)
            self.up = nn.Linear(RANK, WIDTH, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x: Any) -> Any:
            return self.base(x) + self.up(self.down(x))

    class Layer(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.q, self.k, self.v = (Adapted(f"{name}.attention.self.{one}") for one in ("query", "key", "value"))
            self.out, self.norm1 = frozen(f"{name}.attention.output.dense"), norm(f"{name}.attention.output.LayerNorm")
            self.wide, self.narrow = frozen(f"{name}.intermediate.dense"), frozen(f"{name}.output.dense")
            self.norm2 = norm(f"{name}.output.LayerNorm")

        def forward(self, x: Any) -> Any:
            q, k, v = (one(x).view(-1, TOKENS, 12, 32).transpose(1, 2) for one in (self.q, self.k, self.v))
            seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, TOKENS, WIDTH)
            x = self.norm1(x + self.out(seen))
            return self.norm2(x + self.narrow(functional.gelu(self.wide(x))))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places, self.kinds = (table(one) for one in ("word", "position", "token_type"))
            self.register_buffer("order", torch.arange(TOKENS))
            self.norm = norm("embeddings.LayerNorm")
            self.layers = nn.ModuleList(Layer(f"encoder.layer.{place}") for place in range(6))
            self.head = nn.Linear(WIDTH, 2)

        def forward(self, x: Any) -> Any:
            x = self.norm(self.words(x) + self.places(self.order) + self.kinds.weight[0])
            for layer in self.layers:
                x = layer(x)
            return self.head(x.mean(1))

    torch.manual_seed(0)
    return Encoder()


def made(what: str, weights: str) -> Any:
    """A module by its name; weights: the file of MiniLM's, which it alone needs."""
    return minilm(Path(weights)) if what == "minilm" else {"few": few_weights, "residual": residual}[what]()
