"""Do DuckDB and Polars read the same of a recording in Parquet and CSV as of it in JSON Lines?

    python judge.py FOLDER               FOLDER/events.parquet and .csv against FOLDER/events.jsonl
    python judge.py --self-test FOLDER   against lines with faults, each of which must be noticed

FOLDER/kinds is looked at, too. Each engine reads the files by itself; every column is compared, row
by row. Exit code 1: a value differs, a fact of the lines has no column, rows are missing, or
there was nothing to look at.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "common"))

import comma_separated
import spoil
from by_duckdb import Duckdb
from by_polars import Polars
from judging import EVENTS, KINDS, SHOWN, add_figure, read
from places import places_of

Engine = type[Duckdb] | type[Polars]
ENGINES: tuple[Engine, ...] = (Duckdb, Polars)

def replaced(place: str, change: Callable[[str], object]) -> spoil.Fault:
    """Another value, made of the one that is there."""

    def plant(line: spoil.Line) -> None:
        inside, name = spoil.find(line, place)
        if inside[name] is None:
            raise KeyError(place)
        inside[name] = change(inside[name])

    return plant


def later(time: str, digit: int) -> str:
    """With another digit there."""
    return time[:digit] + str((int(time[digit]) + 1) % 10) + time[digit + 1 :]


FAULTS: dict[str, spoil.Fault] = {
    "another number": spoil.put("process.pid", 3),
    "another key": spoil.put("process.key", "0x3"),
    "another text": replaced("process.command_line", lambda text: f"{text} "),
    "a word in capitals": replaced("target.type", str.upper),
    "a flag turned over": replaced("image.kernel", lambda kernel: not kernel),
    "a time a microsecond later": replaced("time", lambda time: later(time, 25)),
    "a time 100 ns later": replaced("time", lambda time: later(time, 26)),
    "a fact that is not known": spoil.put("process.image", None),
    "a fact that is known": spoil.add("process.sha256", "0" * 64),
    "a group that is not there": replaced("creator", lambda _: None),
    "another count": spoil.put("lost", {"thread_exit": 1}),
    "another event": spoil.put("event", "other"),
    "a fact without a column": spoil.add("process.colour", "red"),
}


def differences(folder: Path, lines: Path) -> Iterator[tuple[str, Iterator[str]]]:
    """What each engine finds in each format."""
    told = [json.loads(line) for line in read(lines) if line]
    if not told:
        yield "nobody", iter(["there is no event"])
        return
    known = {place for line in told for place in places_of(line)}
    kinds = Counter(line["event"] for line in told)
    for engine in ENGINES:
        found = engine(folder / "events.parquet", lines).differences(known, kinds)
        yield f"{engine.__name__}, Parquet", found
    for engine, reader in comma_separated.READERS.items():
        found = comma_separated.differences(reader, folder / "events.csv", told, known)
        yield f"{engine}, CSV", found


def judge(folder: Path) -> int | None:
    """How many values were compared; `None` if any is another."""
    lines = folder / EVENTS
    all_found = differences(folder, lines)
    wrong = [f"{who}: {what}" for who, found in all_found for what in islice(found, SHOWN)]
    for difference in wrong:
        print(f"FAILED: {folder.name}, {difference}", file=sys.stderr)
    if wrong:
        return None
    rows = len(read(lines))
    parquet = len(Duckdb(folder / "events.parquet", lines).columns())
    cells = len(comma_separated.by_duckdb(folder / "events.csv"))
    print(f"{rows:>7} rows of {parquet} columns in Parquet and {cells} in CSV, by two engines")
    return rows * (parquet * len(ENGINES) + cells * len(comma_separated.READERS))


def self_test(folder: Path) -> int:
    """How many faults go unnoticed."""
    lines = read(folder / EVENTS)
    spoiled = {name: spoil.planted(lines, fault) for name, fault in FAULTS.items()}
    spoiled["a line that is missing"] = lines[1:]
    spoiled["a line that is there twice"] = [*lines, lines[-1]]
    spoiled["nothing at all"] = []
    noticed = unnoticed = 0
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / EVENTS
        for name, planted in spoiled.items():
            # Where no line has what the fault is about, nothing is spoiled, nor noticed.
            planted = lines if planted is None else planted
            path.write_text("".join(f"{line}\n" for line in planted), "utf-8")
            for who, found in differences(folder, path):
                first = next(found, None)
                print(f"{name:<42} {who}: {first or 'NOT NOTICED'}")
                noticed += first is not None
                unnoticed += first is None
    add_figure("faults beside Parquet and CSV, noticed", noticed, "faults")
    return unnoticed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recording", type=Path, nargs="?", help="what the events are made of")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    # One event of each kind stands beside those of the recording, which has not all of them.
    folders = (arguments.folder, arguments.folder / KINDS)
    if arguments.self_test:
        sys.exit(self_test(folders[-1]) > 0)
    compared = [judge(folder) for folder in folders]
    if None in compared:
        sys.exit(1)
    add_figure("values of Parquet and CSV, by engines of others", sum(compared), "values")
