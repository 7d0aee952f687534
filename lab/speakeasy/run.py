"""Runs ntwatch.sys in Speakeasy, an emulator that nobody here wrote.

    python run.py ntwatch.sys              runs it at two bases, then has its DriverEntry fail
    python run.py --self-test ntwatch.sys  breaks copies of it, each of which must be noticed

Speakeasy loads the image and runs every instruction of it. Here are only the functions that the
driver imports (`kernel`, `objects`), the framework's (`wdf`, by the facts in `lab/wdk`), and a
client (`client`, `visit`). What ends a run, with exit code 1: an import that nobody knows, memory
that is not there or may not be written, an argument that is not what the function takes, an
interrupt, a register that is not kept, anything left after unload. `cargo xtask emulate` sets up
what this needs and runs both.

N.B. The emulator goes on where code is run from data. nthost faults there, as Windows does.
"""

import argparse
import logging
import os
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import mutants
from machine import Stopped
from visit import Visit

# The base that the image is linked for, and a high one. N.B. Unicorn fetches code by the lower 52
# bits of an address, so the system's half of the address space is not to be had.
BASES = (0x1_8000_0000, 0xF800_1234_0000)
STATUS_INSUFFICIENT_RESOURCES = 0xC000_009A
# What DriverEntry calls and can be refused, and how that looks.
REFUSALS = {
    "WdfVersionBind": STATUS_INSUFFICIENT_RESOURCES,
    "WdfDriverCreate": STATUS_INSUFFICIENT_RESOURCES,
    "ExAllocatePool2": 0,
    "WdfDriverOpenParametersRegistryKey": STATUS_INSUFFICIENT_RESOURCES,
    "WdfRegistryQueryUnicodeString": STATUS_INSUFFICIENT_RESOURCES,
    "WdfControlDeviceInitAllocate": 0,
    "WdfDeviceInitAssignName": STATUS_INSUFFICIENT_RESOURCES,
    "WdfDeviceCreate": STATUS_INSUFFICIENT_RESOURCES,
    "WdfDeviceCreateSymbolicLink": STATUS_INSUFFICIENT_RESOURCES,
    "WdfIoQueueCreate": STATUS_INSUFFICIENT_RESOURCES,
    "WdfWorkItemCreate": STATUS_INSUFFICIENT_RESOURCES,
    "PsSetCreateProcessNotifyRoutineEx2": STATUS_INSUFFICIENT_RESOURCES,
    "PsSetCreateThreadNotifyRoutineEx": STATUS_INSUFFICIENT_RESOURCES,
    "PsSetLoadImageNotifyRoutineEx": STATUS_INSUFFICIENT_RESOURCES,
    "ObRegisterCallbacks": STATUS_INSUFFICIENT_RESOURCES,
}


def run(driver: bytes, base: int, tell: Callable[[str, str], None]) -> str | None:
    """Runs all steps; why one failed, if one did."""
    name = "load"
    try:
        visit = Visit(driver, base)
        for name, step in visit.steps().items():
            seen = step()
            visit.kernel.check_quiet()
            tell(name, seen)
    # An answer that cannot be parsed is a failure like others.
    except (Stopped, ValueError, struct.error) as why:
        tell(name, f"FAILED: {why}")
        return f"{name}: {why}"
    return None


def run_quietly(driver: bytes) -> str | None:
    """Why the driver failed at the high base, if it did."""
    return run(driver, BASES[1], lambda _step, _seen: None)


def refuse(driver: bytes, function: str) -> tuple[str, bool]:
    """Has one function fail: what was seen, and whether that is right."""
    try:
        return Visit(driver, BASES[1]).refused(function, REFUSALS[function]), True
    except Stopped as why:
        return f"FAILED: {why}", False


def count_refused(driver: bytes, pool: ProcessPoolExecutor) -> int:
    """How many functions can fail without harm."""
    seen = list(pool.map(partial(refuse, driver), REFUSALS))
    for function, (what, _) in zip(REFUSALS, seen, strict=True):
        tell(f"no {function}", what)
    return sum(is_right for _, is_right in seen)


def count_noticed(driver: bytes, pool: ProcessPoolExecutor) -> int:
    """How many of the broken copies are noticed."""
    whys = list(pool.map(run_quietly, mutants.broken(driver)))
    for what, why in zip(mutants.MUTANTS, whys, strict=True):
        tell(what, why or "NOT NOTICED")
    return len(whys) - whys.count(None)


def add_figure(check: str, cases: int, of: str) -> None:
    """Adds a figure to the file that a table is made of, if there is one (`lab/figures`)."""
    if path := os.environ.get("NTWATCH_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{check}\t{cases}\t{of}\n")


def be_quiet() -> None:
    """What the emulator logs about an error is in what is printed here."""
    logging.getLogger("speakeasy").setLevel(logging.CRITICAL + 1)


def tell(step: str, seen: str) -> None:
    print(f"{step:<38} {seen}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("driver", type=Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    driver = arguments.driver.read_bytes()
    be_quiet()
    with ProcessPoolExecutor(initializer=be_quiet) as pool:
        if arguments.self_test:
            noticed = count_noticed(driver, pool)
            add_figure("broken drivers, noticed in the emulator", noticed, "drivers")
            return int(noticed < len(mutants.MUTANTS))
        failures = [run(driver, base, tell) for base in BASES]
        add_figure("visits in the emulator, from load to unload", failures.count(None), "visits")
        refused = count_refused(driver, pool)
        add_figure("failing DriverEntry in the emulator", refused, "functions")
        return int(any(failures) or refused < len(REFUSALS))


if __name__ == "__main__":
    sys.exit(main())
