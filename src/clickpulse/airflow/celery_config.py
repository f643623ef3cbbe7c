"""Celery's configuration: Airflow's own, and the tasks' imports done before a worker's processes fork.

Set `AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=clickpulse.airflow.celery_config.CELERY_CONFIG`. Celery imports what
`imports` names in a worker's main process, before its pool starts; in the scheduler it has no effect.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

from clickpulse.airflow.warm_imports import TASK_RUNTIME, TASKS

CELERY_CONFIG: dict[str, Any] = {**DEFAULT_CELERY_CONFIG, "imports": (*TASK_RUNTIME, *TASKS)}
