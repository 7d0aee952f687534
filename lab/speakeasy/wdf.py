"""KMDF, as far as the driver needs it: one driver, one control device, its files and requests.

Each method bears the name of the framework's function that it is. How many parameters that has,
which handles they must be, and how large the structures are that they point to is taken from the
facts of the public headers, and checked before the method runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from facts import Facts
from kernel import STATUS_SUCCESS, not_modelled
from machine import Machine, Stopped
from objects import USER_MODE

STATUS_OBJECT_NAME_NOT_FOUND = 0xC000_0034
STATUS_NO_MORE_ENTRIES = 0x8000_001A
STATUS_BUFFER_TOO_SMALL = 0xC000_0023
# The framework deletes them after unload, if the device was finished.
DEVICE_AND_CHILDREN = {"WDFDEVICE", "WDFQUEUE", "WDFWORKITEM"}
# Offset of DriverUnload in a DRIVER_OBJECT (page "DRIVER_OBJECT").
DRIVER_UNLOAD = 0x68


@dataclass
class Request:
    """A request, from a client's call to its completion."""

    code: int
    data: bytes
    room: int
    file: int
    queue: int = 0
    buffer: int = 0
    status: int | None = None
    answer: bytes = b""


@dataclass
class Handle:
    """An object of the framework's."""

    kind: str
    callbacks: dict[str, int] = field(default_factory=dict)
    request: Request | None = None


