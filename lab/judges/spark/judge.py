"""Does Spark read the same of a recording in Parquet as the lines of JSON say?

    python judge.py FOLDER               FOLDER/events.parquet against FOLDER/events.jsonl
    python judge.py --self-test FOLDER   against lines with faults, each of which must be noticed

FOLDER/kinds is looked at, too. Every fact of every row is compared. Exit code 1: one is another, a
row is missing, or there was nothing to look at. Wants Java.
"""

import argparse
import json
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "common"))

import spoil
from judging import EVENTS, KINDS, SHOWN, add_figure, read
from pyspark.sql import SparkSession

# Beside a time, the column with the same as Windows counts it.
TICKS = "_100ns"
# Of Windows' count, 1970.
UNIX_EPOCH = 116_444_736_000_000_000

Facts = dict[str, object]

FAULTS: dict[str, spoil.Fault] = {
    "another number": spoil.put("process.pid", 3),
    "another key": spoil.put("process.key", "0x3"),
    "a time 100 ns later": spoil.put("time", "2026-11-22T03:03:27.1234568Z"),
    "a fact that is not known": spoil.put("process.image", None),
    "a fact without a column": spoil.add("process.colour", "red"),
    "another count": spoil.put("lost", {"thread_exit": 1}),
}


class Spark:
    def __init__(self) -> None:
        # Times come out in this process' own zone.
        os.environ["TZ"] = "UTC"
        # Its parts talk to each other, and to nobody else.
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        time.tzset()
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.sql.session.timeZone", "UTC")
        self.session = builder.config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")

    def rows(self, parquet: Path) -> list[Facts]:
        """By number; what is not known is left out."""
        rows = self.session.read.parquet(str(parquet)).collect()
        return by_number([known(row.asDict(recursive=True)) for row in rows])


def by_number(rows: list[Facts]) -> list[Facts]:
    return sorted(rows, key=lambda row: row["seq"])


def known(facts: Facts) -> Facts:
    """Without facts that are not known, and groups of such."""
    found = {}
    for name, value in facts.items():
        value = known(value) if isinstance(value, dict) else value
        if value is not None and value != {}:
            found[name] = value
    return found


def as_columns(line: Facts) -> Facts:
    """A line's facts as Parquet is to have them."""
    columns = {}
    for name, value in line.items():
        if isinstance(value, dict):
            columns[name] = as_columns(value)
        elif name == "time" or name.endswith("_time"):
            moment = datetime.strptime(value[:26], "%Y-%m-%dT%H:%M:%S.%f")
            columns[name] = moment
            since = moment.replace(tzinfo=timezone.utc) - datetime.fromtimestamp(0, timezone.utc)
            micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            columns[name + TICKS] = micros * 10 + UNIX_EPOCH + int(value[26])
        else:
            columns[name] = value
    return columns


def differences(rows: list[Facts], lines: list[str]) -> list[str]:
    told = by_number([as_columns(known(json.loads(line))) for line in lines if line])
    found = [f"{len(rows)} rows for {len(told)} lines"] if len(rows) != len(told) else []
    for row, line in zip(rows, told):
        if row != line:
            found.append(f"row {row} for {line}")
    return found if told else ["there is no event"]


def facts_in(row: object) -> int:
    return sum(map(facts_in, row.values())) if isinstance(row, dict) else 1


def judge(spark: Spark, folder: Path) -> int | None:
    """How many facts were compared; `None` if any is another."""
    rows = spark.rows(folder / "events.parquet")
    wrong = differences(rows, read(folder / EVENTS))
    for difference in wrong[:SHOWN]:
        print(f"FAILED: {folder.name}, {difference}", file=sys.stderr)
    print(f"{len(rows):>7} rows, by Spark")
    return None if wrong else sum(map(facts_in, rows))


def self_test(spark: Spark, folder: Path) -> int:
    """How many faults go unnoticed."""
    rows, lines = spark.rows(folder / "events.parquet"), read(folder / EVENTS)
    spoiled = {name: spoil.planted(lines, fault) for name, fault in FAULTS.items()}
    spoiled["a line that is missing"] = lines[1:]
    spoiled["nothing at all"] = []
    unnoticed = 0
    for name, planted in spoiled.items():
        noticed = None if planted is None else next(iter(differences(rows, planted)), None)
        print(f"{name:<42} {(noticed or 'NOT NOTICED')[:200]}")
        unnoticed += noticed is None
    add_figure("faults beside Parquet, noticed by Spark", len(spoiled) - unnoticed, "faults")
    return unnoticed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recording", type=Path, nargs="?", help="what the events are made of")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    spark = Spark()
    # One event of each kind stands beside those of the recording, which has not all of them.
    folders = (arguments.folder, arguments.folder / KINDS)
    if arguments.self_test:
        sys.exit(self_test(spark, folders[-1]) > 0)
    compared = [judge(spark, folder) for folder in folders]
    if None in compared:
        sys.exit(1)
    add_figure("facts of Parquet, by Spark", sum(compared), "facts")
