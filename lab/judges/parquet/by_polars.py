"""Polars, which compares column by column."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars
from places import COUNTS, TICKS, UNIX_EPOCH, Place


class Polars:
    def __init__(self, parquet: Path, lines: Path) -> None:
        self.ours = flat(polars.read_parquet(parquet))
        self.told = flat(polars.read_ndjson(lines, infer_schema_length=None))

    def differences(self, known: set[Place], kinds: Counter[str]) -> Iterator[str]:
        for place in sorted(known - self.ours.keys()):
            yield f"{'.'.join(place)} has no column"
        counted = Counter(self.ours[("event",)].to_list())
        if counted != kinds:
            yield f"events {dict(counted)} for {dict(kinds)}"
            return
        for place, column in self.ours.items():
            told = self.of_lines(place, len(column))
            differ = (text(place, column).ne_missing(told)).sum()
            if differ:
                yield f"{differ} values of {'.'.join(place)} are others"

    def of_lines(self, place: Place, rows: int) -> polars.Series:
        """What a column should have, as text; nothing if the lines have no such fact."""
        name = place[-1]
        source = (*place[:-1], name.removesuffix(TICKS))
        told = self.told.get(source)
        if told is None or told.dtype == polars.Null:
            return polars.Series([None] * rows, dtype=polars.String)
        if place == COUNTS:
            counts = [known(value) for value in told.to_list()]
            return polars.Series([repr(value) if value else None for value in counts], dtype=polars.String)
        told = told.cast(polars.String)
        if name.endswith(TICKS):
            micros = told.str.slice(0, 26).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6f", time_unit="us")
            ticks = micros.dt.epoch("us") * 10 + UNIX_EPOCH + told.str.slice(26, 1).cast(polars.Int64)
            return ticks.cast(polars.String)
        if name == "time" or name.endswith("_time"):
            return told.str.slice(0, 26)
        return told


def flat(frame: polars.DataFrame) -> dict[Place, polars.Series]:
    """The columns that are no groups."""
    columns: dict[Place, polars.Series] = {}

    def add(place: Place, column: polars.Series) -> None:
        if isinstance(column.dtype, polars.Struct) and place != COUNTS:
            for field in column.struct.fields:
                add((*place, field), column.struct.field(field))
        else:
            columns[place] = column

    for column in frame.iter_columns():
        add((column.name,), column)
    return columns


def text(place: Place, column: polars.Series) -> polars.Series:
    """As it stands in JSON."""
    if place == COUNTS:
        maps = [known(row) if row else None for row in column.to_list()]
        return polars.Series([repr(value) if value else None for value in maps], dtype=polars.String)
    if isinstance(column.dtype, polars.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S.%6f")
    return column.cast(polars.String)


def known(counts: dict[str, int | None] | None) -> dict[str, int]:
    """In an order of its own, without kinds that other rows have."""
    return {kind: count for kind, count in sorted((counts or {}).items()) if count is not None}
