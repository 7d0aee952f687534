"""Sysmon's events 6 and 255, as they follow from ntwatch's own: no recording can be replayed to
them."""

import json
from collections.abc import Iterable, Iterator

# Sysmon's words for what can be lost.
WORDS = {
    "process_start": "ProcessCreate",
    "process_exit": "ProcessTerminate",
    "thread_start": "CreateRemoteThread",
    "image_load": "ImageLoad",
    "handle_open": "ProcessAccess",
}


def expected(lines: Iterable[bytes], channel: str) -> Iterator[dict[str, object]]:
    """What there is to be for events in ntwatch's format, of the fields that rules look at."""
    for event in map(json.loads, lines):
        if event["event"] == "image_load" and event["image"]["kernel"]:
            driver = event["image"].get("path")
            yield {"EventID": 6, "Channel": channel, "ImageLoaded": driver}
        if event["event"] == "lost":
            counts = [f"{WORDS.get(kind, kind)}:{count}" for kind, count in event["lost"].items()]
            lost = " ".join(["Events dropped from driver queue:", *counts])
            yield {"EventID": 255, "Channel": channel, "ID": "QUEUE", "Description": lost}
