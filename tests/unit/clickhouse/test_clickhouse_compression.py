"""Content encodings."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from clickhouse.server.blocks import BlockDecoder, BlockEncoder
from clickhouse.server.compression import decoder, encoder, response_encoding
from clickhouse.server.errors import CANNOT_DECOMPRESS, CHECKSUM_DOESNT_MATCH, NOT_IMPLEMENTED, QueryError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def decode(encoding: str | None, body: bytes, step: int) -> bytes:
    codec = decoder(encoding)
    pieces = [codec.update(body[start : start + step]) for start in range(0, len(body), step)]
    return b"".join([*pieces, codec.finish()])


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_several_frames_in_pieces_of_any_size(encoding: str, step: int) -> None:
    blocks = [b"first" * 40, b"", b"second" * 90]
    body = b"".join(COMPRESS[encoding](block) for block in blocks)
    assert decode(encoding, body, step) == b"".join(blocks)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_that_ends_early_is_an_error(encoding: str) -> None:
    body = COMPRESS[encoding](b"content" * 100)
    with pytest.raises(QueryError) as caught:
        decode(encoding, body[:-5], 1000)
    assert caught.value.code == CANNOT_DECOMPRESS


@pytest.mark.parametrize("encoding", COMPRESS)
def test_garbage_is_an_error(encoding: str) -> None:
    with pytest.raises(QueryError) as caught:
        decode(encoding, b"this was never compressed at all", 1000)
    assert caught.value.code == CANNOT_DECOMPRESS


def test_an_unknown_encoding_is_not_implemented() -> None:
    with pytest.raises(QueryError) as caught:
        decoder("snappy")
    assert (caught.value.code, caught.value.status) == (NOT_IMPLEMENTED, 501)


@given(st.lists(st.binary(max_size=300), max_size=6), st.sampled_from(sorted(COMPRESS)))
def test_what_is_encoded_can_be_decoded(chunks: list[bytes], encoding: str) -> None:
    codec = encoder(encoding)
    body = b"".join([*map(codec.update, chunks), codec.finish()])
    assert decode(encoding, body, 11) == b"".join(chunks)


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, None),
        ("identity", None),
        ("gzip, deflate", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("lz4, zstd, gzip", "lz4"),
        ("ZSTD", "zstd"),
        ("snappy", None),
    ],
)
def test_the_answer_is_encoded_as_the_client_accepts(accepted: str | None, chosen: str | None) -> None:
    assert response_encoding(accepted) == chosen


@given(st.lists(st.binary(max_size=600), max_size=6), st.integers(1, 100))
def test_clickhouse_blocks_both_ways(chunks: list[bytes], step: int) -> None:
    writer, reader = BlockEncoder(), BlockDecoder()
    body = b"".join([*map(writer.update, chunks), writer.finish()])
    pieces = [reader.update(body[start : start + step]) for start in range(0, len(body), step)]
    assert b"".join([*pieces, reader.finish()]) == b"".join(chunks)


def test_a_damaged_block_is_noticed() -> None:
    body = bytearray(BlockEncoder().update(b"content" * 100))
    body[30] ^= 1
    with pytest.raises(QueryError) as caught:
        BlockDecoder().update(bytes(body))
    assert caught.value.code == CHECKSUM_DOESNT_MATCH
    shortened = BlockDecoder()
    shortened.update(BlockEncoder().update(b"content")[:-1])
    with pytest.raises(QueryError):
        shortened.finish()
