"""CityHash128 in its version 1.0.2: the checksum of ClickHouse's compressed blocks.

The algorithm is Pike and Alakuijala's (Google, 2011); ClickHouse stays with that version, whose results differ from
those of later ones. All numbers are unsigned and of 64 bits. About 25 MB/s.
"""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69


def cityhash128(data: bytes) -> bytes:
    """The hash as ClickHouse writes it: 16 bytes, low half first."""
    size = len(data)
    if size >= 16:  # noqa: PLR2004
        low, high = struct.unpack_from("<2Q", data)
        result = _seeded(data[16:], low ^ _K3, high)
    elif size >= 8:  # noqa: PLR2004
        low, high = _fetch(data, 0) ^ (size * _K0 & _MASK), _fetch(data, size - 8) ^ _K1
        result = _seeded(b"", low, high)
    else:
        result = _seeded(data, _K0, _K1)
    return struct.pack("<2Q", *result)


def _fetch(data: bytes, position: int) -> int:
    number: int = struct.unpack_from("<Q", data, position)[0]
    return number


def _rotate(value: int, shift: int) -> int:
    return (value >> shift | value << (64 - shift)) & _MASK


def _mix(value: int) -> int:
    return value ^ (value >> 47)


def _hash16(low: int, high: int) -> int:
    a = _mix((low ^ high) * _MUL & _MASK)
    return _mix((high ^ a) * _MUL & _MASK) * _MUL & _MASK


def _hash_short(data: bytes) -> int:
    """Of at most 16 bytes."""
    size = len(data)
    if size > 8:  # noqa: PLR2004
        a, b = _fetch(data, 0), _fetch(data, size - 8)
        return _hash16(a, _rotate((b + size) & _MASK, size)) ^ b
    if size >= 4:  # noqa: PLR2004
        a, b = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, size - 4)[0]
        return _hash16(size + (a << 3), b)
    if size > 0:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _mix((y * _K2 ^ z * _K3) & _MASK) * _K2 & _MASK
    return _K2


def _murmur(data: bytes, a: int, b: int) -> tuple[int, int]:
    """Of less than 128 bytes."""
    size = len(data)
    if size <= 16:  # noqa: PLR2004
        a = _mix(a * _K1 & _MASK) * _K1 & _MASK
        c = (b * _K1 + _hash_short(data)) & _MASK
        d = _mix((a + (_fetch(data, 0) if size >= 8 else c)) & _MASK)  # noqa: PLR2004
    else:
        c = _hash16((_fetch(data, size - 8) + _K1) & _MASK, a)
        d = _hash16((b + size) & _MASK, (c + _fetch(data, size - 16)) & _MASK)
        a = (a + d) & _MASK
        for position in range(0, size - 16, 16):
            first, second = struct.unpack_from("<2Q", data, position)
            a = (a ^ _mix(first * _K1 & _MASK) * _K1) * _K1 & _MASK
            b ^= a
            c = (c ^ _mix(second * _K1 & _MASK) * _K1) * _K1 & _MASK
            d ^= c
    a, b = _hash16(a, c), _hash16(d, b)
    return a ^ b, _hash16(b, a)


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    """Of four words with two seeds."""
    w, x, y, z = words
    a += w
    b = _rotate((b + a + z) & _MASK, 21)
    c = a
    a += x + y
    b += _rotate(a & _MASK, 44)
    return (a + z) & _MASK, (b + c) & _MASK


def _seeded(data: bytes, x: int, y: int) -> tuple[int, int]:
    size = len(data)
    if size < 128:  # noqa: PLR2004
        return _murmur(data, x, y)
    z = size * _K1 & _MASK
    v0 = (_rotate(y ^ _K1, 49) * _K1 + _fetch(data, 0)) & _MASK
    v1 = (_rotate(v0, 42) * _K1 + _fetch(data, 8)) & _MASK
    w0 = (_rotate((y + z) & _MASK, 35) * _K1 + x) & _MASK
    w1 = _rotate((x + _fetch(data, 88)) & _MASK, 53) * _K1 & _MASK
    rounds = size // 128 * 2
    for position in range(0, rounds * 64, 64):
        words = struct.unpack_from("<8Q", data, position)
        x = _rotate((x + y + v0 + words[2]) & _MASK, 37) * _K1 & _MASK
        y = _rotate((y + v1 + words[6]) & _MASK, 42) * _K1 & _MASK
        x ^= w1
        y ^= v0
        z = _rotate(z ^ w0, 33)
        v0, v1 = _weak(words[:4], v1 * _K1 & _MASK, (x + w0) & _MASK)
        w0, w1 = _weak(words[4:], (z + w1) & _MASK, y)
        z, x = x, z
    y = (y + _rotate(w0, 37) * _K0 + z) & _MASK
    x = (x + _rotate((v0 + z) & _MASK, 49) * _K0) & _MASK
    rest = size - rounds * 64
    done = 0
    while done < rest:
        done += 32
        words = struct.unpack_from("<4Q", data, size - done)
        y = (_rotate((y - x) & _MASK, 42) * _K0 + v1) & _MASK
        w0 = (w0 + words[2]) & _MASK
        x = (_rotate(x, 49) * _K0 + w0) & _MASK
        w0 = (w0 + v0) & _MASK
        v0, v1 = _weak(words, v0, v1)
    x, y = _hash16(x, v0), _hash16(y, w0)
    return (_hash16((x + v1) & _MASK, w1) + y) & _MASK, _hash16((x + w1) & _MASK, (y + v1) & _MASK)
