"""What a client says to the driver and hears from it, by the documentation of `protocol/`."""

import struct
from dataclasses import dataclass

GET_VERSION = 0x9A17_6000
CONFIGURE = 0x9A17_6004
READ_EVENTS = 0x9A17_600A
MAX_RECORD_SIZE = 256 * 1024
PROCESS_START, PROCESS_EXIT = 1, 2


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


@dataclass
class Record:
    """A record of a process that starts or exits."""

    kind: int
    seq: int
    pid: int
    key: int
    texts: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Record":
        size, kind, _, seq, _, key = struct.unpack_from("<IHHQqQ", data)
        if size != len(data):
            raise ValueError(f"a record of {size} bytes in {len(data)}")
        # Of a start: image name, image path and command line; of an exit: the image.
        pid, spans = (64, (112, 120, 128)) if kind == PROCESS_START else (40, (48,))
        texts = []
        for span in spans:
            offset, length = struct.unpack_from("<II", data, span)
            texts.append(data[offset : offset + length].decode("utf-16-le") if offset else "")
        return cls(kind, seq, struct.unpack_from("<I", data, pid)[0], key, tuple(texts))
