"""ntoskrnl.exe, as far as the driver needs it: memory, locks, clocks and notifications.

Each method bears the name of the function that it is, and has its parameters; what it must be
called with is on the documentation page of that name. What is not here, in `objects` or among
Speakeasy's own functions is an unknown import.
"""

import inspect
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from machine import Machine, Stopped

POOL_FLAG_NON_PAGED = 0x40
POOL_FLAG_PAGED = 0x100
PS_CREATE_PROCESS_NOTIFY_SUBSYSTEMS = 0
PS_CREATE_THREAD_NOTIFY_SUBSYSTEMS = 1
PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE = 1
OB_FLT_REGISTRATION_VERSION = 0x100
OB_OPERATIONS = 3
STATUS_SUCCESS = 0
STATUS_INVALID_PARAMETER = 0xC000_000D

# The driver imports these; nothing that is run here may call them.
NOT_MODELLED = (
    "KeSetEvent",
    "MmMapViewInSystemSpace",
    "MmUnmapViewInSystemSpace",
    "ObCloseHandle",
    "ZwCreateSection",
)
# Variables: what is imported is where they are.
TYPES = ("ExEventObjectType", "PsProcessType", "PsThreadType")


def export_methods(machine: Machine, module: str, room: object) -> None:
    """Exports the methods of `room` that are functions of the system's."""
    for name, method in inspect.getmembers(room, inspect.ismethod):
        if name[0].isupper() or name == "memcmp":
            machine.export(module, name, len(inspect.signature(method).parameters), method)


def not_modelled(name: str) -> Callable:
    """Stops when it is called."""

    def stop() -> None:
        raise Stopped(f"{name} is not modelled here")

    return stop


@dataclass
class ObjectCallbacks:
    """What is called before and after handles are made."""

    altitude: str
    # By where the object's type is.
    callbacks: dict[int, tuple[int, int]]


