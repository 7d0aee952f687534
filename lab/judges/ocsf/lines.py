"""What is wrong with a line."""

import json
from collections.abc import Iterator

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"
# The activity that a class has no number for. Its name is the source's own.
OTHER = 99
# What is said by number and by name, and must be said alike.
NAMED = {
    "activity_id": "activity_name",
    "category_uid": "category_name",
    "class_uid": "class_name",
    "severity_id": "severity",
    "status_id": "status",
    "type_uid": "type_name",
    "injection_type_id": "injection_type",
    "launch_type_id": "launch_type",
    "query_result_id": "query_result",
}

Line = dict[str, object]


class Schema:
    """OCSF, strictly: no attribute but those of a class."""

    def __init__(self) -> None:
        self.schema = get_ocsf_schema(VERSION)
        self.embedded = OcsfJsonSchemaEmbedded(self.schema)
        self.validators: dict[int, Draft202012Validator] = {}

    def complaints(self, text: str) -> Iterator[str]:
        try:
            line = json.loads(text)
        except ValueError as error:
            yield f"is no JSON: {error}"
            return
        uid = line.get("class_uid")
        if line.get("metadata", {}).get("version") != VERSION:
            yield f"is not said to be of OCSF {VERSION}"
        try:
            validator = self.validator(uid)
        except ValueError as error:
            yield str(error)
            return
        for error in validator.iter_errors(line):
            yield f"{error.json_path}: {error.message[:160]}"
        activity = line.get("activity_id")
        if activity is not None and line.get("type_uid") != uid * 100 + activity:
            yield "type_uid is not 100 * class_uid + activity_id"
        yield from self.misnamed(uid, line)

    def validator(self, uid: int) -> Draft202012Validator:
        if uid not in self.validators:
            name = self.embedded.lookup_class_name_from_uid(uid)
            schema = self.embedded.get_class_schema(name)
            without_deprecated(schema)
            self.validators[uid] = Draft202012Validator(schema)
        return self.validators[uid]

    def misnamed(self, uid: int, line: Line) -> Iterator[str]:
        name = self.embedded.lookup_class_name_from_uid(uid)
        attributes = self.schema["classes"][name]["attributes"]
        for number, name in NAMED.items():
            value = line.get(number)
            if value is None or (number == "activity_id" and value == OTHER):
                continue
            caption = attributes[number]["enum"].get(str(value), {}).get("caption")
            if line.get(name) != caption:
                yield f"{name} is {line.get(name)!r}, {number} {value} is {caption!r}"


def without_deprecated(schema: object) -> None:
    """Has attributes that are deprecated be none."""
    if isinstance(schema, dict):
        if isinstance(properties := schema.get("properties"), dict):
            schema["properties"] = {
                name: attribute
                for name, attribute in properties.items()
                if not attribute.get("deprecated")
            }
        for inner in schema.values():
            without_deprecated(inner)
