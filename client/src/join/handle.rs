//! Handles.

use super::{Joiner, start_key};
use crate::event::{Access, Duplicate, HandleOpen, Hex, Operation, ProcessId, Target, TargetType};
use crate::rights;
use ntwatch_protocol::handle::{self, flags, known};
use ntwatch_protocol::reader::View;

impl Joiner {
    pub(super) fn handle_open(&mut self, open: &View<'_, handle::HandleOpen>) -> HandleOpen {
        let source_key = open.known(known::SOURCE_KEY, open.source_key);
        let target_key = open.known(known::TARGET_KEY, open.target_key);
        let attached_key = start_key(open.attached_key);
        let attached = open.known(known::ATTACHED, (open.attached_pid, attached_key));
        self.introduce(open.source_pid, source_key);
        self.introduce(open.target_pid, target_key);
        if let Some((pid, key)) = attached {
            self.introduce(pid, key);
        }
        let (kind, tid) = if open.flag(flags::THREAD) {
            (TargetType::Thread, Some(open.target_tid))
        } else {
            (TargetType::Process, None)
        };
        let side = |pid, key| ProcessId {
            pid,
            key: start_key(key).map(Hex),
        };
        let granted = open.known(known::GRANTED, open.granted);
        HandleOpen {
            operation: if open.flag(flags::DUPLICATE) {
                Operation::Duplicate
            } else {
                Operation::Create
            },
            kernel: open.flag(flags::KERNEL),
            source: self.actor(open.source_pid, open.source_tid, source_key),
            attached: attached.map(|(pid, key)| self.reference(pid, key)),
            // N.B. its start may not have come yet, and then nobody may know its name.
            target: Target {
                kind,
                pid: open.target_pid,
                tid,
                key: target_key.map(Hex),
                image: self.image(open.target_pid, target_key),
            },
            duplicate: open.known(
                known::DUPLICATE,
                Duplicate {
                    from: side(open.from_pid, open.from_key),
                    to: side(open.to_pid, open.to_key),
                },
            ),
            access: Access {
                desired: open.desired,
                original: open.original,
                granted,
                stripped: granted.map(|granted| open.original & !granted & rights::BY_NAME),
            },
            status: open.status,
        }
    }
}
