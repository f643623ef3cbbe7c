"""What the health page and the metrics say in each state."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from clickpulse.errors import ConfigurationError
from connect.sink import health
from connect.sink.status import STALE_SECONDS, Status


class Page:
    def __init__(self) -> None:
        self.now = 1000.0
        self.status = Status(clock=lambda: self.now)
        self.port = 0

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}")


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page()
    with health.serving("127.0.0.1", 0, page.status) as page.port:
        yield page


def test_joining_is_healthy_but_not_ready(page: Page) -> None:
    assert page.get("/healthz").status_code == 200
    assert page.get("/readyz").status_code == 503
    assert page.get("/readyz").json()["status"] == "joining"


def test_reading_is_ready(page: Page) -> None:
    page.status.assigned({0: 10, 3: 5})
    page.status.high_watermarks({0: 50, 3: 5})
    page.status.stored(40, 0.02)
    page.status.committed({0: 45})
    page.status.dead_lettered("malformed-avro")
    answer = page.get("/readyz")
    assert answer.status_code == 200
    content = answer.json()
    assert content["partitions"] == {
        "0": {"committed_offset": 45, "high_watermark": 50, "lag": 5},
        "3": {"committed_offset": 5, "high_watermark": 5, "lag": 0},
    }
    assert (content["lag_total"], content["rows_total"], content["dead_letters_total"]) == (5, 40, 1)
    assert content["last_flush_at"].endswith("+00:00")


def test_paused_is_healthy_with_the_reason_but_not_ready(page: Page) -> None:
    page.status.assigned({0: 0})
    page.status.polled(waiting_since=page.now)
    page.status.paused("delivery", "ClickHouse not reached: refused")
    page.now += 10 * STALE_SECONDS
    page.status.polled(waiting_since=1000.0)
    assert page.get("/healthz").status_code == 200
    assert page.get("/healthz").json()["paused_reason"] == "ClickHouse not reached: refused"
    assert page.get("/readyz").status_code == 503
    page.status.resumed("delivery")
    assert page.get("/healthz").json()["paused_reason"] is None


def test_a_loop_that_does_not_poll_is_stuck(page: Page) -> None:
    page.status.assigned({0: 0})
    page.now += STALE_SECONDS
    assert page.get("/healthz").status_code == 503
    assert page.get("/healthz").json()["status"] == "stuck"


def test_messages_that_are_not_flushed_are_stuck(page: Page) -> None:
    page.status.assigned({0: 0})
    page.now += STALE_SECONDS
    page.status.polled(waiting_since=1000.0)
    assert page.get("/healthz").status_code == 503


def test_metrics_are_for_prometheus(page: Page) -> None:
    page.status.assigned({0: 0})
    page.status.high_watermarks({0: 9})
    page.status.stored(40, 0.02)
    page.status.dead_lettered("null-value")
    lines = page.get("/metrics").text.splitlines()
    assert "sink_rows_total 40.0" in lines
    assert "sink_batches_total 1.0" in lines
    assert 'sink_dead_letters_total{error_class="null-value"} 1.0' in lines
    assert 'sink_lag_messages{partition="0"} 9.0' in lines
    assert 'sink_insert_seconds_bucket{le="0.025"} 1.0' in lines


def test_other_paths_are_not_found(page: Page) -> None:
    assert page.get("/").status_code == 404


def test_a_taken_port_is_named(page: Page) -> None:
    with (
        pytest.raises(ConfigurationError, match=f"SINK_HEALTH_PORT {page.port}"),
        health.serving("127.0.0.1", page.port, page.status),
    ):
        pytest.fail("opened twice")
