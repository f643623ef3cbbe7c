"""Spark sessions: on the warm Spark Connect server, or in this process for a local file."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from clickpulse.settings import SparkSettings
from spark.failures import explained

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SESSIONS = uuid.UUID("6f4f6a5e-3c0c-4d29-9d53-5b0b4f2f7c11")


def connect_session(settings: SparkSettings, moment: datetime) -> SparkSession:
    """The session that all jobs of `moment`'s hour (aware) share on the Spark Connect server.

    A session of its own costs each job 0.1 to 0.15 s and the server twice the CPU time, as it analyses
    and loads everything anew. Jobs register nothing in the session, so they can't disturb each other,
    and nobody stops it. The server closes an idle one after a time
    (`spark.connect.session.manager.defaultSessionTimeout`) and then refuses its id for ever: the job
    gets a session of its own instead, and the next hour a new shared one.

    Raises:
        TransientError: the server doesn't answer.
    """
    from pyspark.errors import PySparkException

    name = uuid.uuid5(_SESSIONS, moment.strftime("%Y-%m-%dT%H"))
    separator = "" if settings.connect_url.endswith(";") else ";" if "/;" in settings.connect_url else "/;"
    try:
        session = _create(f"{settings.connect_url}{separator}session_id={name}")
        session.version  # noqa: B018 - the first request tells whether the session can be used
    except PySparkException as error:
        if "INVALID_HANDLE.SESSION" not in str(error):
            raise explained(error, f"Spark Connect at {settings.connect_url} gave no session") from error
        session = _create(settings.connect_url)
    return session


def submitted_session(master: str | None) -> SparkSession:
    """A session with its own JVM: of `spark-submit` where it started this process, else on `master`."""
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    conf = SparkConf().set("spark.sql.session.timeZone", "UTC")
    if master:
        conf = conf.setMaster(master).setAppName("clickpulse-report")
    conf.setIfMissing("spark.sql.shuffle.partitions", "1")  # small data: 200, the default, take seconds to schedule
    # The session's builder would go to a Connect server wherever a variable of PySpark's names one.
    return SparkSession(SparkContext.getOrCreate(conf))


def _create(remote: str) -> SparkSession:
    """A new client: `getOrCreate` returns whatever session the process has, also one that the server closed.

    The client retries for ten minutes by itself; this one gives up after about two seconds and says what is wrong.
    """
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.retries import DefaultPolicy

    session = SparkSession.builder.remote(remote).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=4, initial_backoff=100, backoff_multiplier=2)])
    return session
