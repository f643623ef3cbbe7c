"""How the columns of a recorded clickstream become interactions: a YAML file, checked before anything is read.

    name: articles-clicks
    fields:
      user_id: {uuid5: [user_id]}
      session_id: {uuid5: [user_id, session_id]}
      event_type: {column: action, map: {view: VIEW_PRODUCT, buy: PAYMENT}, default: SEARCH}
      event_timestamp: {column: at, unit: ms}
      request_latency_ms: {column: seconds, scale: 1000}
      status: {column: http_status, map: {200: SUCCESS}, default: ERROR}
      error_code: {column: http_status, where_not_allowed: drop}
      product_id: {column: item, where_not_allowed: drop}

There is no `event_id`: it is derived from the file, the line and the time that the replay begins at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from clickpulse.errors import ConfigurationError
from clickpulse.events import EventType, Status


def as_text(value: Any) -> str | None:
    """A value of a file or a mapping as comparable text: `200`, `200.0` and `"200"` are the same. None if empty."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _texts(table: Any) -> Any:
    return {as_text(key): value for key, value in table.items()} if isinstance(table, dict) else table


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin") from error
    return name


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone: add Z for UTC")
    return moment.astimezone(UTC)


Text = Annotated[str, BeforeValidator(as_text)]
TextTable = Annotated[dict[str, Any], BeforeValidator(_texts)]
Zone = Annotated[str, AfterValidator(_zone)]
WhereNotAllowed = Annotated[
    Literal["reject", "drop"], Field(description="what to do with a value where the contract wants null")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """A column, looked up in `map` if there is one, or a constant. `default` is for an empty or unmapped value."""

    column: str | None = None
    constant: Text | None = None
    map: TextTable | None = None
    default: Text | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either column or constant")
        if self.constant is not None and (self.map is not None or self.default is not None):
            raise ValueError("map and default belong to a column, not to a constant")
        return self

    def outcomes(self) -> list[str]:
        """What the mapping itself can put in: the constant, the default and the values of the map."""
        values = [self.constant, self.default, *(self.map or {}).values()]
        return [text for value in values if (text := as_text(value)) is not None]


class IdSource(_Strict):
    """A column with UUIDs, a constant one, or a UUID version 5 made of columns (RFC 9562).

    `namespace` keeps ids of different sources apart: a UUID or any text; the mapping's name where not given.
    """

    column: str | None = None
    constant: UUID | None = None
    uuid5: list[str] | None = Field(None, min_length=1)
    namespace: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.column, self.constant, self.uuid5)) != 1:
            raise ValueError("give one of column, constant and uuid5")
        if self.namespace is not None and self.uuid5 is None:
            raise ValueError("namespace belongs to uuid5")
        return self


class NumberSource(Source):
    """A number; what a column or its map gives is multiplied by `scale`."""

    scale: float = 1


class OptionalSource(Source):
    where_not_allowed: WhereNotAllowed = "reject"


class TimeSource(_Strict):
    """A column with a time (`unit` s, ms, us, ns or iso; `time_zone` for times that name none), or a column with the
    distance from `base` (`unit` ms, s or min).
    """

    column: str | None = None
    offset_column: str | None = None
    unit: Literal["s", "ms", "us", "ns", "iso", "min"]
    time_zone: Zone | None = None
    base: Annotated[datetime, AfterValidator(_utc)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.offset_column is None):
            raise ValueError("give either column or offset_column")
        if self.column is not None and (self.unit == "min" or self.base is not None):
            raise ValueError("unit min and base belong to offset_column")
        if self.offset_column is not None and (self.base is None or self.unit not in {"ms", "s", "min"}):
            raise ValueError("offset_column needs base (a time with Z) and unit ms, s or min")
        if self.time_zone is not None and self.unit != "iso":
            raise ValueError("time_zone belongs to unit iso; numbers count from 1970 in UTC")
        return self


class Fields(_Strict):
    user_id: IdSource
    session_id: IdSource
    event_type: Source
    event_timestamp: TimeSource
    request_latency_ms: NumberSource
    status: Source
    error_code: OptionalSource | None = None
    product_id: OptionalSource | None = None

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        for name, known in (("event_type", EventType), ("status", Status)):
            for word in getattr(self, name).outcomes():
                if word not in set(known):
                    raise ValueError(f"{name}: {word!r} is not one of {', '.join(known)}")
        return self


class CsvOptions(_Strict):
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', min_length=1, max_length=1)
    encoding: str = "utf-8"
    header: list[str] | None = Field(None, description="the columns' names, for files whose first line is data")


class Mapping(_Strict):
    """One kind of file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="part of the events' ids")
    description: str = ""
    csv: CsvOptions = CsvOptions()
    fields: Fields


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping.

    Raises:
        ConfigurationError: names the file, the key, the value and what was expected.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"mapping {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"mapping {path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors(include_url=False))
        raise ConfigurationError(f"mapping {path}: {problems}") from None


_KNOWN: dict[str, type[BaseModel]] = {
    "": Mapping,
    "csv": CsvOptions,
    "fields": Fields,
    **{f"fields.{name}": IdSource for name in ("user_id", "session_id")},
    **{f"fields.{name}": Source for name in ("event_type", "status")},
    **{f"fields.{name}": OptionalSource for name in ("error_code", "product_id")},
    "fields.event_timestamp": TimeSource,
    "fields.request_latency_ms": NumberSource,
}


def _explain(problem: Any) -> str:
    *parents, last = [str(part) for part in problem["loc"]] or [""]
    key = ".".join([*parents, last])
    if problem["type"] == "extra_forbidden":
        known = _KNOWN.get(".".join(parents))
        return f"{key} is not a known key" + (f"; known are {', '.join(known.model_fields)}" if known else "")
    if problem["type"] == "missing":
        return f"{key} is missing"
    given = "" if isinstance(problem["input"], BaseModel | dict) else f" (is {problem['input']!r})"
    return f"{key or 'the file'}: {problem['msg'].removeprefix('Value error, ')}{given}"
