//! Any event that a client could be told of, for tests of what becomes of events. Strategies are
//! boxed: nested, they are larger than a test's stack.

use ntwatch_client::event::{
    Access, Body, Counts, Duplicate, Event, ExitedProcess, HandleOpen, Hex, Image, ImageLoad,
    Integrity, Lost, Operation, Process, ProcessExit, ProcessId, ProcessRef, ProcessStart,
    Protection, SessionInfo, SignatureLevel, SignatureType, Stage, Subsystem, Target, TargetType,
    Thread, ThreadExit, ThreadRef, ThreadStart,
};
use ntwatch_client::time::Time;
use proptest::option::of;
use proptest::prelude::*;
use std::sync::Arc;

/// The last time that RFC 3339 can write.
const LAST: i64 = 2_650_467_743_999_999_999;

/// Any event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let line = (0..1u64 << 53, time(), body());
    line.prop_map(|(seq, time, body)| Event { seq, time, body })
}

fn body() -> BoxedStrategy<Body> {
    prop_oneof![
        session().prop_map(|session| Body::Session { session }),
        start().prop_map(|start| {
            Body::ProcessRunning(Box::new(ProcessStart {
                creator: None,
                creation_status: None,
                ..start
            }))
        }),
        start().prop_map(|start| Body::ProcessStart(Box::new(start))),
        exit().prop_map(Body::ProcessExit),
        thread_start().prop_map(|start| Body::ThreadStart(Box::new(start))),
        thread_exit().prop_map(|exit| Body::ThreadExit(Box::new(exit))),
        image_load().prop_map(|load| Body::ImageLoad(Box::new(load))),
        handle_open().prop_map(|open| Body::HandleOpen(Box::new(open))),
        lost().prop_map(Body::Lost),
    ]
    .boxed()
}

fn time() -> impl Strategy<Value = Time> {
    (0..=LAST).prop_map(Time)
}

/// Of known times only: 0 stands for "not known".
fn known_time() -> impl Strategy<Value = Time> {
    (1..=LAST).prop_map(Time)
}

fn hex() -> impl Strategy<Value = Hex> {
    any::<u64>().prop_map(Hex)
}

/// Text with all that formats stumble over: quotes, separators, line ends, NULs, U+FFFD.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        r"C:\\Windows\\System32\\[a-z]{1,12}\.exe",
        "[ -~]{1,40}",
        "[\",;\\\\'\r\n\t\0a]{1,8}",
        "\\PC{1,12}",
        Just("\u{fffd}".to_owned()),
    ]
    .boxed()
}

fn shared() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Into::into)
}

fn session() -> BoxedStrategy<SessionInfo> {
    (hex(), of(known_time()), text())
        .prop_map(|(driver_load_id, boot_time, host)| SessionInfo {
            driver_load_id,
            boot_time,
            host,
            schema: 1,
            driver_version: "0.1.0.0".into(),
            client_version: "0.1.0".into(),
        })
        .boxed()
}

fn start() -> BoxedStrategy<ProcessStart> {
    let identity = (any::<u32>(), hex(), of(known_time()), of(shared()));
    let said = (of(any::<bool>()), of(text()));
    let token = (
        of(any::<u32>()),
        of(shared()),
        of(hex()),
        of(any::<u32>().prop_map(Integrity)),
        of(any::<bool>()),
    );
    // The audit bit has no word.
    let protection = any::<u8>().prop_map(|level| Protection(level & !0x8));
    let kind = (of(protection), of(any::<bool>()), of(subsystem()));
    let process = (identity, said, token, kind, of(sha256()));
    let process = process.prop_map(|(identity, said, token, kind, sha256)| {
        let (pid, key, create_time, image) = identity;
        let (image_exact, command_line) = said;
        let (session, user, logon_id, integrity, elevated) = token;
        let (protection, wow64, subsystem) = kind;
        Process {
            pid,
            key,
            create_time,
            image,
            image_exact,
            command_line,
            session,
            user,
            logon_id,
            integrity,
            elevated,
            protection,
            wow64,
            subsystem,
            sha256,
        }
    });
    let whose = (process, process_ref(), thread_ref(), of(any::<u32>()));
    whose
        .prop_map(|(process, parent, creator, creation_status)| ProcessStart {
            process,
            parent: Some(parent),
            creator: Some(creator),
            creation_status,
        })
        .boxed()
}

fn subsystem() -> impl Strategy<Value = Subsystem> {
    prop_oneof![Just(Subsystem::Win32), Just(Subsystem::Wsl)]
}

fn sha256() -> impl Strategy<Value = Arc<str>> {
    "[0-9a-f]{64}".prop_map(Into::into)
}

