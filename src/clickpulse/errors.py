"""The errors of Clickpulse: each class says what has to happen next.

| class | what to do |
|---|---|
| `ConfigurationError` | stop: a person has to change a setting |
| `TransientError` | retry, with back-off; nothing is lost meanwhile |
| `BadRecordError` | dead-letter the record with the reason, go on with the others |

Anything else is a bug and surfaces as it is.
"""

from __future__ import annotations


class ClickpulseError(Exception):
    """Base of all errors that Clickpulse raises on purpose."""


class ConfigurationError(ClickpulseError):
    """A setting, a schema or a file is wrong: stop and say which, with the remedy."""


class TransientError(ClickpulseError):
    """A dependency does not answer just now: retry."""


class BadRecordError(ClickpulseError):
    """One record can't be used.

    Args:
        reason: for people, names the field and the value.
        error_class: a short stable word to group by, such as `malformed-avro`.
    """

    def __init__(self, reason: str, error_class: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error_class = error_class
