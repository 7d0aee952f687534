"""Do Sigma rules hit the same events in a recording of Sysmon's and in what ntwatch tells of it?

    python judge.py FOLDER RECORDING               FOLDER/sysmon.jsonl against the recording
    python judge.py --self-test FOLDER RECORDING   with faults in it, each of which must be noticed

pySigma makes a query of each rule in `rules`, for SQLite and by its pipelines for Sysmon and for
Windows. The queries run over two tables of events, which are the same in number and order. Exit
code 1: a rule hits other events of one table than of the other, fewer than ten rules hit any, or a
kind of event has none that a rule hits.

What no recording can be replayed to, drivers and losses, is judged by `rules_of_kinds`, in
FOLDER/kinds and against what ntwatch's own format says there.
"""

import argparse
import json
import re
import sqlite3
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.sysmon import sysmon_pipeline
from sigma.pipelines.windows import windows_logsource_pipeline

sys.path.append(str(Path(__file__).parents[1] / "common"))

import faults
from judging import add_figure
from unrecorded import expected

CHANNEL = "Microsoft-Windows-Sysmon/Operational"
# Those that a recording can be replayed to,
RECORDED = (1, 5, 7, 8, 10)
# and the others.
UNRECORDED = (6, 255)
# With fewer rules that hit, equal hits of a recording say little.
FEWEST_RULES = 10
# The table that the backend's queries are about.
TABLE = "logs"

Event = dict[str, object]


def events_of(lines: Iterable[bytes | str], kinds: tuple[int, ...] = RECORDED) -> list[Event]:
    """Sysmon's events of these kinds."""
    events = (json.loads(line) for line in lines)
    return [e for e in events if e.get("EventID") in kinds and e.get("Channel") == CHANNEL]


def recorded_lines(recording: Path) -> Iterator[bytes]:
    """JSON lines, or a zip of files of them."""
    if recording.suffix != ".zip":
        yield from recording.read_bytes().splitlines()
        return
    with zipfile.ZipFile(recording) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield from member


def queries(rules: Path) -> dict[str, str]:
    """The query that each rule becomes."""
    backend = sqliteBackend(processing_pipeline=sysmon_pipeline() + windows_logsource_pipeline())
    made = {}
    for rule in sorted(rules.glob("*.yml")):
        (query,) = backend.convert(SigmaCollection.from_yaml(rule.read_text("utf-8")))
        made[rule.stem] = query
    return made


class Events:
    """A table of events, numbered from 1."""

    def __init__(self, events: list[Event], columns: list[str]) -> None:
        self.kinds = Counter(int(event["EventID"]) for event in events)
        self.database = sqlite3.connect(":memory:")
        self.database.create_function("REGEXP", 2, matches, deterministic=True)
        # Sigma's values match in any case.
        declared = ", ".join(f'"{column}" TEXT COLLATE NOCASE' for column in columns)
        self.database.execute(f"CREATE TABLE {TABLE} ({declared})")
        places = ", ".join("?" * len(columns))
        rows = ([text(event.get(column)) for column in columns] for event in events)
        self.database.executemany(f"INSERT INTO {TABLE} VALUES ({places})", rows)

    def hits(self, query: str) -> dict[int, str]:
        """Number and kind of each event that the rule hits."""
        query = query.replace("SELECT *", "SELECT rowid, EventID", 1)
        return dict(self.database.execute(query))


def matches(pattern: str, value: str | None) -> bool:
    return value is not None and re.search(pattern, value) is not None


def text(value: object) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value)


