"""What can be wrong with an output, each thing planted in every line that it concerns."""

import json
from collections.abc import Callable, Iterable, Iterator

Event = dict[str, object]


def without(name: str) -> Callable[[Event], None]:
    return lambda event: event.pop(name, None) and None


def changed(name: str, change: Callable[[str], object]) -> Callable[[Event], None]:
    def spoil(event: Event) -> None:
        if name in event:
            event[name] = change(str(event[name]))

    return spoil


def swapped(one: str, other: str) -> Callable[[Event], None]:
    def spoil(event: Event) -> None:
        if one in event and other in event:
            event[one], event[other] = event[other], event[one]

    return spoil


def no_exits(event: Event) -> None:
    if event["EventID"] == 5:
        event.clear()


# What is broken, and how. An event that is cleared has no line.
FAULTS: dict[str, Callable[[Event], None]] = {
    "no channel": without("Channel"),
    "event ids one too high": changed("EventID", lambda id: int(id) + 1),
    "image loads called driver loads": changed("EventID", lambda id: 6 if id == "7" else int(id)),
    "no exits": no_exits,
    "paths on the device": changed(
        "Image", lambda path: path.replace("C:", r"\Device\HarddiskVolume3")
    ),
    "no path of a loaded image": without("ImageLoaded"),
    "a loaded image and its process swapped": swapped("Image", "ImageLoaded"),
    "parent and child swapped": swapped("Image", "ParentImage"),
    "source and target of a thread or handle swapped": swapped("SourceImage", "TargetImage"),
    "access in decimal": changed("GrantedAccess", lambda mask: str(int(mask, 16))),
    "access without 0x": changed("GrantedAccess", lambda mask: mask.removeprefix("0x")),
    "no start address": without("StartAddress"),
    "words for integrity of our own": changed("IntegrityLevel", lambda word: f"S-1-16-{word}"),
}


def planted(lines: Iterable[bytes], spoil: Callable[[Event], None]) -> Iterator[str]:
    for line in lines:
        event = json.loads(line)
        spoil(event)
        if event:
            yield json.dumps(event)
