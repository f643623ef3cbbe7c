"""What the services' health pages say, read tolerantly: a member that is missing is not a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from dashboard_ui.formats import duration, number

REMEDY = "`clickpulse status` shows what is down"


class Level(StrEnum):
    """How well something is; each has a sign and a word of its own, so colour is never alone."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ServiceState:
    """One service: how it is, in a word, and what it says; `reason` is why it is not well."""

    name: str
    level: Level
    word: str
    detail: str
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back from a health page; `status` is None where nothing did, `error` says why."""

    status: int | None
    payload: Mapping[str, Any]
    error: str = ""


def sink_state(answer: Answer, now: datetime) -> ServiceState:
    """From the sink's `/healthz`: `last_flush_at`, `lag_total` or `lag`, `paused_reason`."""
    name = "Sink (Kafka to ClickHouse)"
    if answer.status is None:
        return _down(name, answer)
    facts = "; ".join(_sink_facts(answer.payload, now))
    if reason := answer.payload.get("paused_reason"):
        return ServiceState(name, Level.WARNING, "paused", facts, f"{reason}. Nothing is lost: it goes on by itself")
    if answer.status != HTTPStatus.OK:
        word = str(answer.payload.get("status", "unhealthy"))
        return ServiceState(name, Level.CRITICAL, word, facts, f"new events are not stored; {REMEDY}")
    return ServiceState(name, Level.OK, "running", facts)


def _sink_facts(payload: Mapping[str, Any], now: datetime) -> list[str]:
    facts = []
    flushed = _moment(payload.get("last_flush_at"))
    facts.append(f"last stored {duration((now - flushed).total_seconds())} ago" if flushed else "nothing stored yet")
    lag = _lag(payload)
    if lag is not None:
        facts.append("nothing waiting" if lag == 0 else f"{number(lag)} events waiting in Kafka")
    if dead := payload.get("dead_letters_total"):
        facts.append(f"{number(dead)} dead-lettered since its start")
    return facts


def airflow_state(answer: Answer, now: datetime) -> ServiceState:
    """From `/api/v2/monitor/health`: the parts that have ever run have to be healthy."""
    name = "Airflow (runs the minutes)"
    if answer.status is None:
        return _down(name, answer)
    if answer.status != HTTPStatus.OK:
        return ServiceState(name, Level.CRITICAL, "unhealthy", "", f"its health page answered {answer.status}")
    parts = {part: value for part, value in answer.payload.items() if isinstance(value, Mapping)}
    ill = [part for part, value in parts.items() if value.get("status") != "healthy" and _has_run(part, value)]
    if ill:
        detail = "; ".join(f"{part.replace('_', ' ')}: {parts[part].get('status') or 'not running'}" for part in ill)
        return ServiceState(name, Level.CRITICAL, "unhealthy", "", detail)
    beat = _moment(parts.get("scheduler", {}).get("latest_scheduler_heartbeat"))
    age = f"the scheduler's heart beat {duration((now - beat).total_seconds())} ago" if beat else ""
    return ServiceState(name, Level.OK, "running", age)


def api_state(problem: str | None, seconds: float | None) -> ServiceState:
    """The report API, from the page's own requests: what went wrong last, or how long the last answer took."""
    name = "Report API"
    if problem:
        return ServiceState(name, Level.CRITICAL, "no answer", "", problem)
    detail = f"answered in {seconds * 1000:,.0f} ms" if seconds is not None else ""
    return ServiceState(name, Level.OK, "running", detail)


def unknown(name: str) -> ServiceState:
    return ServiceState(name, Level.UNKNOWN, "not asked yet", "")


def _down(name: str, answer: Answer) -> ServiceState:
    return ServiceState(name, Level.CRITICAL, "no answer", "", f"{answer.error}; {REMEDY}")


def _has_run(part: str, value: Mapping[str, Any]) -> bool:
    """A part that was never started (the triggerer, in the local profile) has no heartbeat."""
    if part in {"metadatabase", "scheduler"}:
        return True
    return any(name.startswith("latest_") and beat for name, beat in value.items())


def _lag(payload: Mapping[str, Any]) -> int | None:
    for name in ("lag_total", "lag"):
        match payload.get(name):
            case bool():
                continue
            case int() | float() as total:
                return int(total)
            case Mapping() as each:
                return sum(int(one) for one in each.values() if isinstance(one, int | float))
    return None


def _moment(value: object) -> datetime | None:
    """ISO 8601 text or seconds since the epoch; None for anything else."""
    try:
        match value:
            case str():
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case bool():
                return None
            case int() | float():
                return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
