"""The first query on a fresh Spark Connect server takes about 10 s: ask it before a report has to."""

from __future__ import annotations

from clickpulse.clients import spark_session
from clickpulse.settings import S3Settings, SparkSettings


def main() -> None:
    """Write and read a small Parquet object through S3A, as a report's job does."""
    spark = spark_session(SparkSettings.load())
    path = f"s3a://{S3Settings.load().bucket}/warm-up/"
    spark.range(100).selectExpr("id", "id % 5 AS kind").write.mode("overwrite").parquet(path)
    counted = spark.read.parquet(path).groupBy("kind").count().collect()
    if sum(row["count"] for row in counted) != 100:  # noqa: PLR2004
        raise RuntimeError(f"Spark read {counted} where it wrote 100 rows to {path}")
    spark.stop()


if __name__ == "__main__":
    main()
