"""Asks every part at once, and each whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clickpulse.clients import report_reader
from clickpulse.doctor import airflow, bucket, clickhouse, disk, kafka, reports
from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.doctor.settings import DoctorSettings
from clickpulse.errors import ClickpulseError, ConfigurationError
from clickpulse.retention.bucket import Bucket
from clickpulse.retention.settings import RetentionSettings
from clickpulse.settings import (
    ClickHouseSettings,
    KafkaSettings,
    ReportReaderSettings,
    S3Settings,
    home_dir,
    stack_env_file,
)


@dataclass(frozen=True)
class Examination:
    """All that was told."""

    checked_at: datetime
    parts: Sequence[Part]

    @property
    def findings(self) -> list[tuple[Part, Finding]]:
        return [(part, finding) for part in self.parts for finding in part.findings]

    @property
    def ok(self) -> bool:
        """Nothing needs a hand."""
        return not any(finding.action for _, finding in self.findings)


@dataclass(frozen=True)
class _Question:
    name: str
    title: str
    ask: Callable[[], Part]


def examine_all() -> Examination:
    """Ask every part; those of another machine are asked over the network, its disks and logs are not.

    Raises:
        ConfigurationError: the settings of retention or of the doctor can't be read; nothing is asked then.
    """
    now, local = datetime.now(UTC), stack_env_file().is_file()
    keeping, limits = RetentionSettings.load(), DoctorSettings.load()
    questions = _questions(keeping, limits, now, local=local)
    with ThreadPoolExecutor(len(questions)) as pool:
        parts = list(pool.map(_answer, questions))
    grown = {part.name: part.bytes_last_day for part in parts}
    parts += [disk.examine(home_dir(), grown, limits), _settings(keeping)]
    return Examination(now, parts)


def _questions(keeping: RetentionSettings, limits: DoctorSettings, now: datetime, *, local: bool) -> list[_Question]:
    def ask_kafka() -> Part:
        return kafka.examine(
            KafkaSettings.load_for("viewer"),
            needed=timedelta(minutes=keeping.needed_minutes),
            folder=_data_dir("kafka") if local else None,
        )

    def ask_clickhouse() -> Part:
        return clickhouse.examine(ClickHouseSettings.load(), local=local)

    def ask_s3() -> Part:
        return bucket.examine(Bucket(S3Settings.load()), keeping, now, local=local, overdue_days=limits.overdue_days)

    def ask_reports() -> Part:
        with report_reader(ReportReaderSettings.load()) as client:
            return reports.examine(client, now, local=local, overdue_days=limits.overdue_days)

    questions = [
        _Question("kafka", kafka.TITLE, ask_kafka),
        _Question("clickhouse", clickhouse.TITLE, ask_clickhouse),
        _Question("s3", bucket.TITLE, ask_s3),
        _Question("reports", reports.TITLE, ask_reports),
    ]
    if local:  # elsewhere its database has a user of its own, and its logs are on its workers
        questions.append(_Question("airflow", airflow.TITLE, lambda: _ask_airflow(keeping, limits, now)))
    return questions


def _ask_airflow(keeping: RetentionSettings, limits: DoctorSettings, now: datetime) -> Part:
    from local.postgres import PostgresSettings
    from local.settings import LocalSettings, log_dir

    url = PostgresSettings.load().url(LocalSettings.load().postgres_port, "airflow")
    logs_days = keeping.airflow_logs_retention_days
    return airflow.examine(url, log_dir() / "airflow", now, logs_days=logs_days, limits=limits)


def _answer(question: _Question) -> Part:
    """The part's answer, or that it has none."""
    try:
        return question.ask()
    except ClickpulseError as error:
        remedy = (
            "change the setting it names"
            if isinstance(error, ConfigurationError)
            else "`clickpulse status` shows what is down; this part was left out"
        )
        problem = str(error)
        return Part(question.name, question.title, problem=problem, findings=[Finding(problem, remedy)])


def _settings(keeping: RetentionSettings) -> Part:
    """How long things are to be kept, and whether these times fit together."""
    rows = [
        Holding(name, "", None, None, kept=text)
        for name, text in (
            ("REPORT_MINUTES_RETENTION_DAYS", days(keeping.minutes_retention_days)),
            ("REPORT_OLD_REVISIONS_RETENTION_DAYS", days(keeping.old_revisions_retention_days)),
            ("REPORT_REPORTS_RETENTION_DAYS", days(keeping.reports_retention_days)),
            ("REPORT_AIRFLOW_LOGS_RETENTION_DAYS", days(keeping.airflow_logs_retention_days)),
            ("needed for reports and revisions", f"{keeping.needed_minutes} min"),
        )
    ]
    part = Part("settings", "Retention", rows)
    try:
        clickhouse_settings = ClickHouseSettings.load()
        keeping.check_events(clickhouse_settings)
    except ConfigurationError as error:
        return replace(part, findings=[Finding(str(error), "change the setting it names")])
    kept = Holding("CLICKHOUSE_EVENT_TTL_DAYS", "", None, None, kept=days(clickhouse_settings.event_ttl_days))
    return replace(part, holdings=[*rows, kept])


def _data_dir(name: str) -> Path:
    from local.settings import data_dir

    return data_dir() / name