class Kernel:
    """What the driver got and must give back."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.locks: set[int] = set()
        self.critical_regions = 0
        self.process_notify: set[int] = set()
        self.thread_notify: set[int] = set()
        self.image_notify: set[int] = set()
        self.object_callbacks: dict[int, ObjectCallbacks] = {}
        self._time = count(0x1D9_0000_0000_0000, 10_000)
        machine.data = dict.fromkeys(TYPES, 0)
        export_methods(machine, "ntoskrnl", self)
        for name in NOT_MODELLED:
            machine.export("ntoskrnl", name, 0, not_modelled(name))

    def check_quiet(self) -> None:
        """What must be so whenever the driver has returned."""
        if self.locks or self.critical_regions:
            raise Stopped(
                f"returned with {len(self.locks)} locks held, "
                f"in {self.critical_regions} critical regions"
            )

    def left(self) -> dict[str, int]:
        """What the driver has not given back, by kind."""
        return {
            "allocations": sum(tag != 0 for _, tag in self.machine.blocks.values()),
            "process notify routines": len(self.process_notify),
            "thread notify routines": len(self.thread_notify),
            "image notify routines": len(self.image_notify),
            "handle callbacks": len(self.object_callbacks),
        }

    # Pool.

    def ExAllocatePool2(self, flags: int, size: int, tag: int) -> int:
        tag &= 0xFFFF_FFFF
        if flags not in (POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED) or not size or not tag:
            raise Stopped(f"flags {flags:#x}, {size} bytes, tag {tag:#x}")
        return self.machine.allocate(size, tag)

    def ExFreePoolWithTag(self, address: int, tag: int) -> None:
        self.machine.free(address, tag & 0xFFFF_FFFF)

    def ExFreePool(self, address: int) -> None:
        self.machine.free(address)

    # Locks.

    def KeEnterCriticalRegion(self) -> None:
        self.critical_regions += 1

    def KeLeaveCriticalRegion(self) -> None:
        if not self.critical_regions:
            raise Stopped("not in a critical region")
        self.critical_regions -= 1

    def ExAcquirePushLockExclusiveEx(self, lock: int, _flags: int) -> None:
        if lock in self.locks or not self.critical_regions or lock % 8:
            raise Stopped(f"{lock:#x} is held, not aligned, or normal APCs are on")
        self.machine.number(lock)
        self.locks.add(lock)

    def ExReleasePushLockExclusiveEx(self, lock: int, _flags: int) -> None:
        if lock not in self.locks:
            raise Stopped(f"{lock:#x} is not held")
        self.locks.remove(lock)

    # Clocks.

    def KeQuerySystemTimePrecise(self, time: int) -> None:
        self.machine.put(time, next(self._time))

    def KeQueryInterruptTimePrecise(self, counter: int) -> int:
        now = next(self._time)
        self.machine.put(counter, now)
        return now

    # Notification.

    def PsSetCreateProcessNotifyRoutineEx2(self, kind: int, routine: int, remove: int) -> int:
        if kind & 0xFFFF_FFFF != PS_CREATE_PROCESS_NOTIFY_SUBSYSTEMS:
            return STATUS_INVALID_PARAMETER
        return self._notify(self.process_notify, routine, remove & 0xFF != 0)

    def PsSetCreateThreadNotifyRoutineEx(self, kind: int, routine: int) -> int:
        if kind & 0xFFFF_FFFF != PS_CREATE_THREAD_NOTIFY_SUBSYSTEMS:
            return STATUS_INVALID_PARAMETER
        return self._notify(self.thread_notify, routine)

    def PsRemoveCreateThreadNotifyRoutine(self, routine: int) -> int:
        return self._notify(self.thread_notify, routine, remove=True)

    def PsSetLoadImageNotifyRoutineEx(self, routine: int, flags: int) -> int:
        if flags != PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE:
            return STATUS_INVALID_PARAMETER
        return self._notify(self.image_notify, routine)

    def PsRemoveLoadImageNotifyRoutine(self, routine: int) -> int:
        return self._notify(self.image_notify, routine, remove=True)

    def _notify(self, routines: set[int], routine: int, remove: bool = False) -> int:
        if remove != (routine in routines):
            raise Stopped(f"{routine:#x} is {'not ' if remove else ''}registered")
        (routines.remove if remove else routines.add)(routine)
        return STATUS_SUCCESS

    def ObRegisterCallbacks(self, registration: int, handle: int) -> int:
        version, operations = struct.unpack("<HH", self.machine.read(registration, 4))
        if version != OB_FLT_REGISTRATION_VERSION:
            return STATUS_INVALID_PARAMETER
        first = self.machine.number(registration + 32)
        types = {self.machine.data["PsProcessType"], self.machine.data["PsThreadType"]}
        callbacks = {}
        for at in range(first, first + operations * 32, 32):
            of_type, what, pre, post = struct.unpack("<QI4xQQ", self.machine.read(at, 32))
            if of_type not in types or not what or what & ~OB_OPERATIONS or not (pre or post):
                raise Stopped(f"operations {what:#x} on objects of type {of_type:#x}")
            callbacks[of_type] = pre, post
        token = self.machine.opaque()
        altitude = self.machine.string(registration + 8)
        self.object_callbacks[token] = ObjectCallbacks(altitude, callbacks)
        self.machine.put(handle, token)
        return STATUS_SUCCESS

    def ObUnRegisterCallbacks(self, handle: int) -> None:
        if self.object_callbacks.pop(handle, None) is None:
            raise Stopped(f"{handle:#x} is not registered")

    # The C and run-time libraries.

    def RtlUpcaseUnicodeChar(self, unit: int) -> int:
        upper = chr(unit & 0xFFFF).upper()
        return ord(upper) if len(upper) == 1 and ord(upper) <= 0xFFFF else unit & 0xFFFF

    def memcmp(self, left: int, right: int, size: int) -> int:
        a, b = self.machine.read(left, size), self.machine.read(right, size)
        return 0 if a == b else 1 if a > b else 0xFFFF_FFFF
