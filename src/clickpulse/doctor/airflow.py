"""Airflow on this machine: the size of its metadata, and of its logs."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clickpulse.doctor.model import Finding, Holding, Part, days
from clickpulse.doctor.settings import DoctorSettings
from clickpulse.errors import TransientError

TITLE = "Airflow"
_MB = 1024**2
_DAY = timedelta(days=1)


def examine(database_url: str, log_folder: Path, now: datetime, *, logs_days: int, limits: DoctorSettings) -> Part:
    """Metadata and logs.

    Args:
        database_url: of Airflow's database, for libpq.
        log_folder: its base log folder; it may be missing.
        now: aware.
        logs_days: how long logs are kept.
        limits: from when on a hand is needed.

    Raises:
        TransientError: the database does not answer.
    """
    metadata, grown = _metadata(database_url)
    logs, logs_grown = _logs(log_folder, now, logs_days)
    findings = []
    if (metadata.bytes or 0) > limits.airflow_database_mb * _MB:
        since = f", since {metadata.oldest:%Y-%m-%d}" if metadata.oldest else ""
        findings.append(
            Finding(
                f"Airflow's metadata has {(metadata.bytes or 0) // _MB:,} MB{since}",
                "run `clickpulse doctor --clean-airflow 30`: `airflow db clean` of what is older than 30 days; "
                "or raise DOCTOR_AIRFLOW_DATABASE_MB",
            )
        )
    if (logs.bytes or 0) > limits.airflow_logs_mb * _MB:
        findings.append(
            Finding(
                f"Airflow's logs have {(logs.bytes or 0) // _MB:,} MB",
                "lower REPORT_AIRFLOW_LOGS_RETENTION_DAYS: the DAG `retention` removes older ones; "
                "or raise DOCTOR_AIRFLOW_LOGS_MB",
            )
        )
    return Part("airflow", TITLE, [metadata, logs], findings, grown + logs_grown)


def _metadata(url: str) -> tuple[Holding, int]:
    """The database, and what of it came in the last day, by its share of the runs."""
    import psycopg2

    query = (Path(__file__).parent / "airflow_runs.sql").read_text(encoding="utf-8")
    try:
        with closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            runs, last_day, oldest, newest, size = cursor.fetchone() or (0, 0, None, None, 0)
    except (psycopg2.OperationalError, psycopg2.errors.UndefinedTable) as error:
        cause = str(error).strip().partition("\n")[0]
        raise TransientError(f"Airflow's database does not answer: {cause}") from error
    grown = size * last_day // max(runs, 1)
    return Holding("metadata", "runs", runs, size, oldest, newest, "until `airflow db clean`"), grown


def _logs(folder: Path, now: datetime, kept: int) -> tuple[Holding, int]:
    count = size = grown = 0
    oldest = newest = None
    for file in folder.rglob("*"):
        try:
            if file.is_symlink() or not file.is_file():
                continue
            stat = file.stat()
        except FileNotFoundError:  # removed while we look
            continue
        written = datetime.fromtimestamp(stat.st_mtime, UTC)
        count, size = count + 1, size + stat.st_size
        grown += stat.st_size if now - written < _DAY else 0
        oldest, newest = min(oldest or written, written), max(newest or written, written)
    return Holding("logs", "files", count, size, oldest, newest, f"{days(kept)} after a run's last line"), grown
