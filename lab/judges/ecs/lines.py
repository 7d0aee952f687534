"""What is wrong with a line."""

import json
import re
from collections.abc import Iterator

from fields import Field

VERSION = "9.4.0"
DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
RFC3339 = re.compile(DATE + r"T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?Z")
# Facts as text that have no field.
LABELS = "labels"


def is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def is_argument(value: object) -> bool:
    """Of all texts an argument may be empty."""
    return isinstance(value, str)


def is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_date(value: object) -> bool:
    return isinstance(value, str) and RFC3339.fullmatch(value) is not None


# By the types of fields that ntwatch has use for. Any other type is a complaint.
IS_OF_TYPE = {
    "keyword": is_text,
    "constant_keyword": is_text,
    "wildcard": is_text,
    "match_only_text": is_text,
    "long": is_number,
    "date": is_date,
}


def leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """All that is no object, by its place; labels as one."""
    if isinstance(value, dict) and place != LABELS:
        for name, inner in value.items():
            yield from leaves(inner, f"{place}.{name}" if place else name)
    else:
        yield place, value


def complaints(fields: dict[str, Field], line: str) -> Iterator[str]:
    try:
        parsed = json.loads(line)
    except ValueError as error:
        yield f"is no JSON: {error}"
        return
    found = dict(leaves(parsed))
    for place, value in found.items():
        if field := fields.get(place):
            yield from (f"{place}: {what}" for what in of_leaf(field, value))
        else:
            yield f"{place}: is no field of ECS"
    if "@timestamp" not in found:
        yield "has no @timestamp"
    if found.get("ecs.version") != VERSION:
        yield f"is not said to be of ECS {VERSION}"
    yield from of_kind(fields, found)


def of_leaf(field: Field, value: object) -> Iterator[str]:
    if field["flat_name"] == LABELS:
        for name, label in value.items():
            if not is_text(label):
                yield f"{name} is {label!r} and no text"
        return
    is_list = isinstance(value, list)
    if is_list != ("array" in field["normalize"]):
        yield f"{value!r} is {'a' if is_list else 'no'} list"
        return
    values = value if is_list else [value]
    if not values:
        yield "is an empty list"
    is_of_type = is_argument if field["name"] == "args" else IS_OF_TYPE.get(field["type"])
    for value in values:
        if is_of_type is None or not is_of_type(value):
            yield f"{value!r} is no {field['type']}"
        elif (allowed := allowed_values(field)) and value not in allowed:
            yield f"{value!r} is none of {', '.join(allowed)}"


def allowed_values(field: Field) -> list[str]:
    allowed = field.get("allowed_values") or []
    return [value["name"] for value in allowed] or field.get("expected_values") or []


def of_kind(fields: dict[str, Field], found: dict[str, object]) -> Iterator[str]:
    """ECS' four fields of categorization belong together."""
    if found.get("event.kind") == "pipeline_error":
        return
    expected = {
        value["name"]: value["expected_event_types"]
        for value in fields["event.category"]["allowed_values"]
    }
    kinds, categories = found.get("event.type"), found.get("event.category")
    if not kinds or not categories:
        yield "has no event.type or no event.category"
        return
    types = [kind for category in categories for kind in expected.get(category, [])]
    for kind in kinds:
        if kind not in types:
            yield f"event.type {kind!r} is not expected of {categories}"
