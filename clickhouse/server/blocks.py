"""ClickHouse's own compressed blocks, which clients ask for with `compress=1` and send with `decompress=1`.

A block: checksum (16 bytes, of all that follows), method (1), size with this header of 9 (4), size of the content
(4), content. Numbers are little-endian.
"""

from __future__ import annotations

import struct

import lz4.block
import zstandard

from clickhouse.server.cityhash import cityhash128
from clickhouse.server.compression import Codec
from clickhouse.server.errors import CANNOT_DECOMPRESS, CHECKSUM_DOESNT_MATCH, QueryError

_CHECKSUM = 16
_HEADER = struct.Struct("<BII")
_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_CONTENT_BYTES = 1 << 20
_MAX_BYTES = 1 << 30


class BlockEncoder:
    """Makes LZ4 blocks."""

    def update(self, chunk: bytes) -> bytes:
        parts = (chunk[start : start + _CONTENT_BYTES] for start in range(0, len(chunk), _CONTENT_BYTES))
        return b"".join(map(_block, parts))

    def finish(self) -> bytes:
        return b""


class BlockDecoder:
    """Reads blocks of any method."""

    def __init__(self) -> None:
        self._buffer = b""

    def update(self, chunk: bytes) -> bytes:
        self._buffer += chunk
        contents = []
        position = 0
        while (end := self._end_of_block(position)) is not None:
            contents.append(_content(self._buffer[position:end]))
            position = end
        self._buffer = self._buffer[position:]
        return b"".join(contents)

    def _end_of_block(self, position: int) -> int | None:
        if len(self._buffer) < position + _CHECKSUM + _HEADER.size:
            return None
        _, size, content_size = _HEADER.unpack_from(self._buffer, position + _CHECKSUM)
        if size < _HEADER.size or max(size, content_size) > _MAX_BYTES:
            raise QueryError(CANNOT_DECOMPRESS, "Cannot decompress the body: it is not made of compressed blocks")
        end: int = position + _CHECKSUM + size
        return end if end <= len(self._buffer) else None

    def finish(self) -> bytes:
        if self._buffer:
            raise QueryError(CANNOT_DECOMPRESS, "Cannot decompress the body: it ends inside a block")
        return b""


class Chain:
    """Two codecs, one after the other."""

    def __init__(self, first: Codec, second: Codec) -> None:
        self._first = first
        self._second = second

    def update(self, chunk: bytes) -> bytes:
        return self._second.update(self._first.update(chunk))

    def finish(self) -> bytes:
        return self._second.update(self._first.finish()) + self._second.finish()


def _block(content: bytes) -> bytes:
    packed = bytes(lz4.block.compress(content, store_size=False))
    body = _HEADER.pack(_LZ4, _HEADER.size + len(packed), len(content)) + packed
    return cityhash128(body) + body


def _content(block: bytes) -> bytes:
    checksum, body = block[:_CHECKSUM], block[_CHECKSUM:]
    if cityhash128(body) != checksum:
        raise QueryError(CHECKSUM_DOESNT_MATCH, "Checksum doesn't match: corrupted data in the body")
    method, _, size = _HEADER.unpack_from(body)
    packed = body[_HEADER.size :]
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(packed, uncompressed_size=size))
        if method == _ZSTD:
            return bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=size))
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise QueryError(CANNOT_DECOMPRESS, f"Cannot decompress a block: {error}") from error
    if method == _NONE:
        return packed
    raise QueryError(CANNOT_DECOMPRESS, f"Cannot decompress a block: unknown method {method:#04x}")