class Verdict:
    """What differs, what was not looked at, and how much was."""

    def __init__(
        self,
        told: list[Event],
        recorded: list[Event],
        rules: dict[str, str],
        kinds: tuple[int, ...] = RECORDED,
        fewest: int = FEWEST_RULES,
    ) -> None:
        # N.B. To SQLite two names are one column if only their case differs.
        names = {name.lower(): name for event in told + recorded for name in event}
        columns = sorted(names.values())
        ours, theirs = Events(told, columns), Events(recorded, columns)
        self.differences: list[str] = []
        if ours.kinds != theirs.kinds:
            counts = [sorted(kinds.items()) for kinds in (ours.kinds, theirs.kinds)]
            self.differences.append(f"events and how many: {counts[0]}, recorded {counts[1]}")
        self.hits: dict[str, int] = {}
        self.by_kind: Counter[int] = Counter()
        for rule, query in rules.items():
            told_hits, recorded_hits = ours.hits(query), theirs.hits(query)
            if told_hits != recorded_hits:
                differ = told_hits.items() ^ recorded_hits.items()
                first = min(number for number, _ in differ)
                self.differences.append(f"{rule}: {len(differ)} hits differ, the first is {first}")
            self.hits[rule] = len(recorded_hits)
            self.by_kind.update(int(kind) for kind in recorded_hits.values())
        self.with_hits = sum(hits > 0 for hits in self.hits.values())
        unproved = (kind for kind in kinds if not self.by_kind[kind])
        self.unproved = [f"no rule hits any event {kind} that was recorded" for kind in unproved]
        if self.with_hits < fewest:
            self.unproved.append(f"only {self.with_hits} rules hit, of {fewest} at least")

    def failures(self) -> list[str]:
        return self.differences + self.unproved


class Unrecorded:
    """What no recording has, of one event of each kind."""

    def __init__(self, folder: Path) -> None:
        self.lines = (folder / "sysmon.jsonl").read_bytes().splitlines()
        events = (folder / "events.jsonl").read_bytes().splitlines()
        self.expected = list(expected(events, CHANNEL))
        self.rules = queries(Path(__file__).parent / "rules_of_kinds")

    def verdict(self, lines: Iterable[bytes | str]) -> Verdict:
        told = events_of(lines, UNRECORDED)
        return Verdict(told, self.expected, self.rules, UNRECORDED, len(self.rules))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    lines = (arguments.folder / "sysmon.jsonl").read_bytes().splitlines()
    told = events_of(lines)
    if not told:
        print("FAILED: sysmon.jsonl has no events", file=sys.stderr)
        return 1
    hosts = {event["Hostname"] for event in told}
    recorded = events_of(recorded_lines(arguments.recording))
    recorded = [event for event in recorded if event["Hostname"] in hosts]
    rules = queries(Path(__file__).parent / "rules")
    unrecorded = Unrecorded(arguments.folder / "kinds")

    if arguments.self_test:
        noticed = {
            name: Verdict(events_of(faults.planted(lines, spoil)), recorded, rules).differences
            for name, spoil in faults.FAULTS.items()
        }
        for name, spoil in faults.OF_KINDS.items():
            planted = faults.planted(unrecorded.lines, spoil)
            noticed[name] = unrecorded.verdict(planted).differences
        # Nor may a recording pass that proves too little, even if it is told of as it is.
        without_exits = [event for event in recorded if event["EventID"] != 5]
        poor = Verdict(without_exits, without_exits, rules)
        noticed["a recording without exits"] = poor.unproved
        few = dict(list(rules.items())[: FEWEST_RULES - 1])
        noticed["nine rules"] = Verdict(told, recorded, few).unproved
        for name, differences in noticed.items():
            print(f"{name:<48} {differences[0] if differences else 'NOT NOTICED'}")
        unnoticed = sum(not differences for differences in noticed.values())
        add_figure("faults in sysmon output, noticed", len(noticed) - unnoticed, "faults")
        return int(unnoticed > 0)

    verdict, of_kinds = Verdict(told, recorded, rules), unrecorded.verdict(unrecorded.lines)
    for rule, hits in (verdict.hits | of_kinds.hits).items():
        print(f"{rule:<32} {hits:>6} hits")
    failures = verdict.failures() + of_kinds.failures()
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    name = arguments.recording.stem
    add_figure(f"Sigma rules that hit in sysmon output as in {name}", verdict.with_hits, "rules")
    add_figure("events that they hit", verdict.by_kind.total(), "events")
    add_figure("Sigma rules for drivers and losses", of_kinds.with_hits, "rules")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
