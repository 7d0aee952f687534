//! Recordings small enough to read.

mod files;
mod order;

use super::*;
use std::path::PathBuf;

/// A file that is gone when the test is.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> TempFile {
        let path = std::env::temp_dir().join(format!("nthost-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A GUID of a process created at `second` of the recording's minute.
fn guid(second: u32, key: u16) -> String {
    // 22:27:00 is 0x5f80e3b4.
    let time = 0x5f80_e3b4 + second;
    format!(
        "{{42c2e005-{:04x}-{:04x}-{:04x}-000000000400}}",
        time & 0xffff,
        time >> 16,
        key.swap_bytes()
    )
}

fn event(host: &str, second: u32, id: u32, fields: serde_json::Value) -> String {
    let mut event = serde_json::json!({
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Hostname": host,
        "EventID": id,
        "UtcTime": format!("2020-10-09 22:27:{second:02}.000"),
    });
    event
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    event.to_string() + "\n"
}

fn start(second: u32, key: u16, pid: u32, parent: (u16, u32)) -> String {
    event(
        "PC",
        second,
        1,
        serde_json::json!({
            "ProcessGuid": guid(second, key), "ProcessId": pid.to_string(),
            "Image": "C:\\a.exe", "CommandLine": " a -b", "IntegrityLevel": "High",
            "User": "PC\\me", "LogonId": "0x3e7", "TerminalSessionId": "1",
            "ParentProcessGuid": guid(0, parent.0), "ParentProcessId": parent.1.to_string(),
            "ParentImage": "C:\\parent.exe", "ParentCommandLine": "parent",
        }),
    )
}

/// Of a process created at `created`.
fn exit(second: u32, created: u32, key: u16, pid: u32) -> String {
    event(
        "PC",
        second,
        5,
        serde_json::json!({
            "ProcessGuid": guid(created, key), "ProcessId": pid, "Image": "C:\\a.exe",
        }),
    )
}

/// A process opens another; each by GUID, or by zeros, and pid.
fn access(second: u32, source: (Option<String>, u32), target: (Option<String>, u32)) -> String {
    let zeros = || "{00000000-0000-0000-0000-000000000000}".to_owned();
    event(
        "PC",
        second,
        10,
        serde_json::json!({
            "SourceProcessGUID": source.0.unwrap_or_else(zeros),
            "SourceProcessId": source.1.to_string(), "SourceThreadId": "104",
            "TargetProcessGUID": target.0.unwrap_or_else(zeros),
            "TargetProcessId": target.1.to_string(), "GrantedAccess": "0x1010",
        }),
    )
}

/// An image in a process that was created at `second`.
fn load(second: u32, key: u16, pid: Option<u32>, path: &str) -> String {
    let mut fields = serde_json::json!({
        "ProcessGuid": guid(second, key), "Image": "C:\\a.exe", "ImageLoaded": path,
        "Signed": "true", "Signature": "Microsoft Windows",
    });
    if let Some(pid) = pid {
        fields["ProcessId"] = pid.to_string().into();
    }
    event("PC", second, 7, fields)
}

fn open(name: &str, lines: &[String]) -> Result<Recording, ReplayError> {
    let file = TempFile::new(name, lines.concat().as_bytes());
    Recording::open(&file.0, None)
}

/// Steps with pids in place of indices.
fn steps(recording: &Recording) -> Vec<String> {
    let name = |index: usize| {
        let process = &recording.plan.processes[index];
        match process.key {
            Some(key) => format!("{}/{}", process.pid, key & 0xffff),
            None => format!("{}/?", process.pid),
        }
    };
    let step = |(_, step): &(i64, Step)| match step {
        Step::Start(index) => format!("start {}", name(*index)),
        Step::Exit(index) => format!("exit {}", name(*index)),
        Step::Appear(index) => format!("appear {}", name(*index)),
        Step::Load { process, path } => {
            let path = path.as_deref().unwrap_or("(null)");
            format!("load {path} into {}", name(*process))
        }
        Step::RemoteThread {
            source,
            target,
            tid,
            start_address,
        } => {
            let [source, target] = [source, target].map(|index| name(*index));
            format!("{source} starts {tid} at {start_address:x?} in {target}")
        }
        Step::Open {
            source,
            tid,
            target,
            access,
        } => {
            let [source, target] = [source, target].map(|index| name(*index));
            format!("{source} by {tid:?} opens {target} for {access:#x}")
        }
    };
    let before = recording
        .plan
        .before
        .iter()
        .map(|index| format!("before {}", name(*index)));
    before
        .chain(recording.plan.steps.iter().map(step))
        .collect()
}
