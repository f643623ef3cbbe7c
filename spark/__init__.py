"""The report job: one minute's Parquet in, one report out."""
