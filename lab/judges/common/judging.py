"""What judges of a schema's JSON lines do alike."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import spoil

# The lines' events, in ntwatch's own format.
EVENTS = "events.jsonl"
# The folder in the folder with one event of each kind, some of which no recording has.
KINDS = "kinds"
# Who wants to read more?
SHOWN = 20

# What both an event and its line tell: its number, and ntwatch's word for it.
Identity = tuple[object, object]


@dataclass
class Judge:
    """Looks at files of lines, of which there has to be one for each event."""

    # The schema's name, and the file that is said to be of it.
    schema: str
    output: str
    # Where a line has the number and the word.
    sequence: str
    kind: str
    # What is wrong with a line.
    complaints: Callable[[str], Iterator[str]]
    faults: dict[str, spoil.Fault]

    def run(self, documentation: str) -> int:
        parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
        parser.add_argument("folder", type=Path)
        parser.add_argument("recording", type=Path, nargs="?", help="what the events are made of")
        parser.add_argument("--self-test", action="store_true")
        arguments = parser.parse_args()
        kinds = arguments.folder / KINDS
        if arguments.self_test:
            return int(self.self_test(kinds) > 0)
        judged = [self.judge(folder) for folder in (arguments.folder, kinds)]
        if None in judged:
            return 1
        add_figure(f"lines of {self.schema}, by a checker of others", sum(judged), "lines")
        return 0

    def judge(self, folder: Path) -> int | None:
        """How many lines there are; `None` if something is wrong with them."""
        lines, events = read(folder / self.output), events_of(folder)
        wrong = list(islice(self.failures(lines, events), SHOWN))
        for failure in wrong:
            print(f"FAILED: {folder.name}/{self.output}, {failure}", file=sys.stderr)
        if wrong:
            return None
        for kind, count in sorted(Counter(kind for _, kind in events).items()):
            print(f"{kind:<16} {count:>7} lines of {self.schema}")
        return len(lines)

    def failures(self, lines: list[str], events: list[Identity]) -> Iterator[str]:
        for number, (line, event) in enumerate(zip_longest(lines, events), 1):
            told = None if line is None else self.identity(line)
            if told != event:
                yield f"line {number}: is of {told}, the event is {event}"
            if line is not None:
                yield from (f"line {number}: {complaint}" for complaint in self.complaints(line))
        if not lines:
            yield "there is no line"

    def identity(self, line: str) -> Identity | None:
        try:
            parsed = json.loads(line)
            found = [spoil.find(parsed, place) for place in (self.sequence, self.kind)]
            sequence, kind = (inside[name] for inside, name in found)
        except (ValueError, KeyError, TypeError):
            return None
        return sequence, kind

    def self_test(self, folder: Path) -> int:
        """How many faults go unnoticed."""
        lines, events = read(folder / self.output), events_of(folder)
        spoiled = {name: spoil.planted(lines, fault) for name, fault in self.faults.items()}
        spoiled["a line that is missing"] = lines[1:]
        spoiled["a line that is there twice"] = [*lines, lines[-1]]
        spoiled["two lines in each other's place"] = [lines[1], lines[0], *lines[2:]]
        spoiled["a line that is cut off"] = [*lines[:-1], lines[-1][:-2]]
        spoiled["nothing at all"] = []
        unnoticed = 0
        for name, planted in spoiled.items():
            noticed = None if planted is None else next(self.failures(planted, events), None)
            print(f"{name:<42} {noticed or 'NOT NOTICED'}")
            unnoticed += noticed is None
        add_figure(f"faults in {self.schema}, noticed", len(spoiled) - unnoticed, "faults")
        return unnoticed


def events_of(folder: Path) -> list[Identity]:
    events = map(json.loads, read(folder / EVENTS))
    return [(event["seq"], event["event"]) for event in events]


def read(path: Path) -> list[str]:
    # Not `splitlines`: text may have U+2028.
    return path.read_text("utf-8").removesuffix("\n").split("\n")


def add_figure(check: str, cases: int, of: str) -> None:
    """Adds a figure to the file that a table is made of, if there is one (`lab/figures`)."""
    if path := os.environ.get("NTWATCH_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{check}\t{cases}\t{of}\n")
