"""HTTP content encodings of requests and responses: gzip, deflate, lz4, zstd, and br where it is installed.

Clients compress each block on its own, so a body may hold several frames one after the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import lz4.frame
import zstandard

from clickhouse.server.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, QueryError


class Codec(Protocol):
    """Works on a stream, chunk by chunk."""

    def update(self, chunk: bytes) -> bytes:
        """What `chunk` gives; may be empty."""

    def finish(self) -> bytes:
        """The rest, at the end of the stream."""


class Identity:
    """Bytes as they are."""

    def update(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class _FrameDecoder:
    """Decodes frame after frame; `new` makes a decompressor with `decompress`, `eof` and `unused_data`."""

    def __init__(self, name: str, new: Callable[[], Any], errors: tuple[type[Exception], ...]) -> None:
        self._name = name
        self._new = new
        self._errors = errors
        self._frame: Any = None

    def update(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            if self._frame is None:
                self._frame = self._new()
            try:
                parts.append(self._frame.decompress(chunk))
            except self._errors as error:
                raise QueryError(CANNOT_DECOMPRESS, f"Cannot decompress the {self._name} body: {error}") from error
            chunk = b""
            if self._frame.eof:
                chunk, self._frame = self._frame.unused_data or b"", None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> bytes:
        if self._frame is not None:
            raise QueryError(CANNOT_DECOMPRESS, f"Cannot decompress the {self._name} body: it ends inside a frame")
        return b""


class _ZlibEncoder:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.compressobj(level=3, wbits=wbits)

    def update(self, chunk: bytes) -> bytes:
        return self._stream.compress(chunk)

    def finish(self) -> bytes:
        return self._stream.flush()


class _Lz4Encoder:
    def __init__(self) -> None:
        self._stream = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def update(self, chunk: bytes) -> bytes:
        head = b"" if self._begun else self._stream.begin()
        self._begun = True
        return head + bytes(self._stream.compress(chunk))

    def finish(self) -> bytes:
        return self.update(b"") + bytes(self._stream.flush())


class _ZstdEncoder:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=1).compressobj()

    def update(self, chunk: bytes) -> bytes:
        return self._stream.compress(chunk)

    def finish(self) -> bytes:
        return self._stream.flush()


class _BrotliCodec:
    """br both ways; the module is optional."""

    def __init__(self, *, decode: bool) -> None:
        module: Any = importlib.import_module("brotli")
        self._error: type[Exception] = module.error
        self._decoder: Any = module.Decompressor() if decode else None
        self._encoder: Any = None if decode else module.Compressor(quality=1)

    def update(self, chunk: bytes) -> bytes:
        if self._decoder is None:
            return bytes(self._encoder.process(chunk))
        try:
            return bytes(self._decoder.process(chunk))
        except self._error as error:
            raise QueryError(CANNOT_DECOMPRESS, f"Cannot decompress the br body: {error}") from error

    def finish(self) -> bytes:
        return b"" if self._decoder is not None else bytes(self._encoder.finish())


def _has_brotli() -> bool:
    return importlib.util.find_spec("brotli") is not None


def decoder(encoding: str | None) -> Codec:
    """The decoder of a request's Content-Encoding.

    Raises:
        QueryError: the encoding is not known here (501).
    """
    match (encoding or "identity").strip().lower():
        case "" | "identity":
            return Identity()
        case "gzip" | "x-gzip":
            return _FrameDecoder("gzip", lambda: zlib.decompressobj(wbits=31), (zlib.error,))
        case "deflate":
            return _FrameDecoder("deflate", lambda: zlib.decompressobj(wbits=15), (zlib.error,))
        case "lz4":
            return _FrameDecoder("lz4", lz4.frame.LZ4FrameDecompressor, (RuntimeError, EOFError))
        case "zstd":
            new = zstandard.ZstdDecompressor().decompressobj
            return _FrameDecoder("zstd", new, (zstandard.ZstdError,))
        case "br" if _has_brotli():
            return _BrotliCodec(decode=True)
        case unknown:
            raise QueryError(NOT_IMPLEMENTED, f"Unknown compression method: {unknown}")


def response_encoding(accepted: str | None) -> str | None:
    """The encoding to answer with, of those in Accept-Encoding, in ClickHouse's order of preference."""
    offered = set()
    for item in (accepted or "").lower().split(","):
        name, _, quality = item.partition(";")
        if quality.strip().removeprefix("q=") not in ("0", "0.0", "0.00", "0.000"):
            offered.add(name.strip())
    for encoding in ("br", "lz4", "zstd", "gzip", "deflate"):
        if encoding in offered and (encoding != "br" or _has_brotli()):
            return encoding
    return None


def encoder(encoding: str | None) -> Codec:
    """The encoder for what `response_encoding` chose."""
    match encoding:
        case None:
            return Identity()
        case "gzip":
            return _ZlibEncoder(31)
        case "deflate":
            return _ZlibEncoder(15)
        case "lz4":
            return _Lz4Encoder()
        case "zstd":
            return _ZstdEncoder()
        case _:
            return _BrotliCodec(decode=False)
