"""Which formats can be streamed piece by piece, and their content types."""

from __future__ import annotations

_STREAMED = frozenset(
    {
        "native",
        "rowbinary",
        "tsv",
        "tabseparated",
        "tsvraw",
        "tabseparatedraw",
        "csv",
        "jsoneachrow",
        "jsonlines",
        "ndjson",
        "jsoncompacteachrow",
        "jsonstringseachrow",
        "tskv",
        "lineasstring",
        "rawblob",
    }
)
_CONTENT_TYPES = (
    ("tabseparated", "text/tab-separated-values; charset=UTF-8"),
    ("tsv", "text/tab-separated-values; charset=UTF-8"),
    ("csv", "text/csv; charset=UTF-8"),
    ("jsoneachrow", "application/x-ndjson; charset=UTF-8"),
    ("jsonlines", "application/x-ndjson; charset=UTF-8"),
    ("ndjson", "application/x-ndjson; charset=UTF-8"),
    ("jsoncompacteachrow", "application/x-ndjson; charset=UTF-8"),
    ("json", "application/json; charset=UTF-8"),
    ("xml", "application/xml; charset=UTF-8"),
    ("arrow", "application/vnd.apache.arrow.file"),
    ("parquet", "application/vnd.apache.parquet"),
    ("native", "application/octet-stream"),
    ("rowbinary", "application/octet-stream"),
    ("avro", "application/octet-stream"),
    ("orc", "application/octet-stream"),
)


def is_streamed(name: str) -> bool:
    """Whether a result in this format is the plain concatenation of its blocks.

    The engine gives each block as a document of its own: formats with a header or a footer have to be made whole.
    """
    return name.lower() in _STREAMED


def content_type(name: str) -> str:
    lowered = name.lower()
    if lowered == "arrowstream":
        return "application/vnd.apache.arrow.stream"
    for prefix, mime in _CONTENT_TYPES:
        if lowered.startswith(prefix):
            return mime
    return "text/plain; charset=UTF-8"
