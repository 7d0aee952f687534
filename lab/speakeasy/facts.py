"""The facts of KMDF's public headers: what a function takes, how a structure lies in memory."""

import json
from pathlib import Path

FILE = Path(__file__).parent.parent / "wdk/facts/kmdf-1.31.json"


class Facts:
    """What the file says, by name."""

    def __init__(self) -> None:
        facts = json.loads(FILE.read_text())
        self.function_count: int = facts["function_count"]
        self.enums: dict[str, dict[str, int]] = facts["enums"]
        self._functions = facts["functions"]
        self._structs = facts["structs"] | facts["loader_structs"]

    def index(self, function: str) -> int:
        """Its place in the framework's table."""
        return self._functions[function]["index"]

    def parameters(self, function: str) -> list[str]:
        """The types of its parameters."""
        return self._functions[function]["parameters"]

    def name(self, index: int) -> str:
        """The function at a place of the table."""
        return next(name for name, of in self._functions.items() if of["index"] == index)

    def struct_of(self, parameter: str) -> str | None:
        """The structure that a parameter of this type points to, if its first field is its size."""
        name = f"_{parameter.removeprefix('P')}"
        struct = self._structs.get(name) if parameter.startswith("PWDF_") else None
        return name if struct and struct["fields"][0][0] == "Size" else None

    def size(self, struct: str) -> int:
        """In bytes."""
        return self._structs[struct]["size"]

    def field(self, struct: str, name: str) -> tuple[int, int]:
        """Offset and size, in bytes."""
        fields = self._structs[struct]["fields"]
        return next((offset, size) for field, offset, size in fields if field == name)

    def unpack(self, struct: str, data: bytes) -> dict[str, int]:
        """Every field as a number."""
        fields = self._structs[struct]["fields"]
        return {
            name: int.from_bytes(data[offset : offset + size], "little")
            for name, offset, size in fields
        }
