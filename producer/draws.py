"""Random numbers in blocks: drawn by NumPy a few thousand at a time, handed out one by one.

The same seeds give the same numbers. Each kind has its own stream, so that drawing more of one does not move another.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

_BLOCK = 4096
_DASH = ord("-")
_GROUPS = ((0, 0, 4), (9, 4, 6), (14, 6, 8), (19, 8, 10), (24, 10, 16))
"""Where the groups of a UUID's text start, and their bytes from and to."""


class Draws:
    """Streams of random numbers and UUIDs.

    Args:
        seed: what happens is the same for the same seed.
        run: the ids of events and sessions are the same only if this is the same as well; otherwise two runs with one
            seed would send the same event twice.
    """

    def __init__(self, seed: int, run: int) -> None:
        uniforms, normals, users = np.random.SeedSequence(seed).spawn(3)
        (ids,) = np.random.SeedSequence([seed, run]).spawn(1)
        self.uniform = partial(next, _floats(np.random.default_rng(uniforms), normal=False))
        """Next number from [0, 1)."""
        self.normal = partial(next, _floats(np.random.default_rng(normals), normal=True))
        """Next number of the standard normal distribution."""
        self.uuid = partial(next, _uuids(np.random.default_rng(ids)))
        """Next random UUID (version 4) as text."""
        self._users = _uuids(np.random.default_rng(users))

    def user_ids(self, count: int) -> list[str]:
        """The ids of the first `count` users; they depend on the seed alone."""
        return [next(self._users) for _ in range(count)]


def _floats(generator: np.random.Generator, *, normal: bool) -> Iterator[float]:
    while True:
        yield from (generator.standard_normal(_BLOCK) if normal else generator.random(_BLOCK)).tolist()


def _uuids(generator: np.random.Generator) -> Iterator[str]:
    """Formats a block at a time: several times faster than `uuid.uuid4` (RFC 9562, section 5.4)."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    while True:
        raw = generator.integers(0, 256, size=(_BLOCK, 16), dtype=np.uint8)
        raw[:, 6] = raw[:, 6] & 0x0F | 0x40
        raw[:, 8] = raw[:, 8] & 0x3F | 0x80
        text = np.full((_BLOCK, 36), _DASH, dtype=np.uint8)
        for start, first, last in _GROUPS:
            end = start + 2 * (last - first)
            text[:, start:end:2] = digits[raw[:, first:last] >> 4]
            text[:, start + 1 : end : 2] = digits[raw[:, first:last] & 0x0F]
        block = text.tobytes().decode("ascii")
        for start in range(0, len(block), 36):
            yield block[start : start + 36]
