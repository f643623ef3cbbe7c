"""Accounting: what became of every message that Kafka acknowledged.

The figures come from what is there, asked anew each time: messages and offsets from Kafka (`kafka.py`), rows from
ClickHouse (`stored.py`), reports from the report API and the rows they were made of from S3 (`reports.py`), letters
from the dead-letter topic (`dead.py`). No counter of the pipeline is asked. `groups.py` puts each message into one
group, `reconcile.py` compares, `record.py` is the outcome, `step.py` does it regularly for the page.
"""
