"""Copies of the driver with something broken, each of which the emulator must notice."""

import struct
from collections.abc import Callable, Iterator

import pefile

INT3 = 0xCC
IMAGE_SCN_MEM_WRITE = 0x8000_0000
IMAGE_REL_BASED_DIR64 = 10


class Mutant:
    """A copy of the driver, and where its parts are in the file."""

    def __init__(self, driver: bytes) -> None:
        self.pe = pefile.PE(data=driver)
        self.data = bytearray(driver)

    def _import(self, name: bytes) -> pefile.ImportData:
        of_all = (entry for module in self.pe.DIRECTORY_ENTRY_IMPORT for entry in module.imports)
        return next(entry for entry in of_all if entry.name == name)

    def stop_at_entry(self) -> None:
        entry = self.pe.OPTIONAL_HEADER.AddressOfEntryPoint
        self.data[self.pe.get_offset_from_rva(entry)] = INT3

    def rename(self, name: bytes, other: bytes) -> None:
        offset = self._import(name).name_offset
        self.data[offset : offset + len(name)] = other

    def call_instead(self, name: bytes, other: bytes) -> None:
        """All calls of one import go to another."""
        thunk, of_other = self._import(name).struct_table, self._import(other).struct_table
        struct.pack_into("<Q", self.data, thunk.get_file_offset(), of_other.AddressOfData)

    def _section(self, name: bytes) -> pefile.SectionStructure:
        return next(s for s in self.pe.sections if s.Name.rstrip(b"\0") == name)

    def rename_section(self, name: bytes, other: bytes) -> None:
        struct.pack_into("8s", self.data, self._section(name).get_file_offset(), other)

    def protect(self, section: bytes) -> None:
        header = self._section(section)
        offset = header.get_field_absolute_offset("Characteristics")
        flags = header.Characteristics & ~IMAGE_SCN_MEM_WRITE
        struct.pack_into("<I", self.data, offset, flags)

    def forget_relocation(self) -> None:
        entries = (entry for block in self.pe.DIRECTORY_ENTRY_BASERELOC for entry in block.entries)
        first = next(entry for entry in entries if entry.type == IMAGE_REL_BASED_DIR64)
        # Type 0 is one that loaders pass over.
        struct.pack_into("<H", self.data, first.struct.get_file_offset(), 0)


# What is broken, and how.
MUTANTS: dict[str, Callable[[Mutant], None]] = {
    "int3 where the driver begins": Mutant.stop_at_entry,
    "an import that nobody has": lambda m: m.rename(b"ExAllocatePool2", b"ExAllocatePool9"),
    ".data cannot be written": lambda m: m.protect(b".data"),
    "all code is discarded after load": lambda m: m.rename_section(b".text", b"INIT"),
    "a pointer is not relocated": Mutant.forget_relocation,
    "a reference is not taken": lambda m: m.call_instead(b"ObfReferenceObject", b"PsGetProcessId"),
    "a reference is not given back": lambda m: m.call_instead(
        b"ObfDereferenceObject", b"PsGetProcessId"
    ),
    "memory is not freed": lambda m: m.call_instead(b"ExFreePoolWithTag", b"RtlUpcaseUnicodeChar"),
    "memory of the system's is not freed": lambda m: m.call_instead(
        b"ExFreePool", b"RtlUpcaseUnicodeChar"
    ),
    "a handle is not closed": lambda m: m.call_instead(b"ZwClose", b"RtlUpcaseUnicodeChar"),
    "a lock is not released": lambda m: m.call_instead(
        b"ExReleasePushLockExclusiveEx", b"RtlUpcaseUnicodeChar"
    ),
    "a critical region is not left": lambda m: m.call_instead(
        b"KeLeaveCriticalRegion", b"KeEnterCriticalRegion"
    ),
    "a routine stays registered": lambda m: m.call_instead(
        b"PsRemoveLoadImageNotifyRoutine", b"RtlUpcaseUnicodeChar"
    ),
    "a thread is looked up among processes": lambda m: m.call_instead(
        b"PsLookupThreadByThreadId", b"PsLookupProcessByProcessId"
    ),
    "the privilege is not asked for": lambda m: m.call_instead(
        b"SeSinglePrivilegeCheck", b"PsGetCurrentThread"
    ),
    "a token for a process": lambda m: m.call_instead(
        b"PsReferencePrimaryToken", b"IoThreadToProcess"
    ),
    "memset for memcpy": lambda m: m.call_instead(b"memcpy", b"memset"),
}


def broken(driver: bytes) -> Iterator[bytes]:
    """The copies, in the order of `MUTANTS`."""
    for break_it in MUTANTS.values():
        mutant = Mutant(driver)
        break_it(mutant)
        yield bytes(mutant.data)
