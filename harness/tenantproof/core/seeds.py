"""One number gives every random choice: child seeds are derived from it by name."""

from __future__ import annotations

import hashlib
import random
import uuid


def child_seed(seed: int, *path: object) -> int:
    """A 64-bit seed for one purpose, independent of the order in which purposes are asked for."""
    text = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def child_random(seed: int, *path: object) -> random.Random:
    """A private generator for one purpose."""
    return random.Random(child_seed(seed, *path))


def child_uuid(seed: int, *path: object) -> str:
    """A version 4 shaped uuid that is a function of seed and purpose."""
    text = "/".join(map(str, (seed, *path)))
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


DEFAULT_SEED = 20260101
"""The seed of a run for which nobody chose one: the same every time, so that runs can be compared."""
