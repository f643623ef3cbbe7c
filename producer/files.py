"""Finds the files of a replay and reads their rows."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from os.path import commonpath
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from clickpulse.errors import BadRecordError, ConfigurationError
from producer.mapping import CsvOptions

CSV, JSON_LINES, PARQUET = (".csv", ".csv.gz"), (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"), (".parquet",)
SUFFIXES = (*CSV, *JSON_LINES, *PARQUET)

NumberedRow = tuple[int, Sequence[Any] | BadRecordError]
"""Line (of Parquet: row), counted from 1, and the values of the wanted columns or why the line can't be read."""

_PARQUET_BATCH = 8192


class BadFileError(ConfigurationError):
    """A file can't be read, or not to its end. Names the file and, where it was reached, the line."""


def find_files(patterns: list[str]) -> list[Path]:
    """The files meant by paths, folders (all files of known formats in them), globs (`**` for any depth) and prefixes.

    Raises:
        ConfigurationError: a pattern matches nothing.
    """
    found: dict[Path, None] = {}  # in order, each once
    for pattern in patterns:
        matches = _matches(pattern)
        if not matches:
            raise ConfigurationError(
                f"{pattern!r} matches no file; it may be a file, a glob, a folder or the beginning of paths "
                f"(of these two {', '.join(SUFFIXES)} files are taken)"
            )
        found |= dict.fromkeys(path.absolute() for path in matches)
    return list(found)


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(child for child in path.rglob("*") if child.is_file() and child.name.endswith(SUFFIXES))
    if glob.has_magic(pattern):
        return _globbed(pattern)
    return [match for match in _globbed(f"{glob.escape(pattern)}*") if match.name.endswith(SUFFIXES)]


def _globbed(pattern: str) -> list[Path]:
    # Not Path.glob, which takes no absolute patterns.
    return sorted(path for name in glob.glob(pattern, recursive=True) if (path := Path(name)).is_file())  # noqa: PTH207


def short_names(paths: list[Path]) -> list[str]:
    """Names that tell the files apart and do not depend on where their common folder lies."""
    if len(paths) == 1:
        return [paths[0].name]
    common = Path(commonpath(paths))
    return [path.relative_to(common).as_posix() for path in paths]


def read_rows(path: Path, columns: list[str], options: CsvOptions) -> Iterator[NumberedRow]:
    """The rows of one file, read as they are asked for.

    Raises:
        BadFileError: unknown format, unreadable, damaged, or a column is missing.
    """
    line = 0
    try:
        for line, row in _reader(path, columns, options):
            yield line, row
    except (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeError) as error:
        where = f"after line {line}" if line else "at its beginning"
        raise BadFileError(f"{path}: can't be read {where}: {error}") from error


def _reader(path: Path, columns: list[str], options: CsvOptions) -> Iterator[NumberedRow]:
    if path.name.endswith(CSV):
        return _csv_rows(path, columns, options)
    if path.name.endswith(JSON_LINES):
        return _json_rows(path, columns)
    if path.name.endswith(PARQUET):
        return _parquet_rows(path, columns)
    raise BadFileError(f"{path}: its name does not end in a known format: {', '.join(SUFFIXES)}")


def _open(path: Path, encoding: str) -> IO[str]:
    # Bytes that are no text in the encoding are kept as surrogates, and only the rows that use them are refused.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, errors="surrogateescape", newline="")
    return path.open(encoding=encoding, errors="surrogateescape", newline="")


def _csv_rows(path: Path, columns: list[str], options: CsvOptions) -> Iterator[NumberedRow]:
    with _open(path, options.encoding) as file:
        reader = csv.reader(file, delimiter=options.delimiter, quotechar=options.quote)
        header = options.header or next(reader, None)
        if header is None:
            raise BadFileError(f"{path}: is empty, its first line should name the columns")
        header[0] = header[0].removeprefix("\ufeff")
        indexes = [_index(path, column, header) for column in columns]
        width = len(header)
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader, None)
            except csv.Error as error:
                yield line, BadRecordError(f"is not CSV: {error}", "unreadable-row")
                continue
            if values is None:
                return
            if len(values) == width:
                yield line, [values[index] for index in indexes]
            elif values:
                yield line, BadRecordError(f"has {len(values)} fields, the header {width}", "unreadable-row")


def _json_rows(path: Path, columns: list[str]) -> Iterator[NumberedRow]:
    with _open(path, "utf-8") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                document = json.loads(text)
            except ValueError as error:
                yield line, BadRecordError(f"is not JSON: {error}", "unreadable-row")
                continue
            if isinstance(document, dict):
                yield line, [_member(document, column) for column in columns]
            else:
                yield line, BadRecordError("is JSON but not an object", "unreadable-row")


def _member(document: dict[str, Any], column: str) -> Any:
    """A member by name; `a.b` is also the member b of the object a."""
    if column in document:
        return document[column]
    first, dot, rest = column.partition(".")
    inner = document.get(first) if dot else None
    return _member(inner, rest) if isinstance(inner, dict) else None


def _parquet_rows(path: Path, columns: list[str]) -> Iterator[NumberedRow]:
    with pq.ParquetFile(path) as file:
        for column in columns:
            _index(path, column, file.schema_arrow.names)
        line = 0
        for batch in file.iter_batches(batch_size=_PARQUET_BATCH, columns=columns):
            by_name = {name: _values(batch.column(name)) for name in columns}
            for values in zip(*(by_name[name] for name in columns), strict=True):
                line += 1
                yield line, values


def _values(array: Any) -> list[Any]:
    # Nanoseconds do not fit Python's datetime; events count in milliseconds.
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    return list(array.to_pylist())


def _index(path: Path, column: str, names: Sequence[str]) -> int:
    try:
        return list(names).index(column)
    except ValueError:
        raise BadFileError(f"{path}: has no column {column!r}; it has {', '.join(names)}") from None
