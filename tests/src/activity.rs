//! Events of every kind.

use nthost::Kernel;
use nthost::ob::ObjectRef;
use nthost::ps::{NewImage, NewProcess, NewThread, Open, Process};
use nthost::se::Token;
use ntwatch_protocol::access::process::VM_READ;
use std::sync::Arc;

/// A Windows process and one of Linux' come, do all that the driver tells of, to each other as
/// well, and go. With `id` the first has that pid, and nobody else may have it at the time.
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
    kernel.enter(&windows, || meddle(kernel, &windows, &linux));
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
