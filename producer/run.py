"""What `simulate` and `replay` have in common: schema and topics first, then delivery, and an account at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.topics import require_topic
from clickpulse.settings import KafkaSettings, ProducerSettings, RegistrySettings
from producer.delivery import Delivery
from producer.pacing import TICK_SECONDS, Pacer
from producer.progress import Display
from producer.registry import register
from producer.stopping import Stop
from producer.summary import Summary, SummaryFile
from producer.wire import Encoder, read_schema

_PUMP_EVERY = 1000
"""Events between two looks at delivery reports and the summary where the rate leaves no time to sleep."""


@dataclass
class Run:
    """A running command.

    `details` are the command's own entries of the summary (its arguments, what it read), asked whenever one is made.
    """

    command: str
    delivery: Delivery
    stop: Stop
    topic: str
    details: Callable[[], Summary]
    summary_path: Path | None
    display: Display
    finished: bool = False

    def __post_init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._since_pumped = 0
        self.account = SummaryFile(self.summary_path, self.summary)

    def pump(self, seconds: float = 0) -> None:
        """Sleep up to `seconds` (less if a signal comes), take delivery reports, keep the summary file up to date."""
        if seconds > 0:
            self.stop.wait(seconds)
        self._since_pumped = 0
        self.delivery.serve()
        self.account.update()
        self.display.update(self.delivery.generated, self.delivery.outstanding)

    def due(self, pacer: Pacer, offset_ms: float) -> bool:
        """Wait until it is time for the next event; false if the end is requested instead.

        Raises:
            ConfigurationError, TransientError: from the delivery.
        """
        while (ahead := pacer.ahead_ms(offset_ms)) > 0 and not self.stop.requested():
            self.pump(max(min(ahead / 1000, 1.0), TICK_SECONDS))
        self._since_pumped += 1
        if self._since_pumped >= _PUMP_EVERY:
            self.pump()
        return not self.stop.requested()

    def summary(self) -> Summary:
        """Counts of events; `generated` = `acknowledged` + `dead_lettered` + `failed` + `outstanding`.

        Minutes are of event time, in UTC.
        """
        by_minute = dict(self.delivery.tallies.per_minute())
        return {
            "command": self.command,
            "topic": self.topic,
            "started_at": _iso(self.started_at),
            "updated_at": _iso(datetime.now(UTC)),
            "finished": self.finished,
            "generated": self.delivery.generated,
            "acknowledged": self.delivery.tallies.acknowledged,
            "dead_lettered": self.delivery.dead_lettered,
            "failed": self.delivery.failed,
            "outstanding": self.delivery.outstanding,
            "by_event_type": self.delivery.tallies.by_event_type(),
            "acknowledged_per_minute": {minute: sum(counts.values()) for minute, counts in by_minute.items()},
            "acknowledged_per_minute_by_event_type": by_minute,
            **self.details(),
        }

    @property
    def delivered_all(self) -> bool:
        return self.delivery.failed == 0 and self.delivery.outstanding == 0


@contextmanager
def producing(
    command: str,
    *,
    details: Callable[[], Summary],
    summary_path: Path | None,
    display: Display,
    keep_minutes: int | None,
) -> Iterator[Run]:
    """Prepare everything, give the run, and flush and account at its end, whatever ended it.

    Raises:
        ConfigurationError: settings, schema or topic are wrong; nothing was sent.
        TransientError: Kafka or the registry did not answer in the time that the settings allow.
    """
    kafka, settings, schema = KafkaSettings.load_for("producer"), ProducerSettings.load(), read_schema()
    timeout = settings.connect_timeout_seconds
    require_topic(kafka, timeout_seconds=timeout)
    encoder = Encoder(schema, register(schema, kafka.topic, RegistrySettings.load(), timeout_seconds=timeout))
    with Stop() as stop, display:

        def give_up() -> bool:
            run.account.update()
            return stop.at_once()

        delivery = Delivery(kafka, settings, encoder, give_up=give_up, keep_minutes=keep_minutes)
        run = Run(command, delivery, stop, kafka.topic, details, summary_path, display)
        run.account.write()
        try:
            yield run
        finally:
            delivery.flush()
            run.finished = True
            run.account.write()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
