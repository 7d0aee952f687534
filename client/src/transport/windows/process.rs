//! What Windows tells of the processes that run.

use super::device::last_fault;
use super::wine;
use crate::time::Time;
use crate::transport::telemetry::Telemetry;
use crate::transport::{Fault, RunningProcess};
use std::mem::offset_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, PROCESSINFOCLASS, ProcessBasicInformation,
    ProcessProtectionInformation, ProcessSubsystemInformation, ProcessTelemetryIdInformation,
    ProcessWow64Information,
};
use windows_sys::Win32::Foundation::{
    INVALID_HANDLE_VALUE, NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL,
    STATUS_INFO_LENGTH_MISMATCH, STATUS_PENDING,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_STATISTICS,
    TokenElevation, TokenIntegrityLevel, TokenStatistics,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, OpenProcessToken, PROCESS_BASIC_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
};

/// The processes that run now and that can be opened (all but the idle process and a few of the
/// kernel's own, for an administrator), in order of creation.
pub(super) fn snapshot() -> Result<Vec<RunningProcess>, Fault> {
    let mut processes: Vec<_> = pids()?.into_iter().filter_map(process).collect();
    processes.sort_by_key(|process| process.create_time);
    Ok(processes)
}

/// The process that has this pid now, if it can be opened.
pub(super) fn process(pid: u32) -> Option<RunningProcess> {
    facts(&open(pid)?)
}

/// Page "CreateToolhelp32Snapshot function".
fn pids() -> Result<Vec<u32>, Fault> {
    // SAFETY: takes no pointers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(last_fault());
    }
    // SAFETY: a handle that was just created and that nobody else has.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let mut entry = PROCESSENTRY32W {
        dwSize: size_of::<PROCESSENTRY32W>() as u32,
        ..PROCESSENTRY32W::default()
    };
    let mut pids = Vec::new();
    // SAFETY: `entry` is ours and says its size.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        pids.push(entry.th32ProcessID);
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    Ok(pids)
}

/// `None` for a process that has ended or that nobody may open.
fn open(pid: u32) -> Option<OwnedHandle> {
    // SAFETY: takes no pointers.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    // SAFETY: a handle that was just opened and that nobody else has.
    (!process.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(process) })
}

/// All that can be asked about a process; `None` if it has ended, or without its start key, for
/// it is nobody then.
fn facts(process: &OwnedHandle) -> Option<RunningProcess> {
    let basic = basic(process)?;
    // N.B. who has a handle can ask about a process that has ended.
    if basic.exit_status != STATUS_PENDING {
        return None;
    }
    let identity = match telemetry(process) {
        Some(answer) => Identity::of(Telemetry(&answer)),
        None => wine::identity(process),
    }?;
    let token = token(process);
    let token = token.as_ref();
    Some(RunningProcess {
        // N.B. not always the pid that it was opened by: Windows leaves out the low two bits.
        pid: basic.pid,
        key: identity.key,
        create_time: identity.create_time.and_then(Time::known),
        parent_pid: Some(basic.parent_pid).filter(|pid| *pid != 0),
        parent_key: None,
        image: identity.image,
        command_line: identity.command_line,
        session_id: identity.session_id,
        user: identity.user,
        logon_id: token.and_then(logon_id),
        integrity: token.and_then(integrity),
        elevated: token.and_then(elevated),
        protection: query::<1>(process, ProcessProtectionInformation).map(|[level]| level),
        // The address of the 32-bit PEB, if there is one.
        wow64: query(process, ProcessWow64Information).map(|peb| usize::from_le_bytes(peb) != 0),
        subsystem: query(process, ProcessSubsystemInformation).map(u32::from_le_bytes),
    })
}

/// Who a process is, and what is known with that.
pub(super) struct Identity {
    /// Start key.
    pub(super) key: u64,
    /// 100 ns units since 1601, UTC.
    pub(super) create_time: Option<i64>,
    /// NT path, or DOS path.
    pub(super) image: Option<String>,
    pub(super) command_line: Option<String>,
    pub(super) session_id: Option<u32>,
    /// SID, binary.
    pub(super) user: Option<Vec<u8>>,
}

impl Identity {
    fn of(telemetry: Telemetry<'_>) -> Option<Self> {
        Some(Self {
            key: telemetry.start_key()?,
            create_time: telemetry.create_time(),
            image: telemetry.image_path(),
            command_line: telemetry.command_line(),
            session_id: telemetry.session_id(),
            user: telemetry.user().map(<[u8]>::to_vec),
        })
    }
}

/// Facts of `PROCESS_BASIC_INFORMATION`.
struct Basic {
    /// STATUS_PENDING as long as it runs.
    exit_status: NTSTATUS,
    pid: u32,
    parent_pid: u32,
}

