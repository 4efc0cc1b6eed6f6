"""Features of pictures by which nothing is learnt: scattering coefficients of order 0, 1 and 2, normalised in groups.

A picture goes through Morlet wavelets of two scales and eight directions, their moduli through those of the larger
scale, and all of it is smoothed: 81 channels of 7 x 7. Each three channels are brought to mean 0 and variance 1 in each
picture, as GroupNorm does. So a site makes features of its pictures by itself, from nobody's rows but each one's own.
References: Bruna, Mallat 2013, "Invariant Scattering Convolution Networks" (the transform; filters as kymatio has
them); Tramer, Boneh 2021, arXiv 2011.11660 (noised linear models of these features, with 27 groups).
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fashion import CLASSES, Pictures

SIDE, PAD, SCALE, ANGLES, GROUPS = 28, 4, 2, 8, 27
WIDE = SIDE + 2 * PAD
CHANNELS, LEFT = 1 + SCALE * ANGLES + ANGLES * ANGLES, SIDE >> SCALE
COUNT = CHANNELS * LEFT * LEFT
MOST = math.sqrt(CHANNELS // GROUPS * LEFT * LEFT - 1)
"""No number of so many with mean 0 and variance 1 is larger."""
AT_ONCE = 100


def features(some: Pictures) -> NDArray[np.float32]:
    """[n, 28, 28] -> [n, 3969], each within MOST."""
    import torch

    found = np.empty((len(some), COUNT), np.float32)
    with torch.no_grad():
        for start in range(0, len(some), AT_ONCE):
            part = torch.from_numpy(some[start : start + AT_ONCE] / np.float32(255))
            made = torch.nn.functional.group_norm(_coefficients(part), GROUPS)
            found[start : start + len(part)] = made.reshape(len(part), -1).numpy()
    return found


def linear() -> Any:
    """One layer on features, as a plan scales them to [-1, 1]; it begins at zero, and undoes the scale."""
    import torch

    class Wide(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * MOST

    layer = torch.nn.Linear(COUNT, CLASSES)
    for one in layer.parameters():
        torch.nn.init.zeros_(one)
    return torch.nn.Sequential(Wide(), layer)


def _coefficients(some: Any) -> Any:
    """[b, 28, 28] -> [b, 81, 7, 7]."""
    import torch

    small, large = (torch.from_numpy(_wavelets(scale)) for scale in range(SCALE))
    whole, half = (torch.from_numpy(_smoothing(1 << scale)) for scale in range(SCALE))
    padded = torch.nn.functional.pad(some[:, None], (PAD,) * 4, mode="reflect")
    spectrum = torch.fft.fft2(padded)
    first = torch.fft.ifft2(spectrum * small).abs()
    coarse = _halved(spectrum * large)
    second = _halved(torch.fft.fft2(first)[:, :, None] * large)
    parts = [part.flatten(-2).flatten(1, -2) @ low for part, low in (
        (padded, whole), (first, whole), (coarse, half), (second, half))]  # fmt: skip
    return torch.cat(parts, 1).reshape(len(some), CHANNELS, LEFT, LEFT)


def _halved(spectrum: Any) -> Any:
    """The modulus at every second place, of a spectrum [..., 36, 36]."""
    import torch

    kept = WIDE // 2
    folded = spectrum.reshape(*spectrum.shape[:-2], 2, kept, 2, kept).mean((-4, -2))
    return torch.fft.ifft2(folded).abs()


@lru_cache
def _wavelets(scale: int) -> NDArray[np.complex64]:
    """[8, 36, 36]: spectra of Morlet wavelets, which have no mean."""
    found = []
    for place in range(ANGLES):
        angle = (ANGLES // 2 - 1 - place) * math.pi / ANGLES
        wave, hill = (_gabor(0.8 * 2**scale, angle, xi, 4 / ANGLES) for xi in (0.75 * math.pi / 2**scale, 0.0))
        found.append(np.fft.fft2(wave - wave.sum() / hill.sum() * hill))
    return np.array(found, np.complex64)


@lru_cache
def _smoothing(step: int) -> NDArray[np.float32]:
    """[pixels, 49]: what a Gaussian leaves of a picture of 36 / step pixels a side, at every fourth of 36, without what
    was padded."""
    side = WIDE // step
    spectrum = np.fft.fft2(_gabor(0.8 * 2 ** (SCALE - 1), 0.0, 0.0, 1.0))
    folded = spectrum.reshape(step, side, step, side).sum((0, 2))
    each = np.eye(side * side).reshape(-1, side, side)
    smooth = np.fft.ifft2(np.fft.fft2(each) * folded).real
    every = (1 << SCALE) // step
    kept = smooth[:, ::every, ::every][:, 1:-1, 1:-1]
    return kept.reshape(side * side, -1).astype(np.float32)


def _gabor(sigma: float, angle: float, xi: float, slant: float) -> NDArray[np.complex128]:
    """[36, 36]: a wave of frequency xi under a Gaussian, on a torus."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    curve = turn @ np.diag([1.0, slant**2]) @ turn.T / (2 * sigma**2)
    found = np.zeros((WIDE, WIDE), np.complex128)
    for down in range(-2, 3):
        for right in range(-2, 3):
            y, x = np.mgrid[down * WIDE : (down + 1) * WIDE, right * WIDE : (right + 1) * WIDE]
            hill = curve[0, 0] * y * y + 2 * curve[0, 1] * y * x + curve[1, 1] * x * x
            found += np.exp(-hill + 1j * xi * (y * math.cos(angle) + x * math.sin(angle)))
    return found * slant / (2 * math.pi * sigma**2)
