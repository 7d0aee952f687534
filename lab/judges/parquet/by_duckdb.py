"""DuckDB, which compares in SQL."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
from places import COUNTS, TICKS, UNIX_EPOCH, Place


class Duckdb:
    def __init__(self, parquet: Path, lines: Path) -> None:
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'")
        # Rows have an order in both, and it has to be the same.
        self.database.execute(
            "CREATE VIEW ours AS SELECT file_row_number AS at, * "
            f"FROM read_parquet('{parquet}', file_row_number = true)"
        )
        self.database.execute(
            "CREATE TABLE told AS SELECT row_number() OVER () - 1 AS at, json "
            f"FROM read_json_objects('{lines}', format = 'newline_delimited')"
        )
        self.parquet = parquet

    def columns(self) -> list[Place]:
        """Where columns stand; a map is one."""
        found = self.database.execute(
            "SELECT DISTINCT column_id, path_in_schema FROM parquet_metadata(?) ORDER BY ALL",
            [str(self.parquet)],
        ).fetchall()
        places = [tuple(path.split(", ")) for _, path in found]
        return list(dict.fromkeys(COUNTS if place[:1] == COUNTS else place for place in places))

    def differences(self, known: set[Place], kinds: Counter[str]) -> Iterator[str]:
        columns = self.columns()
        for place in sorted(known - set(columns)):
            yield f"{'.'.join(place)} has no column"
        counted = self.database.execute("SELECT event, count(*) FROM ours GROUP BY ALL").fetchall()
        if Counter(dict(counted)) != kinds:
            yield f"events {dict(counted)} for {dict(kinds)}"
        # Each place's count of rows that differ, in one pass.
        different = ", ".join(
            f"count(*) FILTER ({ours(place)} IS DISTINCT FROM {told(place)})" for place in columns
        )
        joined = f"SELECT {different} FROM ours FULL JOIN told ON ours.at = told.at"
        for place, count in zip(columns, self.database.execute(joined).fetchone()):
            if count:
                yield f"{count} values of {'.'.join(place)} are others"


def ours(place: Place) -> str:
    """A column's value as text, as JSON has it."""
    value = "ours." + ".".join(f'"{name}"' for name in place)
    if place == COUNTS:
        return f"CAST(to_json({value}) AS VARCHAR)"
    if is_time(place):
        return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f')"
    return f"CAST({value} AS VARCHAR)"


def told(place: Place) -> str:
    """The same, of the line."""
    if place[-1].endswith(TICKS):
        time = told_text((*place[:-1], place[-1].removesuffix(TICKS)))
        micros = f"epoch_us(CAST(left({time}, 26) AS TIMESTAMP))"
        return f"CAST({micros} * 10 + {UNIX_EPOCH} + CAST({time}[27] AS BIGINT) AS VARCHAR)"
    if is_time(place):
        return f"left({told_text(place)}, 26)"
    return told_text(place)


def told_text(place: Place) -> str:
    return f"(told.json ->> '$.{'.'.join(place)}')"


def is_time(place: Place) -> bool:
    return place[-1] == "time" or place[-1].endswith("_time")