fn basic(process: &OwnedHandle) -> Option<Basic> {
    const SIZE: usize = size_of::<PROCESS_BASIC_INFORMATION>();
    const EXIT_STATUS: usize = offset_of!(PROCESS_BASIC_INFORMATION, ExitStatus);
    const PID: usize = offset_of!(PROCESS_BASIC_INFORMATION, UniqueProcessId);
    const PARENT_PID: usize = offset_of!(PROCESS_BASIC_INFORMATION, InheritedFromUniqueProcessId);
    let answer = query::<SIZE>(process, ProcessBasicInformation)?;
    // Pids have 32 bits.
    let field = |offset: usize| answer.get(offset..)?.first_chunk().copied();
    Some(Basic {
        exit_status: i32::from_le_bytes(field(EXIT_STATUS)?),
        pid: u32::from_le_bytes(field(PID)?),
        parent_pid: u32::from_le_bytes(field(PARENT_PID)?),
    })
}

/// A fact of a size that is known.
pub(super) fn query<const N: usize>(
    process: &OwnedHandle,
    class: PROCESSINFOCLASS,
) -> Option<[u8; N]> {
    /// The system wants the alignment of the type that the class stands for.
    #[repr(C, align(8))]
    struct Answer<const N: usize>([u8; N]);
    let mut answer = Answer([0; N]);
    // SAFETY: `answer` is N bytes, aligned for any fact; the returned length may be null.
    let status = unsafe {
        NtQueryInformationProcess(
            process.as_raw_handle(),
            class,
            answer.0.as_mut_ptr().cast(),
            N as u32,
            std::ptr::null_mut(),
        )
    };
    (status >= 0).then_some(answer.0)
}

/// The bytes of `ProcessTelemetryIdInformation`.
fn telemetry(process: &OwnedHandle) -> Option<Vec<u8>> {
    // Paths and command lines of 64 KiB at most, and the rest.
    const LARGEST: usize = 256 * 1024;
    let mut answer = vec![0u64; 512];
    loop {
        let size = size_of_val(answer.as_slice());
        let mut needed = 0;
        // SAFETY: `answer` has `size` bytes, aligned for the structure's 64-bit fields.
        let status = unsafe {
            NtQueryInformationProcess(
                process.as_raw_handle(),
                ProcessTelemetryIdInformation,
                answer.as_mut_ptr().cast(),
                size as u32,
                &raw mut needed,
            )
        };
        if status >= 0 {
            let mut bytes: Vec<u8> = answer.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.truncate(needed as usize);
            return Some(bytes);
        }
        if !wants_room(status) || size >= LARGEST {
            return None;
        }
        // The command line may have grown since.
        answer.resize(answer.len() * 2, 0);
    }
}

/// Would the same question in a larger buffer be answered? Which of these a class fails with, its
/// documentation leaves open.
const fn wants_room(status: NTSTATUS) -> bool {
    matches!(
        status,
        STATUS_INFO_LENGTH_MISMATCH | STATUS_BUFFER_TOO_SMALL | STATUS_BUFFER_OVERFLOW
    )
}

/// `None` where the token's own protection forbids it.
fn token(process: &OwnedHandle) -> Option<OwnedHandle> {
    let mut token = std::ptr::null_mut();
    // SAFETY: a live process handle, and `token` is ours to write.
    let ok = unsafe { OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &raw mut token) };
    // SAFETY: a handle that was just opened and that nobody else has.
    (ok != 0).then(|| unsafe { OwnedHandle::from_raw_handle(token) })
}

fn logon_id(token: &OwnedHandle) -> Option<u64> {
    let mut statistics = TOKEN_STATISTICS::default();
    ask(token, TokenStatistics, &mut statistics)?;
    let luid = statistics.AuthenticationId;
    Some(u64::from(luid.HighPart.cast_unsigned()) << 32 | u64::from(luid.LowPart))
}

fn elevated(token: &OwnedHandle) -> Option<bool> {
    let mut elevation = TOKEN_ELEVATION::default();
    ask(token, TokenElevation, &mut elevation)?;
    Some(elevation.TokenIsElevated != 0)
}

/// The last part of the level's SID, which lies behind the label in the answer.
fn integrity(token: &OwnedHandle) -> Option<u32> {
    /// `TOKEN_MANDATORY_LABEL` and a SID of one part.
    #[repr(C)]
    struct Label {
        sid: *const u8,
        attributes: u32,
        revision: u8,
        parts: u8,
        authority: [u8; 6],
        rid: u32,
        slack: [u8; 32],
    }
    let mut label = Label {
        sid: std::ptr::null(),
        attributes: 0,
        revision: 0,
        parts: 0,
        authority: [0; 6],
        rid: 0,
        slack: [0; 32],
    };
    let start = (&raw const label).addr();
    ask(token, TokenIntegrityLevel, &mut label)?;
    let in_place = label.sid.addr() == start + offset_of!(Label, revision);
    (in_place && label.parts == 1).then_some(label.rid)
}

/// `GetTokenInformation` into a structure whose every bit pattern is a value.
fn ask<T>(token: &OwnedHandle, class: TOKEN_INFORMATION_CLASS, answer: &mut T) -> Option<()> {
    let mut len = 0;
    // SAFETY: `answer` has the length given and is ours to write; callers pass plain structures.
    let ok = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            class,
            std::ptr::from_mut(answer).cast(),
            size_of::<T>() as u32,
            &raw mut len,
        )
    };
    (ok != 0).then_some(())
}
