"""Faults to plant in lines of JSON. A fault is a function that spoils a line; where the line has
not what the fault is about, it raises KeyError."""

import json
from collections.abc import Callable

Line = dict[str, object]
Fault = Callable[[Line], None]


def put(place: str, value: object) -> Fault:
    """Another value in place of what is there."""

    def spoil(line: Line) -> None:
        inside, name = find(line, place)
        inside[name]
        inside[name] = value

    return spoil


def add(place: str, value: object) -> Fault:
    """A value where there may be none."""

    def spoil(line: Line) -> None:
        inside, name = find(line, place)
        inside[name] = value

    return spoil


def without(*places: str) -> Fault:
    def spoil(line: Line) -> None:
        for place in places:
            inside, name = find(line, place)
            del inside[name]

    return spoil


def find(line: Line, place: str) -> tuple[Line, str]:
    """The object that a place lies in, and its name there: `a.b` is `b` of the object `a`."""
    *outer, name = place.split(".")
    for inner in outer:
        line = line[inner]
    return line, name


def planted(lines: list[str], fault: Fault) -> list[str] | None:
    """The lines with the fault in the first that it can be in; `None` if there is no such line."""
    for number, text in enumerate(lines):
        line = json.loads(text)
        try:
            fault(line)
        except KeyError:
            continue
        return lines[:number] + [json.dumps(line)] + lines[number + 1 :]
    return None
