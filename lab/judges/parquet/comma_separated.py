"""The events as comma-separated values: a cell is the text that JSON has, a missing fact is empty."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars
from places import Place

Cells = dict[Place, list[str | None]]


def by_duckdb(table: Path) -> Cells:
    read = duckdb.read_csv(str(table), header=True, all_varchar=True, parallel=False)
    columns = zip(*read.fetchall(), strict=True)
    return {place_of(name): list(cells) for name, cells in zip(read.columns, columns, strict=True)}


def by_polars(table: Path) -> Cells:
    columns = polars.read_csv(table, infer_schema=False).iter_columns()
    return {place_of(column.name): column.to_list() for column in columns}


READERS: dict[str, Callable[[Path], Cells]] = {"Duckdb": by_duckdb, "Polars": by_polars}


def place_of(name: str) -> Place:
    return tuple(name.split("."))


def differences(
    read: Callable[[Path], Cells], table: Path, told: list[dict[str, object]], known: set[Place]
) -> Iterator[str]:
    cells = read(table)
    for place in sorted(known - cells.keys()):
        yield f"{'.'.join(place)} has no column"
    rows = len(cells[("event",)])
    if rows != len(told):
        yield f"{rows} rows for {len(told)} events"
        return
    for place, column in cells.items():
        pairs = zip(column, told, strict=True)
        differ = sum((cell or "") != text(line, place) for cell, line in pairs)
        if differ:
            yield f"{differ} values of {'.'.join(place)} are others"


def text(line: dict[str, object], place: Place) -> str:
    """What a cell should have."""
    value: object = line
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"))
