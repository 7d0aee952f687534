//! The function table: every entry is there, and one that nothing implements says so by name.

use crate::kmdf::*;
use crate::{device, driver, file, lock, memory, nt, object, queue, registry, request, work_item};

/// The table, for `WDF_BIND_INFO::FuncTable`.
pub(crate) fn functions() -> *const Function {
    FUNCTIONS.as_ptr()
}

static FUNCTIONS: [Function; FUNCTION_COUNT] = implemented();

type Missing = unsafe extern "system" fn() -> !;

/// An entry nothing implements: ends the system, naming the function.
pub(crate) unsafe extern "system" fn missing<const INDEX: usize>() -> ! {
    nt::debug_print(NAMES[INDEX]);
    nt::bug_check(
        WDF_API_UNAVAILABLE as usize,
        INDEX,
        NAMES[INDEX].as_ptr() as usize,
        0,
    )
}

/// Puts functions at their indices, each checked against its signature in the headers.
macro_rules! implement {
    ($($name:ident => $function:path,)*) => {
        const fn implemented() -> [Function; FUNCTION_COUNT] {
            // SAFETY: pointers to functions, cast to the type all entries have here. The driver
            // casts each to its own signature, and these take no part of it.
            let mut table = unsafe {
                core::mem::transmute::<[Missing; FUNCTION_COUNT], [Function; FUNCTION_COUNT]>(
                    MISSING,
                )
            };
            $({
                let function: signature!($name) = $function;
                // SAFETY: likewise; the driver casts it back to this signature.
                table[index::$name] = unsafe {
                    core::mem::transmute::<signature!($name), Function>(function)
                };
            })*
            table
        }
    };
}

