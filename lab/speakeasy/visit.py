"""One load of the driver, step by step, as its system, its framework and a client see it."""

import struct
from collections.abc import Callable

import client
from facts import Facts
from kernel import Kernel
from machine import Machine, Stopped
from objects import Objects
from wdf import Framework

STATUS_CANCELLED = 0xC000_0120
# Where NTSTATUS values begin that are errors.
STATUS_ERROR = 0xC000_0000
IMAGE = r"\??\C:\Windows\notepad.exe"
PATH = r"\Device\HarddiskVolume2\Windows\notepad.exe"
COMMAND_LINE = r'"C:\Windows\notepad.exe" a.txt'


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
            "CONFIGURE": self.configure,
            "process start": self.process_start,
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
        (altitude,) = kernel.object_callbacks.values()
        return f"3 notify routines, handle callbacks at {altitude}, a device for administrators"

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

    def configure(self) -> str:
        kinds = 1 << client.PROCESS_START | 1 << client.PROCESS_EXIT
        request = self.framework.control(self.file, client.CONFIGURE, client.configure(kinds))
        expect("status", request.status, 0)
        return "process starts and exits are wanted"

    def process_start(self) -> str:
        self.process = self.objects.start(4712, PATH)
        image, line = self.machine.new_string(IMAGE), self.machine.new_string(COMMAND_LINE)
        # PS_CREATE_NOTIFY_INFO: size, flags, parent, creator's process and thread, file object,
        # image name, command line, status.
        info = self.machine.allocate(72)
        thread = self.objects.thread
        creator = thread.process.pid
        fields = (72, 1, creator, creator, thread.tid, 0, image, line, 0)
        self.machine.write(info, struct.pack("<QI4xQQQQQQI4x", *fields))
        record = self._told(info, image, line)
        texts = (IMAGE, PATH, COMMAND_LINE)
        seen = (record.kind, record.pid, record.key, record.texts)
        expect("record", seen, (client.PROCESS_START, 4712, self.process.key, texts))
        return f"read as seq {record.seq}, pid {record.pid}, with its command line"

    def process_exit(self) -> str:
        self.process.exit_status = 3
        record = self._told()
        seen = (record.kind, record.pid, record.key, record.texts)
        expect("record", seen, (client.PROCESS_EXIT, 4712, self.process.key, (PATH,)))
        return f"read as seq {record.seq}, pid {record.pid}"

    def _told(self, *shown: int) -> client.Record:
        """Calls the notify routine with a read pended; the record that completes it."""
        room = client.MAX_RECORD_SIZE
        read = self.framework.control(self.file, client.READ_EVENTS, room=room)
        expect("status of a read with nothing to read", read.status, None)
        (routine,) = self.kernel.process_notify
        self.machine.call(routine, self.process.address, self.process.pid, *shown[:1])
        self.kernel.check_quiet()
        # What the routine was shown does not outlive the call.
        for address in shown:
            self.machine.free(address)
        expect("runs of the worker", self.framework.work_items(), 1)
        expect("status", read.status, 0)
        return client.Record.parse(read.answer)

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
