"""Small networks of the kinds that people bring, as torch modules: each with what it takes."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from potluck.learning.graph.make.exported import InputShape


@dataclass(frozen=True)
class Case:
    """A module, made anew from a seed, and its inputs."""

    name: str
    module: Callable[[], nn.Module]
    inputs: dict[str, InputShape]

    def make(self) -> nn.Module:
        torch.manual_seed(0)
        return self.module()


def floats(*shape: int) -> InputShape:
    return InputShape("float32", shape)


def whole(*shape: int) -> InputShape:
    return InputShape("int64", shape)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.GroupNorm(2, after)
        self.conv2, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.GroupNorm(2, after)
        self.relu = nn.ReLU(inplace=True)
        self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.GroupNorm(2, after))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        y += self.short(x)
        return self.relu(y)


class ResNet(nn.Module):
    """With GroupNorm. deep: the stem and pool of a resnet18."""

    def __init__(self, widths: tuple[int, ...], deep: bool) -> None:
        super().__init__()
        first = widths[0]
        stem = [nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.GroupNorm(2, first), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1)) if deep else nn.Conv2d(3, first, 3, padding=1)
        strides = [1] + [2] * (len(widths) - 1)
        pairs = zip((first, *widths), widths, strides, strict=False)
        self.blocks = nn.Sequential(*(Block(before, after, stride) for before, after, stride in pairs))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(widths[-1], 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding="same"), nn.Conv2d(4, 8, 3, padding=1)
        self.norm, self.pool = nn.InstanceNorm2d(8, affine=True), nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.join, self.out = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.leaky_relu(self.down1(x), 0.1)
        b = F.elu(self.norm(self.down2(self.pool(a))))
        c = torch.cat([self.up(b), a], dim=1)
        smooth = F.interpolate(b[:, :4], scale_factor=2, mode="bilinear", align_corners=False)
        sharp = F.interpolate(b[:, 4:], scale_factor=2, mode="nearest")
        return self.out(torch.cat([F.silu(self.join(c)) + smooth, sharp], 1)).mean((2, 3))


def cnn1d() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(2, 6, 5, padding=2), nn.ELU(), nn.MaxPool1d(2), nn.Conv1d(6, 6, 3, dilation=2, groups=2)),
        *(nn.GELU(), nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(12, 2)),
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 8, 2, 2), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Conv2d(4, 8, 4, 2), nn.Tanh()),
        *(nn.AvgPool2d(2, 1, ceil_mode=True), nn.Flatten(), nn.Linear(32, 10)),
    )


class ViT(nn.Module):
    """Patches by a convolution, a token for the class, attention of torch's own encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.cls, self.positions = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depth, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.narrow(F.gelu(self.wide(y)))).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    blocks = (ConvNeXtBlock(8), ConvNeXtBlock(8))
    return nn.Sequential(nn.Conv2d(3, 8, 2, 2), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


class Attention(nn.Module):
    """Heads over one joint projection. manual: scores, mask and softmax written out."""

    def __init__(self, width: int, heads: int, tokens: int, *, causal: bool, manual: bool = False) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.causal, self.manual = heads, causal, manual
        self.register_buffer("mask", torch.tril(torch.ones(tokens, tokens)).view(1, 1, tokens, tokens))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        b, t, d = x.shape
        q, k, v = (one.view(b, t, self.heads, d // self.heads).transpose(1, 2) for one in self.qkv(x).split(d, dim=2))
        if self.manual:
            scores = (q @ k.transpose(-2, -1)) * (1.0 / (d // self.heads) ** 0.5)
            scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
            y = F.softmax(scores, dim=-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, bias, is_causal=self.causal)
        return self.out(y.transpose(1, 2).contiguous().view(b, t, d))


class Bert(nn.Module):
    """Words, places and segments; a mask from which words are there; pooled over the words that are."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, 8, padding_idx=0), nn.Embedding(6, 8)
        self.kinds = nn.Embedding(2, 8)
        self.register_buffer("place_ids", torch.arange(6).unsqueeze(0))
        self.register_buffer("kind_ids", torch.zeros(1, 6, dtype=torch.long))
        self.norm, self.drop = nn.LayerNorm(8, eps=1e-12), nn.Dropout(0.1)
        self.attend, self.norm1 = Attention(8, 2, 6, causal=False), nn.LayerNorm(8)
        self.wide, self.narrow, self.norm2 = nn.Linear(8, 16), nn.Linear(16, 8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 2)

    def forward(self, ids: Tensor, there: Tensor) -> Tensor:
        there = (there > -1).float()
        x = self.words(ids) + self.places(self.place_ids) + self.kinds(self.kind_ids)
        x = self.drop(self.norm(x))
        bias = (1.0 - there[:, None, None, :]) * torch.finfo(torch.float32).min
        x = self.norm1(x + self.attend(x, bias))
        x = self.norm2(x + self.narrow(F.gelu(self.wide(x))))
        weight = there.unsqueeze(-1).expand(x.size())
        pooled = (x * weight).sum(1) / torch.clamp(weight.sum(1), min=1e-9)
        return self.head(pooled)


class Gpt2(nn.Module):
    """The words' table is also the last layer; projections as `addmm`; GELU by its tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(16, 8), nn.Embedding(5, 8)
        self.norm1, self.attend = nn.LayerNorm(8), Attention(8, 2, 5, causal=True, manual=True)
        self.norm2, self.norm = nn.LayerNorm(8), nn.LayerNorm(8)
        self.wide, self.wide_bias = nn.Parameter(torch.randn(8, 16) * 0.1), nn.Parameter(torch.zeros(16))
        self.narrow = nn.Linear(16, 8)
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        place = torch.arange(ids.shape[1])
        x = self.words(ids) + self.places(place)
        x = x + self.attend(self.norm1(x))
        y = self.norm2(x)
        y = torch.addmm(self.wide_bias, y.view(-1, 8), self.wide).view(y.shape[0], y.shape[1], 16)
        y = 0.5 * y * (1.0 + torch.tanh(0.7978845608 * (y + 0.044715 * torch.pow(y, 3.0))))
        return self.head(self.norm(x + self.narrow(y)))


class RmsNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Llama(nn.Module):
    """Places by rotation, fewer heads of keys than of queries, a gated layer, RMS norms."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm1, self.norm2 = nn.Embedding(16, 8), RmsNorm(8), nn.RMSNorm(8)
        self.q, self.k, self.v = nn.Linear(8, 8, False), nn.Linear(8, 4, False), nn.Linear(8, 4, False)
        self.o = nn.Linear(8, 8, False)
        self.gate, self.up, self.down = nn.Linear(8, 12, False), nn.Linear(8, 12, False), nn.Linear(12, 8, False)
        self.head = nn.Linear(8, 16, False)
        angles = torch.outer(torch.arange(6.0), 1.0 / 100 ** (torch.arange(0, 4, 2) / 4)).repeat(1, 2)
        self.register_buffer("angles", angles)

    def rotated(self, x: Tensor) -> Tensor:
        half = torch.cat((-x[..., 2:], x[..., :2]), dim=-1)
        return x * self.angles.cos() + half * self.angles.sin()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        b, t, _ = x.shape
        y = self.norm1(x)
        q = self.rotated(self.q(y).view(b, t, 2, 4).transpose(1, 2))
        k = self.rotated(self.k(y).view(b, t, 1, 4).transpose(1, 2))
        v = self.v(y).view(b, t, 1, 4).transpose(1, 2)
        k, v = (one[:, :, None].expand(b, 1, 2, t, 4).reshape(b, 2, t, 4) for one in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, 8)
        x = x + self.o(y)
        y = self.norm2(x)
        return self.head(x + self.down(F.silu(self.gate(y)) * self.up(y)))


class Decoder(nn.Module):
    """torch's own decoder layer over a learnt memory, with its causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.memory = nn.Embedding(12, 8), nn.Linear(3, 8)
        self.layer = nn.TransformerDecoderLayer(8, 2, 16, 0.1, batch_first=True)
        self.head = nn.Linear(8, 12)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(5))

    def forward(self, ids: Tensor, seen: Tensor) -> Tensor:
        return self.head(self.layer(self.words(ids), self.memory(seen), tgt_mask=self.mask))


class Lora(nn.Module):
    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Linear(base.in_features, 2, bias=False)
        self.b = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.b(self.a(F.dropout(x, 0.1, self.training))) * 2.0


def lora() -> nn.Module:
    return nn.Sequential(Lora(nn.Linear(6, 8)), nn.SiLU(), Lora(nn.Linear(8, 8)), nn.SiLU(), nn.Linear(8, 2))


def cnn3d() -> nn.Module:
    return nn.Sequential(
        *(
            nn.Conv3d(1, 4, 3, padding=1),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.MaxPool3d(2),
            nn.ConvTranspose3d(4, 2, 2, 2),
        ),
        *(nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(2, 2)),
    )


CASES = (
    Case("mlp", mlp, {"features": floats(5)}),
    Case("resnet", lambda: ResNet((4, 8), False), {"image": floats(3, 8, 8)}),
    Case("resnet18", lambda: ResNet((4, 4, 8, 8), True), {"image": floats(3, 32, 32)}),
    Case("unet", UNet, {"image": floats(1, 8, 8)}),
    Case("cnn1d", cnn1d, {"signal": floats(2, 24)}),
    Case("cnn", cnn, {"image": floats(1, 20, 20)}),
    Case("vit", ViT, {"image": floats(3, 8, 8)}),
    Case("convnext", convnext, {"image": floats(3, 8, 8)}),
    Case("bert", Bert, {"ids": whole(6), "there": floats(6)}),
    Case("gpt2", Gpt2, {"ids": whole(5)}),
    Case("llama", Llama, {"ids": whole(6)}),
    Case("decoder", Decoder, {"ids": whole(5), "seen": floats(4, 3)}),
    Case("lora", lora, {"features": floats(6)}),
    Case("cnn3d", cnn3d, {"scan": floats(1, 6, 6, 6)}),
)
FEW = ("mlp", "resnet", "vit", "gpt2")
"""Of these the fast tests look at what needs many runs of a graph."""
SOME_SLOW = [pytest.param(one, id=one.name, marks=() if one.name in FEW else pytest.mark.slow) for one in CASES]
