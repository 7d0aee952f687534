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


def no(kind: int) -> Callable[[Event], None]:
    def spoil(event: Event) -> None:
        if event["EventID"] == kind:
            event.clear()

    return spoil


def called(kind: int, other: int) -> Callable[[Event], None]:
    return changed("EventID", lambda id: other if id == str(kind) else int(id))


# What is broken, and how. An event that is cleared has no line.
FAULTS: dict[str, Callable[[Event], None]] = {
    "no channel": without("Channel"),
    "event ids one too high": changed("EventID", lambda id: int(id) + 1),
    "image loads called driver loads": called(7, 6),
    "no exits": no(5),
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

# The same, for what no recording has.
OF_KINDS: dict[str, Callable[[Event], None]] = {
    "driver loads called image loads": called(6, 7),
    "image loads called driver loads, of each kind": called(7, 6),
    "no driver loads": no(6),
    "no path of a driver": without("ImageLoaded"),
    "no losses": no(255),
    "a loss of another cause": changed("ID", lambda _: "DriverCommunication"),
    "words for losses of our own": changed(
        "Description", lambda text: text.replace("ProcessAccess", "handle_open")
    ),
    "a loss that is smaller": changed("Description", lambda text: text.replace(":4", ":3")),
}


def planted(lines: Iterable[bytes], spoil: Callable[[Event], None]) -> Iterator[str]:
    for line in lines:
        event = json.loads(line)
        spoil(event)
        if event:
            yield json.dumps(event)
