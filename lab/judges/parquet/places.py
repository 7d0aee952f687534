"""Where facts stand: in the objects of a line, in the groups of a column."""

from collections.abc import Iterator

# The names on the way to a fact, from the outermost.
Place = tuple[str, ...]

# A map, whose keys are no places.
COUNTS: Place = ("lost",)
# Beside a time, the column with the same as Windows counts it.
TICKS = "_100ns"
# Of Windows' count, 1970.
UNIX_EPOCH = 116_444_736_000_000_000


def places_of(line: dict[str, object], before: Place = ()) -> Iterator[Place]:
    """The places of a line, of facts that are known and of those that are not."""
    for name, value in line.items():
        place = (*before, name)
        if isinstance(value, dict) and place != COUNTS:
            yield from places_of(value, place)
        elif value is not None:
            yield place
