"""What a client says to the driver and hears from it, by the documentation of `protocol/`."""

import struct
from dataclasses import dataclass

GET_VERSION = 0x9A17_6000
CONFIGURE = 0x9A17_6004
READ_EVENTS = 0x9A17_600A
MAP_RING = 0x9A17_600C
PROTECT_ADD = 0x9A17_A014
MAX_RECORD_SIZE = 256 * 1024
PROCESS_START, PROCESS_EXIT, THREAD_START, THREAD_EXIT, IMAGE_LOAD, HANDLE_OPEN = range(1, 7)
# What stands where in the records of each kind: a number, or by offset and length a text.
TEXT = "II"
FIELDS = {
    PROCESS_START: {
        "key": ("Q", 24),
        "pid": ("I", 64),
        "name": (TEXT, 112),
        "path": (TEXT, 120),
        "command line": (TEXT, 128),
    },
    PROCESS_EXIT: {"key": ("Q", 24), "pid": ("I", 40), "path": (TEXT, 48)},
    THREAD_START: {
        "key": ("Q", 24),
        "creator key": ("Q", 32),
        "start address": ("Q", 40),
        "pid": ("I", 48),
        "tid": ("I", 52),
        "creator pid": ("I", 56),
        "creator tid": ("I", 60),
    },
    THREAD_EXIT: {"key": ("Q", 24), "pid": ("I", 32), "tid": ("I", 36), "status": ("I", 40)},
    IMAGE_LOAD: {
        "key": ("Q", 24),
        "base": ("Q", 32),
        "size": ("Q", 40),
        "pid": ("I", 48),
        "name": (TEXT, 72),
    },
    HANDLE_OPEN: {
        "source key": ("Q", 24),
        "target key": ("Q", 32),
        "source pid": ("I", 64),
        "source tid": ("I", 68),
        "target pid": ("I", 72),
        "original": ("I", 92),
        "desired": ("I", 96),
        "granted": ("I", 100),
        "status": ("I", 104),
    },
}


@dataclass
class Version:
    """The answer to GET_VERSION."""

    size: int
    protocol: tuple[int, int]
    driver: tuple[int, ...]
    load_id: int
    kinds: int
    max_record_size: int

    @classmethod
    def parse(cls, answer: bytes) -> "Version":
        size, major, minor, *driver, load_id, kinds, record = struct.unpack("<IHH4HQII", answer)
        return cls(size, (major, minor), tuple(driver), load_id, kinds, record)


def configure(kinds: int) -> bytes:
    """The input of CONFIGURE: these kinds of event, a ring of the default size, no clauses."""
    return struct.pack("<IIII", 16, kinds, 0, 0)


def map_ring(event: int) -> bytes:
    """The input of MAP_RING: a ring of the default size, and an event that wakes the client."""
    return struct.pack("<IIIIQ", 24, 0, 0, 0, event)


def rule(key: int, pid: int, process: int) -> bytes:
    """The input of PROTECT_ADD: the rights that new handles to a process are not to have."""
    return struct.pack("<QIIII", key, pid, 0, process, 0)


@dataclass
class Record:
    """What happened."""

    kind: int
    seq: int
    facts: dict[str, int | str]

    @classmethod
    def parse(cls, data: bytes) -> "Record":
        size, kind, _, seq = struct.unpack_from("<IHHQ", data)
        if size != len(data) or kind not in FIELDS:
            raise ValueError(f"a record of kind {kind} and {size} bytes in {len(data)}")
        facts = {}
        for name, (form, at) in FIELDS[kind].items():
            numbers = struct.unpack_from(f"<{form}", data, at)
            facts[name] = text(data, *numbers) if form == TEXT else numbers[0]
        return cls(kind, seq, facts)


def text(record: bytes, offset: int, length: int) -> str:
    """A text in a record; what is not there is at 0."""
    return record[offset : offset + length].decode("utf-16-le") if offset else ""
