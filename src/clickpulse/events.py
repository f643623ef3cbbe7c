"""The user interaction, as every part names it. The contract itself is `producer/schemas/user_interaction.avsc`."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    ADD_TO_CART = "ADD_TO_CART"
    CHECKOUT = "CHECKOUT"
    PAYMENT = "PAYMENT"
    SEARCH = "SEARCH"
    VIEW_PRODUCT = "VIEW_PRODUCT"


class Status(StrEnum):
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


PRODUCT_EVENT_TYPES = frozenset({EventType.VIEW_PRODUCT, EventType.ADD_TO_CART})
"""The event types that carry a `product_id`; in all others it is null."""