implement! {
    WdfControlDeviceInitAllocate => device::control_device_init_allocate,
    WdfControlFinishInitializing => device::control_finish_initializing,
    WdfDeviceCreate => device::device_create,
    WdfDeviceCreateSymbolicLink => device::create_symbolic_link,
    WdfDeviceEnqueueRequest => device::enqueue_request,
    WdfDeviceGetCharacteristics => device::get_characteristics,
    WdfDeviceGetDefaultQueue => device::get_default_queue,
    WdfDeviceGetDriver => device::get_driver,
    WdfDeviceGetFileObject => device::get_file_object,
    WdfDeviceInitAssignName => device::init_assign_name,
    WdfDeviceInitAssignSDDLString => device::init_assign_sddl,
    WdfDeviceInitFree => device::init_free,
    WdfDeviceInitSetCharacteristics => device::init_set_characteristics,
    WdfDeviceInitSetDeviceType => device::init_set_device_type,
    WdfDeviceInitSetExclusive => device::init_set_exclusive,
    WdfDeviceInitSetFileObjectConfig => device::init_set_file_object_config,
    WdfDeviceInitSetIoInCallerContextCallback => device::init_set_io_in_caller_context_callback,
    WdfDeviceInitSetIoType => device::init_set_io_type,
    WdfDeviceInitSetRequestAttributes => device::init_set_request_attributes,
    WdfDeviceWdmGetDeviceObject => device::wdm_get_device_object,

    WdfDriverCreate => driver::create,
    WdfDriverGetRegistryPath => driver::get_registry_path,
    WdfDriverOpenParametersRegistryKey => registry::open_parameters,
    WdfDriverWdmGetDriverObject => driver::wdm_get_driver_object,

    WdfFileObjectGetDevice => file::get_device,
    WdfFileObjectGetFileName => file::get_file_name,
    WdfFileObjectGetFlags => file::get_flags,
    WdfFileObjectWdmGetFileObject => file::wdm_get_file_object,

    WdfIoQueueCreate => queue::queue_create,
    WdfIoQueueDrain => queue::drain,
    WdfIoQueueDrainSynchronously => queue::drain_synchronously,
    WdfIoQueueFindRequest => queue::find_request,
    WdfIoQueueGetDevice => queue::get_device,
    WdfIoQueueGetState => queue::get_state,
    WdfIoQueuePurge => queue::purge,
    WdfIoQueuePurgeSynchronously => queue::purge_synchronously,
    WdfIoQueueRetrieveFoundRequest => queue::retrieve_found_request,
    WdfIoQueueRetrieveNextRequest => queue::retrieve_next_request,
    WdfIoQueueRetrieveRequestByFileObject => queue::retrieve_request_by_file_object,
    WdfIoQueueStart => queue::start,
    WdfIoQueueStop => queue::stop,
    WdfIoQueueStopSynchronously => queue::stop_synchronously,

    WdfMemoryAssignBuffer => memory::assign_buffer,
    WdfMemoryCopyFromBuffer => memory::copy_from_buffer,
    WdfMemoryCopyToBuffer => memory::copy_to_buffer,
    WdfMemoryCreate => memory::create,
    WdfMemoryCreatePreallocated => memory::create_preallocated,
    WdfMemoryGetBuffer => memory::get_buffer,

    WdfObjectAllocateContext => object::allocate_context,
    WdfObjectContextGetObject => object::context_get_object,
    WdfObjectCreate => object::create,
    WdfObjectDelete => object::delete_object,
    WdfObjectDereferenceActual => object::dereference_actual,
    WdfObjectGetTypedContextWorker => object::get_typed_context_worker,
    WdfObjectReferenceActual => object::reference_actual,

    WdfRegistryClose => registry::close,
    WdfRegistryQueryUnicodeString => registry::query_unicode_string,

    WdfRequestComplete => request::request_complete,
    WdfRequestCompleteWithInformation => request::complete_with_information,
    WdfRequestCompleteWithPriorityBoost => request::complete_with_priority_boost,
    WdfRequestForwardToIoQueue => request::forward_to_io_queue,
    WdfRequestGetFileObject => request::get_file_object,
    WdfRequestGetInformation => request::get_information,
    WdfRequestGetIoQueue => request::get_io_queue,
    WdfRequestGetParameters => request::get_parameters,
    WdfRequestGetRequestorMode => request::get_requestor_mode,
    WdfRequestGetRequestorProcessId => request::get_requestor_process_id,
    WdfRequestGetStatus => request::get_status,
    WdfRequestIsCanceled => request::is_canceled,
    WdfRequestIsFrom32BitProcess => request::is_from_32_bit_process,
    WdfRequestMarkCancelable => request::mark_cancelable,
    WdfRequestMarkCancelableEx => request::mark_cancelable_ex,
    WdfRequestRequeue => request::requeue,
    WdfRequestRetrieveInputBuffer => request::retrieve_input_buffer,
    WdfRequestRetrieveInputMemory => request::retrieve_input_memory,
    WdfRequestRetrieveInputWdmMdl => request::retrieve_input_wdm_mdl,
    WdfRequestRetrieveOutputBuffer => request::retrieve_output_buffer,
    WdfRequestRetrieveOutputMemory => request::retrieve_output_memory,
    WdfRequestRetrieveOutputWdmMdl => request::retrieve_output_wdm_mdl,
    WdfRequestSetInformation => request::set_information,
    WdfRequestUnmarkCancelable => request::unmark_cancelable,
    WdfRequestWdmGetIrp => request::wdm_get_irp,

    WdfSpinLockAcquire => lock::spin_lock_acquire,
    WdfSpinLockCreate => lock::spin_lock_create,
    WdfSpinLockRelease => lock::spin_lock_release,
    WdfWaitLockAcquire => lock::wait_lock_acquire,
    WdfWaitLockCreate => lock::wait_lock_create,
    WdfWaitLockRelease => lock::wait_lock_release,

    WdfWorkItemCreate => work_item::create,
    WdfWorkItemEnqueue => work_item::enqueue,
    WdfWorkItemFlush => work_item::flush,
    WdfWorkItemGetParentObject => work_item::get_parent_object,
}
