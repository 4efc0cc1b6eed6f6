"""Placeholder: the operations of this module come with its room."""

from __future__ import annotations

from collections.abc import Callable

OPS: dict[str, Callable[..., list[bytes]]] = {}
