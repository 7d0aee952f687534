"""What judges of a schema's JSON lines do alike."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import spoil

# Of these many lines of each kind of event the tests of a judge itself are made.
SAMPLES = 20
# Who wants to read more?
SHOWN = 20


@dataclass
class Judge:
    """Looks at a file of lines, of which there has to be one for each event."""

    # The schema's name, and the file that is said to be of it.
    schema: str
    output: str
    # Where ntwatch's own word for the kind of event stands.
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
        lines = read(arguments.folder / self.output)
        if arguments.self_test:
            return int(self.self_test(lines) > 0)
        told = read(arguments.folder / "events.jsonl")
        events = Counter(json.loads(line)["event"] for line in told)
        wrong = list(islice(self.failures(lines, events), SHOWN))
        for failure in wrong:
            print(f"FAILED: {failure}", file=sys.stderr)
        if not wrong:
            for kind, count in sorted(events.items()):
                print(f"{kind:<16} {count:>7} lines of {self.schema}")
            add_figure(f"lines of {self.schema}, by a checker of others", len(lines), "lines")
        return int(bool(wrong))

    def failures(self, lines: list[str], events: Counter[object]) -> Iterator[str]:
        told: Counter[object] = Counter()
        for number, line in enumerate(lines, 1):
            told[self.kind_of(line)] += 1
            for complaint in self.complaints(line):
                yield f"line {number}: {complaint}"
        for kind in sorted(told.keys() | events.keys(), key=str):
            if told[kind] != events[kind]:
                yield f"{told[kind]} lines for {events[kind]} events {kind}"
        if not lines:
            yield "there is no line"

    def kind_of(self, line: str) -> object:
        try:
            inside, name = spoil.find(json.loads(line), self.kind)
            return inside[name]
        except (ValueError, KeyError, TypeError):
            return None

    def self_test(self, lines: list[str]) -> int:
        """How many faults go unnoticed."""
        lines = self.samples(lines)
        events = Counter(self.kind_of(line) for line in lines)
        spoiled = {name: spoil.planted(lines, fault) for name, fault in self.faults.items()}
        spoiled["a line that is missing"] = lines[1:]
        spoiled["a line that is there twice"] = lines[:1] + lines
        spoiled["a line that is cut off"] = [*lines[:-1], lines[-1][:-2]]
        spoiled["nothing at all"] = []
        unnoticed = 0
        for name, planted in spoiled.items():
            noticed = None if planted is None else next(self.failures(planted, events), None)
            print(f"{name:<42} {noticed or 'NOT NOTICED'}")
            unnoticed += noticed is None
        add_figure(f"faults in {self.schema}, noticed", len(spoiled) - unnoticed, "faults")
        return unnoticed

    def samples(self, lines: list[str]) -> list[str]:
        seen: Counter[object] = Counter()
        chosen = []
        for line in lines:
            seen[kind := self.kind_of(line)] += 1
            if seen[kind] <= SAMPLES:
                chosen.append(line)
        return chosen


def read(path: Path) -> list[str]:
    # Not `splitlines`: text may have U+2028.
    return path.read_text("utf-8").removesuffix("\n").split("\n")


def add_figure(check: str, cases: int, of: str) -> None:
    """Adds a figure to the file that a table is made of, if there is one (`lab/figures`)."""
    if path := os.environ.get("NTWATCH_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{check}\t{cases}\t{of}\n")
