"""The machine that the driver runs on: Speakeasy's, through what it offers to others."""

import struct
from collections.abc import Callable
from itertools import count

from pefile import PEFormatError
from speakeasy import WinKernelEmulator
from speakeasy.common import PERM_MEM_RW
from speakeasy.config import SpeakeasyConfig, get_default_config_dict
from speakeasy.report import ErrorInfo
from speakeasy.windows.loaders import PeLoader
from speakeasy.windows.objman import Driver
from speakeasy.winenv.arch import CALL_CONV_STDCALL
from unicorn import UcError

PAGE = 0x1000
BREAKPOINT = b"\xcc"
# Where blocks of memory are mapped, with pages between them that are not.
BLOCKS = 0x10_0000_0000
# What no memory is at: objects that only the system looks into.
OPAQUE = 0x20_0000_0000
# Registers that a function may leave anything in, and those that it must not change.
VOLATILE = ("rcx", "rdx", "r8", "r9", "r10", "r11")
KEPT = ("rbx", "rsi", "rdi", "r12", "r13", "r14", "r15")
RUBBISH = 0xDEAD_BEEF_DEAD_BEEF


class Stopped(Exception):
    """Why the driver cannot go on."""


class Machine:
    """Memory, a processor, and one driver, loaded as Windows would."""

    def __init__(self, driver: bytes, base: int) -> None:
        config = get_default_config_dict()
        config["timeout"] = 60
        config["keep_memory_on_free"] = False
        config["exceptions"]["dispatch_handlers"] = False
        config["analysis"]["memory_tracing"] = False
        config["analysis"]["strings"] = False
        modules = config["modules"]
        modules["system_modules"] = [
            m for m in modules["system_modules"] if m["name"] == "ntoskrnl"
        ]
        self.emulator = WinKernelEmulator(SpeakeasyConfig.model_validate(config))
        try:
            self.image = PeLoader(data=driver, base_override=base).make_image()
        except (ValueError, PEFormatError) as error:
            raise Stopped(f"no driver that can be loaded at {base:#x}: {error}") from error
        self.image.name = "ntwatch"
        self.image.emu_path = r"C:\Windows\system32\drivers\ntwatch.sys"
        self.exports: set[str] = set()
        # Variables that the driver may import, by name: where they are. Each points to an object.
        self.data: dict[str, int] = {}
        # Functions that fail, and what they return then.
        self.refusals: dict[str, int] = {}
        self.blocks: dict[int, tuple[int, int]] = {}
        self.driver_object: Driver | None = None
        self._why: str | None = None
        self._block = BLOCKS
        self._opaque = count(OPAQUE, 0x10)

    # The image.

    def export(self, module: str, name: str, arguments: int, function: Callable) -> None:
        """Lets the driver call `function` by this name."""

        def hook(emulator: WinKernelEmulator, _name: str, _original: object, _argv: list) -> int:
            if name in self.refusals:
                return self.refusals[name]
            before = emulator.get_pc()
            try:
                result = function(*emulator.get_func_argv(CALL_CONV_STDCALL, arguments))
            except Stopped as why:
                self._why = f"{name}: {why}"
                raise
            if emulator.get_pc() == before:
                for register in VOLATILE:
                    emulator.reg_write(register, RUBBISH)
            return RUBBISH if result is None else result

        self.emulator.add_api_hook(hook, module, name, arguments)
        self.exports.add(name)

    def load(self) -> int:
        """Maps the image; how many imports it has. All of them must be known."""
        module = self.emulator.load_image(self.image)
        unknown = [i for i in self.image.imports if not self._knows(i.dll_name, i.func_name)]
        if unknown:
            raise Stopped(f"unknown imports: {', '.join(i.func_name for i in unknown)}")
        self.data = {name: self.new("<Q", self.opaque()) for name in self.data}
        for entry in self.image.imports:
            if entry.func_name in self.data:
                self.write(entry.iat_address, struct.pack("<Q", self.data[entry.func_name]))
        self.driver_object = self.emulator.create_driver_object(module)
        return len(self.image.imports)

    def _knows(self, module: str, name: str) -> bool:
        _, speakeasys = self.emulator.api.get_export_func_handler(module, name)
        return name in self.exports or name in self.data or speakeasys is not None

    def address_of(self, module: str, name: str) -> int:
        """Of an export, for a table."""
        return self.emulator.get_proc(module, name)

    def discard(self, section: str) -> int:
        """Fills a section with breakpoints; how many bytes, 0 if there is none."""
        of_name = [s for s in self.image.sections if s.name == section]
        for found in of_name:
            address = self.image.image_base + found.virtual_address
            self.write(address, BREAKPOINT * found.virtual_size)
        return sum(found.virtual_size for found in of_name)

    # The processor.

    def start(self) -> int:
        """Calls the entry point of the image, as the system does; its status."""
        driver = self.driver_object
        (entry,) = self.image.entry_points
        return self.call(entry, driver.address, driver.reg_path_ptr) & 0xFFFF_FFFF

    def unload(self) -> None:
        """Calls the unload routine that the driver object has by now."""
        self.driver_object.read_back()
        self.call(self.driver_object.on_unload, self.driver_object.address)

    def call(self, address: int, *arguments: int) -> int:
        """Calls the driver; what it returns."""
        self._why = None
        # With a fifth argument the stack is aligned as functions may expect.
        self.emulator.call(address, [*arguments, *[0] * (5 - len(arguments))])
        error = self.emulator.get_current_run().error
        if self._why or error:
            raise Stopped(self._why or describe(error))
        # Speakeasy calls with zero in all registers.
        spoilt = [register for register in KEPT if self.emulator.reg_read(register) != 0]
        if spoilt:
            raise Stopped(f"{address:#x} did not keep {', '.join(spoilt)}")
        return self.emulator.get_return_val()

    def jump(self, address: int, *arguments: int) -> None:
        """From a function of ours, goes on in the driver, which returns to our caller."""
        for register, value in zip(("rcx", "rdx", "r8", "r9"), arguments, strict=False):
            self.emulator.reg_write(register, value)
        self.emulator.set_pc(address)

    # Memory.

    def opaque(self) -> int:
        """An address that can be told from others, and no more."""
        return next(self._opaque)

    def allocate(self, size: int, tag: int = 0) -> int:
        """Zeroed memory, its end at the end of a page, or its start at the start of one if it is
        as large as a page. The pages around it are not there."""
        pages = -(-size // PAGE) * PAGE
        start = self._block
        self._block += pages + PAGE
        self.emulator.mem_map(pages, base=start, perms=PERM_MEM_RW, tag="ntwatch.pool")
        address = start if size >= PAGE else start + pages - -(-size // 16) * 16
        self.blocks[address] = (start, tag)
        return address

    def free(self, address: int, tag: int | None = None) -> None:
        """Takes the memory away. A tag, if given, must be the one that it was allocated with."""
        if address not in self.blocks:
            raise Stopped(f"{address:#x} is not allocated")
        start, had = self.blocks.pop(address)
        if tag not in (None, had):
            raise Stopped(f"{address:#x} is tagged {had:#x}, not {tag:#x}")
        self.emulator.mem_free(start)

    def read(self, address: int, size: int) -> bytes:
        try:
            return self.emulator.mem_read(address, size) if size else b""
        except UcError as error:
            raise Stopped(f"cannot read {size} bytes at {address:#x}: {error}") from error

    def write(self, address: int, data: bytes) -> None:
        try:
            self.emulator.mem_write(address, data)
        except UcError as error:
            raise Stopped(f"cannot write {len(data)} bytes at {address:#x}: {error}") from error

    def number(self, address: int, size: int = 8) -> int:
        return int.from_bytes(self.read(address, size), "little")

    def put(self, address: int, value: int, size: int = 8) -> None:
        self.write(address, value.to_bytes(size, "little"))

    def new(self, layout: str, *fields: int) -> int:
        """A structure, by a layout of the module struct."""
        data = struct.pack(layout, *fields)
        address = self.allocate(len(data))
        self.write(address, data)
        return address

    def string(self, address: int) -> str:
        """The text of a UNICODE_STRING."""
        length, room, text = struct.unpack("<HH4xQ", self.read(address, 16))
        if length > room or length % 2:
            raise Stopped(f"a string of {length} bytes in a buffer of {room}")
        return self.read(text, length).decode("utf-16-le")

    def new_string(self, text: str, tag: int = 0) -> int:
        """A UNICODE_STRING with its text, in one allocation."""
        units = text.encode("utf-16-le")
        address = self.allocate(16 + len(units), tag)
        header = struct.pack("<HH4xQ", len(units), len(units), address + 16)
        self.write(address, header + units)
        return address


def describe(error: ErrorInfo) -> str:
    """What Speakeasy has to say."""
    return "; ".join(filter(None, (error.context_summary or error.type, error.instr)))
