"""Why a new Avro schema can't read what an old one wrote (BACKWARD compatibility), field by field.

The registry decides; this only finds the words for a person. It covers records, enums, unions and primitive types with
Avro's promotions (Avro 1.12 specification, "Schema Resolution"), which is all that the event schemas use.
"""

from __future__ import annotations

from typing import Any

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def backward_problems(old: Any, new: Any, field: str = "") -> list[str]:  # noqa: PLR0911 - one a kind of type
    """What keeps `new` from reading data written with `old`; empty if nothing was found.

    Args:
        old: the registered schema, as parsed JSON.
        new: the proposed schema, as parsed JSON.
        field: dotted name of the field that the types belong to; empty for the record itself.
    """
    where = f"field {field}" if field else "the record"
    if isinstance(old, list):
        return [problem for branch in old for problem in backward_problems(branch, new, field)]
    if isinstance(new, list):
        if any(not backward_problems(old, branch, field) for branch in new):
            return []
        return [f"{where}: {_name(old)} was allowed and no longer is (now {_name(new)})"]
    old_type, new_type = _type(old), _type(new)
    if old_type == new_type == "record":
        return _record_problems(old, new, field)
    if old_type == new_type == "enum":
        return _enum_problems(old, new, where)
    if old_type == new_type or new_type in _PROMOTIONS.get(old_type, ()):
        return []
    return [f"{where}: its type changed from {_name(old)} to {_name(new)}"]


def _record_problems(old: dict[str, Any], new: dict[str, Any], field: str) -> list[str]:
    problems = []
    if _full_name(old) != _full_name(new):
        problems.append(f"the record was renamed from {_full_name(old)} to {_full_name(new)}")
    old_fields = {entry["name"]: entry for entry in old["fields"]}
    for entry in new["fields"]:
        path = f"{field}.{entry['name']}" if field else entry["name"]
        before = next(
            (old_fields[name] for name in (entry["name"], *entry.get("aliases", [])) if name in old_fields), None
        )
        if before is not None:
            problems += backward_problems(before["type"], entry["type"], path)
        elif "default" not in entry:
            problems.append(f"field {path} is new and has no default: give it one")
    return problems


def _enum_problems(old: dict[str, Any], new: dict[str, Any], where: str) -> list[str]:
    gone = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
    if gone and "default" not in new:
        return [f"{where}: the symbol {', '.join(gone)} was removed"]
    return []


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return str(schema)
    inner = schema["type"]
    return _type(inner) if isinstance(inner, dict) else str(inner)


def _name(schema: Any) -> str:
    if isinstance(schema, list):
        return " or ".join(_name(branch) for branch in schema)
    return str(schema.get("name", _type(schema))) if isinstance(schema, dict) else str(schema)


def _full_name(schema: dict[str, Any]) -> str:
    return ".".join(part for part in (schema.get("namespace"), schema["name"]) if part)