fn process_ref() -> BoxedStrategy<ProcessRef> {
    let process = (any::<u32>(), of(hex()), of(shared()));
    process
        .prop_map(|(pid, key, image)| ProcessRef { pid, key, image })
        .boxed()
}

fn thread_ref() -> BoxedStrategy<ThreadRef> {
    let thread = (any::<u32>(), any::<u32>(), of(hex()), of(shared()));
    thread
        .prop_map(|(pid, tid, key, image)| ThreadRef {
            pid,
            tid,
            key,
            image,
        })
        .boxed()
}

fn exit() -> BoxedStrategy<ProcessExit> {
    let process = (any::<u32>(), hex(), of(known_time()), of(shared()));
    (process, any::<u32>())
        .prop_map(
            |((pid, key, create_time, image), exit_status)| ProcessExit {
                process: ExitedProcess {
                    pid,
                    key,
                    create_time,
                    image,
                },
                exit_status,
            },
        )
        .boxed()
}

fn thread() -> BoxedStrategy<Thread> {
    let thread = (any::<u32>(), of(hex()), of(shared()), of(subsystem()));
    thread
        .prop_map(|(tid, start_address, start_module, subsystem)| Thread {
            tid,
            start_address,
            start_module,
            // Is not in JSON.
            start_offset: None,
            subsystem,
        })
        .boxed()
}

fn thread_start() -> BoxedStrategy<ThreadStart> {
    let start = (process_ref(), thread(), thread_ref(), of(any::<bool>()));
    start
        .prop_map(|(process, thread, creator, remote)| ThreadStart {
            process,
            thread,
            creator,
            remote,
        })
        .boxed()
}

fn thread_exit() -> BoxedStrategy<ThreadExit> {
    let known = of((thread_ref(), of(any::<bool>())));
    let exit = (process_ref(), thread(), known, any::<u32>());
    exit.prop_map(|(process, thread, known, exit_status)| {
        let (creator, remote) = known.unzip();
        ThreadExit {
            process,
            thread,
            creator,
            remote: remote.flatten(),
            exit_status,
        }
    })
    .boxed()
}

fn image_load() -> BoxedStrategy<ImageLoad> {
    let place = (of(shared()), of(hex()), of(hex()));
    let signature = (any::<u32>(), 0..16u32, any::<u32>(), 0..8u32, any::<bool>());
    let flags = any::<[bool; 3]>();
    let load = (of(process_ref()), place, signature, flags, of(sha256()));
    load.prop_map(|(process, place, signature, flags, sha256)| {
        let (path, base, size) = place;
        let (level, named_level, kind, named_kind, named) = signature;
        let [kernel, partial_map, machine_mismatch] = flags;
        ImageLoad {
            process,
            image: Image {
                path,
                base,
                size,
                kernel,
                signature_level: SignatureLevel(if named { named_level } else { level }),
                signature_type: SignatureType(if named { named_kind } else { kind }),
                partial_map,
                machine_mismatch,
                sha256,
            },
        }
    })
    .boxed()
}

fn handle_open() -> BoxedStrategy<HandleOpen> {
    let operation = prop_oneof![Just(Operation::Create), Just(Operation::Duplicate)];
    let how = (operation, any::<bool>(), any::<u32>());
    let target = (process_ref(), of(any::<u32>()));
    let id = || (any::<u32>(), of(hex())).prop_map(|(pid, key)| ProcessId { pid, key });
    let ends = (id(), id()).prop_map(|(from, to)| Duplicate { from, to });
    let masks = (any::<u32>(), any::<u32>(), of((any::<u32>(), any::<u32>())));
    let who = (thread_ref(), of(process_ref()), of(ends));
    (how, who, target, masks)
        .prop_map(|(how, who, target, masks)| {
            let (operation, kernel, status) = how;
            let (source, attached, duplicate) = who;
            let (process, tid) = target;
            let (desired, original, left) = masks;
            let (granted, stripped) = left.unzip();
            HandleOpen {
                operation,
                kernel,
                source,
                attached,
                target: Target {
                    kind: match tid {
                        Some(_) => TargetType::Thread,
                        None => TargetType::Process,
                    },
                    pid: process.pid,
                    tid,
                    key: process.key,
                    image: process.image,
                },
                duplicate,
                access: Access {
                    desired,
                    original,
                    granted,
                    stripped,
                },
                status,
            }
        })
        .boxed()
}

fn lost() -> BoxedStrategy<Lost> {
    let stage = prop_oneof![Just(Stage::Capture), Just(Stage::Session)];
    let counts = any::<[u32; 16]>();
    let seqs = (0..1u64 << 53, 0..1u64 << 53);
    (stage, counts, seqs)
        .prop_map(|(stage, counts, (first_seq, last_seq))| Lost {
            stage,
            counts: Counts(counts.map(u64::from)),
            first_seq,
            last_seq,
        })
        .boxed()
}
