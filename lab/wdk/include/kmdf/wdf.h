/* Kernel-Mode Driver Framework 1.31: the functions that a driver reaches through a table. */
#pragma once

#include "wdftypes.h"
#include "wdffuncenum.h"
#include "wdfobject.h"
#include "wdfdriver.h"
#include "wdfdevice.h"
#include "wdfio.h"
#include "wdfrequest.h"
#include "wdfmemory.h"
#include "wdfsync.h"
#include "wdftimer.h"
#include "wdfworkitem.h"
#include "wdfregistry.h"

#define WdfFunctions WdfFunctions_01031

/* FxDriverEntry of WdfDriverEntry.lib fills these in before it calls DriverEntry. */
typedef VOID (*WDFFUNC)(VOID);

extern const WDFFUNC *WdfFunctions;
extern PWDF_DRIVER_GLOBALS WdfDriverGlobals;
extern ULONG WdfFunctionCount;
