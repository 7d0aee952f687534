//! Events of every kind, at each level that they come at.

use nthost::Kernel;
use nthost::ob::ObjectRef;
use nthost::ps::{NewImage, NewProcess, NewThread, Open, Process};
use nthost::se::Token;
use ntwatch_protocol::access::process::VM_READ;
use std::sync::Arc;

/// A Windows process and one of Linux' come, do all that the driver tells of, to each other as
/// well, and go. With `id` the first has that pid, and nobody else may have it at the time.
///
/// Threads and handles come at PASSIVE_LEVEL and at APC_LEVEL; of processes and images drivers are
/// told at PASSIVE_LEVEL alone.
///
/// # Panics
/// When a driver refuses them.
pub fn every_kind(kernel: &Arc<Kernel>, id: Option<u32>) {
    let new = NewProcess {
        id,
        image_name: Some(r"\??\C:\Windows\System32\whoami.exe".to_owned()),
        image_path: Some(r"\Device\HarddiskVolume3\Windows\System32\whoami.exe".to_owned()),
        command_line: Some("whoami /all".to_owned()),
        token: Token::standard_user(),
        ..NewProcess::default()
    };
    let linux = NewProcess {
        image_name: Some("/usr/bin/id".to_owned()),
        command_line: Some("id\0-u\0".to_owned()),
        wsl: true,
        ..NewProcess::default()
    };
    let [windows, linux] = [new, linux].map(|new| {
        let process = kernel.start_process(&kernel.ps.system, new);
        let process = process.expect("nobody refuses it");
        kernel.enter(&process, || {
            kernel.start_thread(&process, NewThread::default());
            let image = NewImage {
                name: Some(r"\Device\HarddiskVolume3\Windows\System32\ntdll.dll".to_owned()),
                base: 0x7ff6_0000_0000,
                size: 0x2_0000,
                ..NewImage::default()
            };
            kernel.load_image(Some(&process), image);
        });
        process
    });
    kernel.enter(&windows, || {
        meddle(kernel, &windows, &linux);
        kernel.at_apc_level(|| meddle(kernel, &windows, &linux));
    });
    end_a_thread_at_apc_level(kernel, &linux);
    kernel.exit_process(&linux, 0);
    kernel.exit_process(&windows, 0);
}

/// In a thread of `actor`: what is remote, and handles of every kind.
fn meddle(kernel: &Arc<Kernel>, actor: &ObjectRef<Process>, other: &ObjectRef<Process>) {
    let thread = kernel.start_thread(other, NewThread::default());
    let opened = [
        kernel.open_process(other, Open::access(VM_READ)),
        kernel.open_thread(&thread, Open::access(VM_READ)),
    ];
    for handle in opened.into_iter().flatten() {
        // Refused or not: the driver is to tell of it.
        let _ = kernel.duplicate_handle(actor, handle, other, Open::same_access());
        kernel.close_handle(handle);
    }
}

/// A thread of `process` that starts and ends at that level.
fn end_a_thread_at_apc_level(kernel: &Arc<Kernel>, process: &ObjectRef<Process>) {
    kernel.enter(process, || {
        kernel.at_apc_level(|| {
            let thread = kernel.start_thread(process, NewThread::default());
            kernel.enter_thread(&thread, || {
                kernel.at_apc_level(|| kernel.exit_thread(&thread, 0));
            });
        });
    });
}
