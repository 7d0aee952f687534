"""One load of the driver, step by step, as its system, its framework and a client see it."""

from collections.abc import Callable

import client
from facts import Facts
from kernel import Kernel
from machine import Machine, Stopped
from objects import START_ADDRESS, STATUS_INVALID_HANDLE, Objects
from wdf import Framework

STATUS_CANCELLED = 0xC000_0120
STATUS_PRIVILEGE_NOT_HELD = 0xC000_0061
# Where NTSTATUS values begin that are errors.
STATUS_ERROR = 0xC000_0000
IMAGE = r"\??\C:\Windows\notepad.exe"
PATH = r"\Device\HarddiskVolume2\Windows\notepad.exe"
COMMAND_LINE = r'"C:\Windows\notepad.exe" a.txt'
LIBRARY = r"\Device\HarddiskVolume2\Windows\System32\ntdll.dll"
PID, TID = 4712, 4716
PROCESS_TERMINATE, PROCESS_VM_READ = 0x01, 0x10
OB_OPERATION_HANDLE_CREATE = 1


class Visit:
    """One load of the driver, step by step. Each step returns what was seen."""

    def __init__(self, driver: bytes, base: int) -> None:
        self.machine = Machine(driver, base)
        self.kernel = Kernel(self.machine)
        self.objects = Objects(self.machine)
        self.framework = Framework(self.machine, Facts())
        self.file = 0
        self.process = None

    def steps(self) -> dict[str, Callable[[], str]]:
        """In order, by name."""
        return {
            "load": self.load,
            "DriverEntry": self.driver_entry,
            "INIT": self.discard_init,
            "open": self.open,
            "GET_VERSION": self.get_version,
            "MAP_RING": self.map_ring,
            "CONFIGURE": self.configure,
            "process start": self.process_start,
            "thread start": self.thread_start,
            "image load": self.image_load,
            "PROTECT_ADD": self.protect,
            "handle open": self.handle_open,
            "thread exit": self.thread_exit,
            "process exit": self.process_exit,
            "close": self.close,
            "unload": self.unload,
        }

    def load(self) -> str:
        imports = self.machine.load()
        return f"at {self.machine.image.image_base:#x}, {imports} imports bound"

    def driver_entry(self) -> str:
        expect("status", self.machine.start(), 0)
        kernel = self.kernel
        routines = [*kernel.process_notify, *kernel.thread_notify, *kernel.image_notify]
        expect("notify routines", len(routines), 3)
        expect("names", self.framework.names, [r"\Device\ntwatch", r"\DosDevices\ntwatch"])
        expect("SDDL", self.framework.sddl, "D:P(A;;GA;;;SY)(A;;GA;;;BA)")
        (handles,) = kernel.object_callbacks.values()
        at = handles.altitude
        return f"3 notify routines, handle callbacks at {at}, a device for administrators"

    def discard_init(self) -> str:
        size = self.machine.discard("INIT")
        if not size:
            raise Stopped("there is no such section")
        return f"{size} bytes filled with int3"

    def open(self) -> str:
        self.file, status = self.framework.open()
        expect("status", status, 0)
        return "a file object"

    def get_version(self) -> str:
        request = self.framework.control(self.file, client.GET_VERSION, room=32)
        expect("status", request.status, 0)
        version = client.Version.parse(request.answer)
        expect("size", version.size, 32)
        expect("largest record", version.max_record_size, client.MAX_RECORD_SIZE)
        driver, protocol = (".".join(map(str, n)) for n in (version.driver, version.protocol))
        return f"driver {driver}, protocol {protocol}"

    def map_ring(self) -> str:
        wanted = client.map_ring(event=0x44)
        request = self.framework.control(self.file, client.MAP_RING, wanted, room=32)
        expect("status", request.status, STATUS_INVALID_HANDLE)
        return "refused: no handle to an event"

    def configure(self) -> str:
        kinds = sum(1 << kind for kind in client.FIELDS)
        request = self.framework.control(self.file, client.CONFIGURE, client.configure(kinds))
        expect("status", request.status, 0)
        return f"{len(client.FIELDS)} kinds of event are wanted"

    def process_start(self) -> str:
        self.process = self.objects.start(PID, PATH)
        image, line = self.machine.new_string(IMAGE), self.machine.new_string(COMMAND_LINE)
        # PS_CREATE_NOTIFY_INFO: size, flags, parent, creator's process and thread, file object,
        # image name, command line, status.
        thread = self.objects.thread
        creator = thread.process.pid
        fields = (72, 1, creator, creator, thread.tid, 0, image, line, 0)
        info = self.machine.new("<QI4xQQQQQQI4x", *fields)
        (routine,) = self.kernel.process_notify
        call = self._calling(routine, self.process.address, PID, info)
        record = self._told(client.PROCESS_START, call, info, image, line)
        texts = {"name": IMAGE, "path": PATH, "command line": COMMAND_LINE}
        expect("record", record.facts, {"key": self.process.key, "pid": PID, **texts})
        return f"read as seq {record.seq}, pid {PID}, with its command line"

    def thread_start(self) -> str:
        self.objects.start_thread(TID, self.process)
        (routine,) = self.kernel.thread_notify
        record = self._told(client.THREAD_START, self._calling(routine, PID, TID, 1))
        creator = self.objects.thread
        wanted = {
            "key": self.process.key,
            "creator key": creator.process.key,
            "start address": START_ADDRESS,
            "pid": PID,
            "tid": TID,
            "creator pid": creator.process.pid,
            "creator tid": creator.tid,
        }
        expect("record", record.facts, wanted)
        return f"read as seq {record.seq}, tid {TID}, with its start address"

    def thread_exit(self) -> str:
        (routine,) = self.kernel.thread_notify
        # A thread is told of its own exit.
        system, self.objects.thread = self.objects.thread, self.objects.threads[-1]
        record = self._told(client.THREAD_EXIT, self._calling(routine, PID, TID, 0))
        self.objects.thread = system
        expect("pid and tid", (record.facts["pid"], record.facts["tid"]), (PID, TID))
        return f"read as seq {record.seq}, tid {TID}"

    def image_load(self) -> str:
        name, base, size = self.machine.new_string(LIBRARY), 0x7FFA_0000_0000, 0x20_0000
        # IMAGE_INFO: properties, base, selector, size, section number.
        info = self.machine.new("<I4xQI4xQI4x", 0, base, 0, size, 0)
        (routine,) = self.kernel.image_notify
        record = self._told(client.IMAGE_LOAD, self._calling(routine, name, PID, info), name, info)
        wanted = {"key": self.process.key, "base": base, "size": size, "pid": PID, "name": LIBRARY}
        expect("record", record.facts, wanted)
        return f"read as seq {record.seq}, with its name"

    def protect(self) -> str:
        rule = client.rule(self.process.key, PID, PROCESS_TERMINATE)
        for is_privileged, status in ((False, STATUS_PRIVILEGE_NOT_HELD), (True, 0)):
            self.objects.is_privileged = is_privileged
            request = self.framework.control(self.file, client.PROTECT_ADD, rule)
            expect("status", request.status, status)
        return "refused without the privilege, done with it"

    def handle_open(self) -> str:
        (handles,) = self.kernel.object_callbacks.values()
        type_at = self.machine.data["PsProcessType"]
        before, after = handles.callbacks[type_at]
        # Operation, flags, object, type: OB_PRE_ and OB_POST_OPERATION_INFORMATION begin with them.
        what = OB_OPERATION_HANDLE_CREATE, 0, self.process.address, self.machine.number(type_at)
        asked = PROCESS_TERMINATE | PROCESS_VM_READ
        # OB_PRE_CREATE_HANDLE_INFORMATION: access desired, access originally desired.
        access = self.machine.new("<II", asked, asked)
        pre = self.machine.new("<IIQQQQ", *what, 0, access)

        def open_handle() -> None:
            expect("answer", self.machine.call(before, 0, pre) & 0xFFFF_FFFF, 0)
            # What is left is granted; the call context is passed on.
            post = self.machine.new("<IIQQQi4xQ", *what, self.machine.number(pre + 24), 0, access)
            self.machine.call(after, 0, post)
            self.machine.free(post)

        record = self._told(client.HANDLE_OPEN, open_handle, access, pre)
        source = self.objects.thread
        wanted = {
            "source key": source.process.key,
            "target key": self.process.key,
            "source pid": source.process.pid,
            "source tid": source.tid,
            "target pid": PID,
            "original": asked,
            "desired": PROCESS_VM_READ,
            "granted": PROCESS_VM_READ,
            "status": 0,
        }
        expect("record", record.facts, wanted)
        return f"read as seq {record.seq}, without the right that is protected"

    def process_exit(self) -> str:
        self.process.exit_status = 3
        (routine,) = self.kernel.process_notify
        call = self._calling(routine, self.process.address, PID, 0)
        record = self._told(client.PROCESS_EXIT, call)
        expect("record", record.facts, {"key": self.process.key, "pid": PID, "path": PATH})
        return f"read as seq {record.seq}, pid {PID}"

    def _calling(self, routine: int, *arguments: int) -> Callable[[], None]:
        def call() -> None:
            self.machine.call(routine, *arguments)

        return call

    def _told(self, kind: int, happen: Callable[[], None], *shown: int) -> client.Record:
        """Has something happen with a read pended; the record that completes it."""
        room = client.MAX_RECORD_SIZE
        read = self.framework.control(self.file, client.READ_EVENTS, room=room)
        expect("status of a read with nothing to read", read.status, None)
        happen()
        self.kernel.check_quiet()
        # What a callback was shown does not outlive it.
        for address in shown:
            self.machine.free(address)
        expect("runs of the worker", self.framework.work_items(), 1)
        expect("status", read.status, 0)
        record = client.Record.parse(read.answer)
        expect("kind", record.kind, kind)
        return record

    def close(self) -> str:
        read = self.framework.control(self.file, client.READ_EVENTS, room=client.MAX_RECORD_SIZE)
        self.framework.close(self.file)
        expect("status of the pended read", read.status, STATUS_CANCELLED)
        return "the pended read is canceled"

    def unload(self) -> str:
        self.machine.unload()
        self._check_gone()
        return f"nothing left; {self.framework.calls} calls of the framework in all"

    def refused(self, function: str, result: int) -> str:
        """DriverEntry where one function fails. Not a step: a load of its own."""
        self.load()
        self.machine.refusals[function] = result
        status = self.machine.start()
        if status < STATUS_ERROR:
            raise Stopped(f"DriverEntry succeeds with {status:#x}")
        self.kernel.check_quiet()
        self._check_gone()
        return f"{status:#x}, nothing left"

    def _check_gone(self) -> None:
        expect("bound to the framework", self.framework.globals != 0, False)
        left = self.kernel.left() | self.objects.left()
        expect("left", {kind: number for kind, number in left.items() if number}, {})


def expect(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        raise Stopped(f"{what}: {got!r}, not {wanted!r}")
