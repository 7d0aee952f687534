/* WdfDriverEntry.lib: the entry point of every KMDF driver. It binds the driver to the framework,
 * calls DriverEntry, and unbinds when that fails or the driver is unloaded. */

#include <ntddk.h>
#include <wdf.h>

typedef struct _WDF_BIND_INFO {
    ULONG Size;
    PWCHAR Component;
    struct {
        ULONG Major;
        ULONG Minor;
        ULONG Build;
    } Version;
    ULONG FuncCount;
    CONST WDFFUNC **FuncTable;
    PVOID Module;
} WDF_BIND_INFO, *PWDF_BIND_INFO;

_Static_assert(sizeof(WDF_BIND_INFO) == 48, "the size that the loader expects");

NTSTATUS WdfVersionBind(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath,
    PWDF_BIND_INFO BindInfo, PWDF_DRIVER_GLOBALS *ComponentGlobals);
NTSTATUS WdfVersionUnbind(PUNICODE_STRING RegistryPath, PWDF_BIND_INFO BindInfo,
    PWDF_DRIVER_GLOBALS ComponentGlobals);

DRIVER_INITIALIZE DriverEntry;

CONST WDFFUNC *WdfFunctions;
PWDF_DRIVER_GLOBALS WdfDriverGlobals;
ULONG WdfFunctionCount = WdfFunctionTableNumEntries;

static WCHAR Component[] = L"KmdfLibrary";
static WDF_BIND_INFO BindInfo = {
    .Size = sizeof(WDF_BIND_INFO),
    .Component = Component,
    .Version = {KMDF_VERSION_MAJOR, KMDF_VERSION_MINOR, 0},
    .FuncCount = WdfFunctionTableNumEntries,
    .FuncTable = &WdfFunctions,
};

/* The loader finds the driver by its registry path again when it unbinds: a copy that outlives
 * DriverEntry. Service keys are far shorter than this. */
static WCHAR RegistryPathBuffer[256];
static UNICODE_STRING RegistryPathCopy = {.Buffer = RegistryPathBuffer};
static PDRIVER_UNLOAD DisplacedDriverUnload;

static VOID FxDriverUnload(PDRIVER_OBJECT DriverObject)
{
    if (DisplacedDriverUnload) {
        DisplacedDriverUnload(DriverObject);
    }
    WdfVersionUnbind(&RegistryPathCopy, &BindInfo, WdfDriverGlobals);
}

NTSTATUS FxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    if (RegistryPath->Length > sizeof(RegistryPathBuffer)) {
        return (NTSTATUS)0xC0000106L; /* STATUS_NAME_TOO_LONG */
    }
    memcpy(RegistryPathBuffer, RegistryPath->Buffer, RegistryPath->Length);
    RegistryPathCopy.Length = RegistryPath->Length;
    RegistryPathCopy.MaximumLength = sizeof(RegistryPathBuffer);

    status = WdfVersionBind(DriverObject, &RegistryPathCopy, &BindInfo, &WdfDriverGlobals);
    if (status < 0) {
        return status;
    }
    status = DriverEntry(DriverObject, RegistryPath);
    if (status < 0) {
        WdfVersionUnbind(&RegistryPathCopy, &BindInfo, WdfDriverGlobals);
        return status;
    }
    if (WdfDriverGlobals->DisplaceDriverUnload) {
        DisplacedDriverUnload = DriverObject->DriverUnload;
        DriverObject->DriverUnload = FxDriverUnload;
    }
    return status;
}
