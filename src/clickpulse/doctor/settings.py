"""From when on `clickpulse doctor` calls for a hand."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from clickpulse.settings import ServiceSettings


class DoctorSettings(ServiceSettings):
    """Limits of what needs no hand."""

    service = "doctor"
    model_config = SettingsConfigDict(env_prefix="DOCTOR_", extra="ignore", frozen=True)

    min_free_mb: int = Field(4096, ge=0, description="free disk where CLICKPULSE_HOME is")
    min_days_left: float = Field(7, ge=0, description="days until that disk is full, at the growth of the last day")
    airflow_database_mb: int = Field(2048, ge=1, description="size of Airflow's metadata")
    airflow_logs_mb: int = Field(2048, ge=1, description="size of Airflow's log folder")
    overdue_days: float = Field(2, ge=0, description="how long after its time something may still be there")