class Framework:
    """The framework's end of the binding."""

    def __init__(self, machine: Machine, facts: Facts) -> None:
        self.machine = machine
        self.facts = facts
        self.handles: dict[int, Handle] = {}
        self.names: list[str] = []
        self.sddl = ""
        self.default_queue = 0
        self.is_finished = False
        self.work: list[int] = []
        self.calls = 0
        self.globals = 0
        self._driver_unload = 0
        machine.export("WDFLDR", "WdfVersionBind", 4, self.bind)
        machine.export("WDFLDR", "WdfVersionUnbind", 3, self.unbind)

    # The loader.

    def bind(self, driver: int, _path: int, info: int, component_globals: int) -> int:
        """WdfVersionBind: gives the driver its table, if it asks for the right one."""
        struct = "_WDF_BIND_INFO"
        asked = self.facts.unpack(struct, self.machine.read(info, self.facts.size(struct)))
        component = self.machine.read(asked["Component"], 24).decode("utf-16-le")
        version = (asked["Version"] & 0xFFFF_FFFF, asked["Version"] >> 32 & 0xFFFF_FFFF)
        wanted = (self.facts.size(struct), "KmdfLibrary\0", (1, 31), self.facts.function_count)
        got = (asked["Size"], component, version, asked["FuncCount"])
        if got != wanted:
            raise Stopped(f"asks for {got}, not {wanted}")
        table = self.machine.allocate(8 * self.facts.function_count)
        for index in range(self.facts.function_count):
            self.machine.put(table + 8 * index, self._entry(self.facts.name(index)))
        self.machine.put(asked["FuncTable"], table)
        self.globals = self.machine.allocate(self.facts.size("_WDF_DRIVER_GLOBALS"))
        displace, _ = self.facts.field("_WDF_DRIVER_GLOBALS", "DisplaceDriverUnload")
        self.machine.put(self.globals + displace, 1, 1)
        self.machine.put(component_globals, self.globals)
        # What the framework leaves in the driver object, for the driver's entry point to displace.
        self.machine.export("WDFLDR", "FxDriverUnload", 1, self._unload)
        self._driver_unload = self.machine.address_of("WDFLDR", "FxDriverUnload")
        return STATUS_SUCCESS

    def unbind(self, _path: int, _info: int, component_globals: int) -> int:
        """WdfVersionUnbind: the driver is gone; its device goes with it."""
        self._check("PWDF_DRIVER_GLOBALS", component_globals)
        kept = {handle.kind for handle in self.handles.values()} - {"WDFDRIVER"}
        if self.is_finished:
            kept -= DEVICE_AND_CHILDREN
        if kept:
            raise Stopped(f"the driver keeps {', '.join(sorted(kept))}")
        self.handles.clear()
        self.names.clear()
        self.globals = 0
        return STATUS_SUCCESS

    def _unload(self, _driver: int) -> None:
        handle = self._only("WDFDRIVER")
        self.machine.jump(self.handles[handle].callbacks["EvtDriverUnload"], handle)

    def _entry(self, name: str) -> int:
        function = self._checked(name) if hasattr(self, name) else not_modelled(name)
        arguments = len(self.facts.parameters(name)) if hasattr(self, name) else 0
        self.machine.export("WDFLDR", name, arguments, function)
        return self.machine.address_of("WDFLDR", name)

    def _checked(self, name: str) -> Callable:
        """The function of this name, with its arguments held against the facts."""
        method, types = getattr(self, name), self.facts.parameters(name)

        def function(*arguments: int) -> int | None:
            self.calls += 1
            for of_type, value in zip(types, arguments, strict=True):
                self._check(of_type, value)
            return method(*arguments[1:])

        return function

    def _check(self, of_type: str, value: int) -> None:
        struct = self.facts.struct_of(of_type)
        if of_type == "PWDF_DRIVER_GLOBALS":
            if value != self.globals:
                raise Stopped(f"{value:#x} are not the driver's globals")
        elif of_type == "PWDFDEVICE_INIT" or of_type.startswith("WDF") and "*" not in of_type:
            handle = self.handles.get(value)
            if handle is None or of_type not in (handle.kind, "WDFOBJECT"):
                raise Stopped(f"{value:#x} is no {of_type}")
        elif struct and (value or struct != "_WDF_OBJECT_ATTRIBUTES"):
            offset, width = self.facts.field(struct, "Size")
            size = self.machine.number(value + offset, width)
            if size != self.facts.size(struct):
                raise Stopped(f"{struct} of {size} bytes, not {self.facts.size(struct)}")

    # Handles.

    def _new(self, kind: str, **callbacks: int) -> int:
        address = self.machine.opaque()
        self.handles[address] = Handle(kind, callbacks)
        return address

    def _only(self, kind: str) -> int:
        handles = [address for address, handle in self.handles.items() if handle.kind == kind]
        if len(handles) != 1:
            raise Stopped(f"{len(handles)} objects of kind {kind}")
        return handles[0]

    def _callbacks(self, struct: str, config: int) -> dict[str, int]:
        fields = self.facts.unpack(struct, self.machine.read(config, self.facts.size(struct)))
        return {name: value for name, value in fields.items() if name.startswith("Evt")}

    def _config(self, struct: str, config: int, name: str) -> int:
        offset, width = self.facts.field(struct, name)
        return self.machine.number(config + offset, width)

    def _request(self, request: int) -> Request:
        return self.handles[request].request

    # What clients do.

    def device_callback(self, name: str) -> int:
        """A callback of the device's."""
        return self.handles[self._only("WDFDEVICE")].callbacks[name]

    def open(self) -> tuple[int, int]:
        """A client opens the device: the file object, and the status."""
        file = self._new("WDFFILEOBJECT")
        request = Request(0, b"", 0, file)
        arguments = self._only("WDFDEVICE"), self._present(request), file
        self.machine.call(self.device_callback("EvtDeviceFileCreate"), *arguments)
        return file, self._completed(request)

    def control(self, file: int, code: int, data: bytes = b"", room: int = 0) -> Request:
        """A client's control request, which may be pended when this returns."""
        if not self.is_finished:
            raise Stopped("the device is not finished")
        request = Request(code, data, room, file)
        if size := max(len(data), room):
            request.buffer = self.machine.allocate(size)
            self.machine.write(request.buffer, data)
        handle = self._present(request)
        callback = self.device_callback("EvtIoInCallerContext")
        self.machine.call(callback, self._only("WDFDEVICE"), handle)
        if request.queue:
            queue, request.queue = request.queue, 0
            to = self.handles[queue].callbacks["EvtIoDeviceControl"]
            self.machine.call(to, queue, handle, room, len(data), code)
        elif request.status is None:
            raise Stopped(f"{code:#x} is neither completed nor enqueued")
        return request

    def work_items(self) -> int:
        """Runs what is enqueued, and what that enqueues; how many runs."""
        runs = 0
        while self.work:
            item = self.work.pop(0)
            self.machine.call(self.handles[item].callbacks["EvtWorkItemFunc"], item)
            runs += 1
        return runs

    def close(self, file: int) -> None:
        """A client closes its handle: clean-up, requests that wait, close."""
        self.machine.call(self.device_callback("EvtFileCleanup"), file)
        for handle in [h for h in self.handles if self._waits(h, file)]:
            queue = self.handles[handle].request.queue
            callback = self.handles[queue].callbacks["EvtIoCanceledOnQueue"]
            self.machine.call(callback, queue, handle)
        self.machine.call(self.device_callback("EvtFileClose"), file)
        del self.handles[file]

    def _present(self, request: Request) -> int:
        handle = self._new("WDFREQUEST")
        self.handles[handle].request = request
        return handle

    def _waits(self, handle: int, file: int) -> bool:
        request = self.handles[handle].request
        return request is not None and request.file == file

    def _completed(self, request: Request) -> int:
        if request.status is None:
            raise Stopped("the request is not completed")
        return request.status

    # The framework's functions: drivers.

    def WdfDriverCreate(
        self, driver: int, _path: int, _attributes: int, config: int, out: int
    ) -> int:
        flags = self._config("_WDF_DRIVER_CONFIG", config, "DriverInitFlags")
        if not flags & self.facts.enums["_WDF_DRIVER_INIT_FLAGS"]["WdfDriverInitNonPnpDriver"]:
            raise Stopped(f"flags {flags:#x}: a control device is not for Plug and Play")
        callbacks = self._callbacks("_WDF_DRIVER_CONFIG", config)
        self.machine.put(out, self._new("WDFDRIVER", **callbacks))
        self.machine.put(driver + DRIVER_UNLOAD, self._driver_unload)
        return STATUS_SUCCESS

    def WdfDriverOpenParametersRegistryKey(
        self, _driver: int, _access: int, _attributes: int, out: int
    ) -> int:
        self.machine.put(out, self._new("WDFKEY"))
        return STATUS_SUCCESS

    def WdfRegistryQueryUnicodeString(self, _key: int, name: int, _size: int, _value: int) -> int:
        self.machine.string(name)
        return STATUS_OBJECT_NAME_NOT_FOUND

    def WdfRegistryClose(self, key: int) -> None:
        del self.handles[key]

    # Devices.

    def WdfControlDeviceInitAllocate(self, _driver: int, sddl: int) -> int:
        self.sddl = self.machine.string(sddl)
        return self._new("PWDFDEVICE_INIT")

    def WdfDeviceInitSetCharacteristics(self, _init: int, _what: int, _or: int) -> None:
        pass

    def WdfDeviceInitAssignName(self, _init: int, name: int) -> int:
        self.names.append(self.machine.string(name))
        return STATUS_SUCCESS

    def WdfDeviceInitSetFileObjectConfig(self, init: int, config: int, _attributes: int) -> None:
        self.handles[init].callbacks |= self._callbacks("_WDF_FILEOBJECT_CONFIG", config)

    def WdfDeviceInitSetIoInCallerContextCallback(self, init: int, callback: int) -> None:
        self.handles[init].callbacks["EvtIoInCallerContext"] = callback

    def WdfDeviceInitFree(self, init: int) -> None:
        del self.handles[init]

    def WdfDeviceCreate(self, init: int, _attributes: int, out: int) -> int:
        taken = self.machine.number(init)
        self._check("PWDFDEVICE_INIT", taken)
        device = self._new("WDFDEVICE", **self.handles.pop(taken).callbacks)
        self.machine.put(init, 0)
        self.machine.put(out, device)
        return STATUS_SUCCESS

    def WdfDeviceCreateSymbolicLink(self, _device: int, name: int) -> int:
        self.names.append(self.machine.string(name))
        return STATUS_SUCCESS

    def WdfControlFinishInitializing(self, _device: int) -> None:
        self.is_finished = True

    def WdfDeviceEnqueueRequest(self, _device: int, request: int) -> int:
        self._request(request).queue = self.default_queue
        return STATUS_SUCCESS

    # Queues and work items.

    def WdfIoQueueCreate(self, _device: int, config: int, _attributes: int, out: int) -> int:
        queue = self._new("WDFQUEUE", **self._callbacks("_WDF_IO_QUEUE_CONFIG", config))
        if self._config("_WDF_IO_QUEUE_CONFIG", config, "DefaultQueue"):
            self.default_queue = queue
        self.machine.put(out, queue)
        return STATUS_SUCCESS

    def WdfIoQueueRetrieveRequestByFileObject(self, queue: int, file: int, out: int) -> int:
        for address, handle in self.handles.items():
            if self._waits(address, file) and handle.request.queue == queue:
                handle.request.queue = 0
                self.machine.put(out, address)
                return STATUS_SUCCESS
        return STATUS_NO_MORE_ENTRIES

    def WdfWorkItemCreate(self, config: int, attributes: int, out: int) -> int:
        self._check("WDFOBJECT", self._config("_WDF_OBJECT_ATTRIBUTES", attributes, "ParentObject"))
        callbacks = self._callbacks("_WDF_WORKITEM_CONFIG", config)
        self.machine.put(out, self._new("WDFWORKITEM", **callbacks))
        return STATUS_SUCCESS

    def WdfWorkItemEnqueue(self, item: int) -> None:
        if item not in self.work:
            self.work.append(item)

    def WdfWorkItemFlush(self, _item: int) -> None:
        if self.work:
            raise Stopped("work that is to be flushed was not run: a fault of this program")

    # Requests.

    def WdfRequestGetParameters(self, request: int, parameters: int) -> None:
        kinds = self.facts.enums["_WDF_REQUEST_TYPE"]
        kind, width = self.facts.field("_WDF_REQUEST_PARAMETERS", "Type")
        union, _ = self.facts.field("_WDF_REQUEST_PARAMETERS", "Parameters")
        of = self._request(request)
        self.machine.put(parameters + kind, kinds["WdfRequestTypeDeviceControl"], width)
        # Of a control request: OutputBufferLength, InputBufferLength, IoControlCode.
        self.machine.put(parameters + union, of.room)
        self.machine.put(parameters + union + 8, len(of.data))
        self.machine.put(parameters + union + 16, of.code, 4)

    def WdfRequestGetRequestorMode(self, _request: int) -> int:
        return USER_MODE

    def WdfRequestIsFrom32BitProcess(self, _request: int) -> int:
        return 0

    def WdfRequestGetFileObject(self, request: int) -> int:
        return self._request(request).file

    def WdfRequestRetrieveInputBuffer(
        self, request: int, minimum: int, out: int, length: int
    ) -> int:
        return self._buffer(request, len(self._request(request).data), minimum, out, length)

    def WdfRequestRetrieveOutputBuffer(
        self, request: int, minimum: int, out: int, length: int
    ) -> int:
        return self._buffer(request, self._request(request).room, minimum, out, length)

    def _buffer(self, request: int, size: int, minimum: int, out: int, length: int) -> int:
        if not size or size < minimum:
            return STATUS_BUFFER_TOO_SMALL
        self.machine.put(out, self._request(request).buffer)
        if length:
            self.machine.put(length, size)
        return STATUS_SUCCESS

    def WdfRequestForwardToIoQueue(self, request: int, queue: int) -> int:
        self._request(request).queue = queue
        return STATUS_SUCCESS

    def WdfRequestCompleteWithInformation(
        self, request: int, status: int, information: int
    ) -> None:
        of = self.handles.pop(request).request
        if information > of.room:
            raise Stopped(f"{information} bytes of an answer into room for {of.room}")
        of.status = status & 0xFFFF_FFFF
        if of.buffer:
            of.answer = self.machine.read(of.buffer, information)
            self.machine.free(of.buffer)

    def WdfObjectDelete(self, handle: int) -> None:
        if self.handles.pop(handle).kind == "WDFDEVICE":
            children = [a for a, h in self.handles.items() if h.kind in DEVICE_AND_CHILDREN]
            for child in children:
                del self.handles[child]
