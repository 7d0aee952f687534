"""Processes, threads, tokens and handles: what ntoskrnl.exe tells the driver about them.

Objects have no memory. The driver must not look into them, and faults if it does.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from kernel import STATUS_INVALID_PARAMETER, STATUS_SUCCESS, export_methods
from machine import Machine, Stopped

STATUS_PENDING = 0x103
OBJ_KERNEL_HANDLE = 0x200
SE_DEBUG_PRIVILEGE = 20
USER_MODE = 1
STATUS_INVALID_HANDLE = 0xC000_0008
# What ZwQueryInformationProcess answers, and in how many bytes: ProcessWow64Information,
# ProcessProtectionInformation, ProcessSubsystemInformation.
PROCESS_INFORMATION = {26: (0, 8), 61: (0, 1), 75: (0, 4)}
# ZwQueryInformationThread: ThreadQuerySetWin32StartAddress, ThreadSubsystemInformation.
START_ADDRESS = 0x7FF6_0000_1000
THREAD_INFORMATION = {9: (START_ADDRESS, 8), 45: (0, 4)}
# S-1-5-18.
SYSTEM_SID = bytes([1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0])
# The tag of what the system allocates for the driver to free.
TAG = int.from_bytes(b"Sys ", "little")


class TokenInformation(IntEnum):
    """TOKEN_INFORMATION_CLASS."""

    USER = 1
    SESSION_ID = 12
    ELEVATION = 20
    INTEGRITY_LEVEL = 25


@dataclass
class Process:
    """A process, and all that is asked about it."""

    address: int
    pid: int
    key: int
    image: str
    create_time: int = 0x1D9_0000_0000_0001
    exit_status: int = STATUS_PENDING
    references: int = 0


@dataclass
class Thread:
    """A thread."""

    address: int
    tid: int
    process: Process
    references: int = 0


@dataclass
class Objects:
    """All that there are; the driver runs in `thread`."""

    machine: Machine
    processes: list[Process] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    thread: Thread | None = None
    # Whether whoever makes requests may debug.
    is_privileged: bool = False
    tokens: dict[int, int] = field(default_factory=dict)
    handles: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.thread = self.start_thread(8, self.start(4, "System"))
        export_methods(self.machine, "ntoskrnl", self)

    def start(self, pid: int, image: str) -> Process:
        """A new process."""
        process = Process(self.machine.opaque(), pid, 0x1000 + pid, image)
        self.processes.append(process)
        return process

    def start_thread(self, tid: int, process: Process) -> Thread:
        """A new thread."""
        thread = Thread(self.machine.opaque(), tid, process)
        self.threads.append(thread)
        return thread

    def left(self) -> dict[str, int]:
        """What the driver has not given back, by kind."""
        return {
            "references": sum(o.references for o in [*self.processes, *self.threads]),
            "tokens": sum(self.tokens.values()),
            "handles": len(self.handles),
        }

    def _process(self, address: int) -> Process:
        for process in self.processes:
            if process.address == address:
                return process
        raise Stopped(f"{address:#x} is no process")

    def _thread(self, address: int) -> Thread:
        for thread in self.threads:
            if thread.address == address:
                return thread
        raise Stopped(f"{address:#x} is no thread")

    def _object(self, address: int) -> Process | Thread:
        is_thread = any(thread.address == address for thread in self.threads)
        return self._thread(address) if is_thread else self._process(address)

    # References.

    def ObfReferenceObject(self, address: int) -> int:
        return self._reference(address, 1)

    def ObfDereferenceObject(self, address: int) -> int:
        return self._reference(address, -1)

    def _reference(self, address: int, by: int) -> int:
        target = self._object(address)
        if target.references + by < 0:
            raise Stopped(f"{address:#x} has no reference of the driver's")
        target.references += by
        return target.references + 1

    # Processes and threads.

    def IoGetCurrentProcess(self) -> int:
        return self.thread.process.address

    def PsGetCurrentThread(self) -> int:
        return self.thread.address

    def IoThreadToProcess(self, thread: int) -> int:
        return self._thread(thread).process.address

    def PsGetThreadId(self, thread: int) -> int:
        return self._thread(thread).tid

    def PsGetThreadExitStatus(self, thread: int) -> int:
        self._thread(thread)
        return STATUS_PENDING

    def PsLookupProcessByProcessId(self, pid: int, out: int) -> int:
        for process in self.processes:
            if process.pid == pid:
                process.references += 1
                self.machine.put(out, process.address)
                return STATUS_SUCCESS
        return STATUS_INVALID_PARAMETER

    def PsLookupThreadByThreadId(self, tid: int, out: int) -> int:
        for thread in self.threads:
            if thread.tid == tid:
                thread.references += 1
                self.machine.put(out, thread.address)
                return STATUS_SUCCESS
        return STATUS_INVALID_PARAMETER

    def PsGetProcessId(self, process: int) -> int:
        return self._process(process).pid

    def PsGetProcessStartKey(self, process: int) -> int:
        return self._process(process).key

    def PsGetProcessCreateTimeQuadPart(self, process: int) -> int:
        return self._process(process).create_time

    def PsGetProcessExitStatus(self, process: int) -> int:
        return self._process(process).exit_status

    def SeLocateProcessImageName(self, process: int, out: int) -> int:
        self.machine.put(out, self.machine.new_string(self._process(process).image, TAG))
        return STATUS_SUCCESS

    # Tokens.

    def PsReferencePrimaryToken(self, process: int) -> int:
        self._process(process)
        token = self.machine.opaque()
        self.tokens[token] = 1
        return token

    def PsDereferencePrimaryToken(self, token: int) -> None:
        if not self.tokens.pop(token, 0):
            raise Stopped(f"{token:#x} is no token that is held")

    def SeQueryAuthenticationIdToken(self, token: int, luid: int) -> int:
        self._token(token)
        self.machine.put(luid, 0x3E7)
        return STATUS_SUCCESS

    def SeQueryInformationToken(self, token: int, kind: int, out: int) -> int:
        self._token(token)
        match kind & 0xFFFF_FFFF:
            case TokenInformation.USER:
                user = self.machine.allocate(16 + len(SYSTEM_SID), TAG)
                self.machine.write(user, struct.pack("<QQ", user + 16, 0) + SYSTEM_SID)
                self.machine.put(out, user)
            # N.B. The number itself in place of a pointer, as Windows does.
            case TokenInformation.SESSION_ID:
                self.machine.put(out, 1, 4)
            case TokenInformation.INTEGRITY_LEVEL:
                self.machine.put(out, 0x4000, 4)
            case _:
                return STATUS_INVALID_PARAMETER
        return STATUS_SUCCESS

    def _token(self, token: int) -> None:
        if token not in self.tokens:
            raise Stopped(f"{token:#x} is no token that is held")

    def RtlLengthSid(self, sid: int) -> int:
        return 8 + 4 * self.machine.number(sid + 1, 1)

    # Handles.

    def ObOpenObjectByPointer(
        self,
        address: int,
        attributes: int,
        _passed: int,
        access: int,
        _type: int,
        mode: int,
        out: int,
    ) -> int:
        self._object(address)
        if attributes & 0xFFFF_FFFF != OBJ_KERNEL_HANDLE or not access or mode & 0xFF:
            raise Stopped(f"attributes {attributes:#x}, access {access:#x}, mode {mode:#x}")
        return self._open(out)

    def ZwOpenProcessTokenEx(self, process: int, _access: int, attributes: int, out: int) -> int:
        self._handle(process)
        if attributes & 0xFFFF_FFFF != OBJ_KERNEL_HANDLE:
            raise Stopped(f"attributes {attributes:#x}")
        return self._open(out)

    def ZwClose(self, handle: int) -> int:
        self._handle(handle)
        self.handles.remove(handle)
        return STATUS_SUCCESS

    def ZwQueryInformationProcess(
        self, handle: int, kind: int, out: int, size: int, returned: int
    ) -> int:
        return self._answer(
            handle, PROCESS_INFORMATION.get(kind & 0xFFFF_FFFF), out, size, returned
        )

    def ZwQueryInformationThread(
        self, handle: int, kind: int, out: int, size: int, returned: int
    ) -> int:
        return self._answer(handle, THREAD_INFORMATION.get(kind & 0xFFFF_FFFF), out, size, returned)

    def ZwQueryInformationToken(
        self, handle: int, kind: int, out: int, size: int, returned: int
    ) -> int:
        elevated = (1, 4) if kind & 0xFFFF_FFFF == TokenInformation.ELEVATION else None
        return self._answer(handle, elevated, out, size, returned)

    def ObReferenceObjectByHandle(
        self, _handle: int, access: int, of_type: int, mode: int, _out: int, _information: int
    ) -> int:
        # A client's. None has any here, and a number that is no handle is an error of its own.
        is_event = of_type == self.machine.number(self.machine.data["ExEventObjectType"])
        if not access or not is_event or mode & 0xFF != USER_MODE:
            raise Stopped(f"access {access:#x}, type {of_type:#x}, mode {mode:#x}")
        return STATUS_INVALID_HANDLE

    def SeSinglePrivilegeCheck(self, privilege: int, mode: int) -> int:
        if privilege != SE_DEBUG_PRIVILEGE or mode & 0xFF != USER_MODE:
            raise Stopped(f"privilege {privilege}, mode {mode:#x}")
        return int(self.is_privileged)

    def _answer(
        self, handle: int, answer: tuple[int, int] | None, out: int, size: int, returned: int
    ) -> int:
        self._handle(handle)
        if answer is None or answer[1] != size & 0xFFFF_FFFF:
            raise Stopped(f"class unknown, or of another size than {size}")
        self.machine.put(out, *answer)
        if returned:
            self.machine.put(returned, answer[1], 4)
        return STATUS_SUCCESS

    def _open(self, out: int) -> int:
        handle = self.machine.opaque()
        self.handles.add(handle)
        self.machine.put(out, handle)
        return STATUS_SUCCESS

    def _handle(self, handle: int) -> None:
        if handle not in self.handles:
            raise Stopped(f"{handle:#x} is no open handle")
