//! Facts that are one of some words.

use super::image::{LEVELS, TYPES};
use super::process::{INTEGRITIES, LIGHT, SIGNERS};
use super::{Operation, Stage, Subsystem, TargetType};
use ntwatch_protocol::record::Kind;

/// The words that a fact can be.
pub(crate) struct Words {
    pub(crate) words: Vec<&'static str>,
    /// Or a number, `0x…`, where there is no word for it.
    pub(crate) or_number: bool,
}

impl Words {
    /// Of the field with this name; `None` if it can be any text.
    pub(crate) fn of(field: &str) -> Option<Self> {
        let (words, or_number) = match field {
            "event" => {
                let kinds = Kind::EVENTS.map(Kind::name);
                let others = ["session", "process_running", Kind::Lost.name()];
                ([&others[..], &kinds].concat(), false)
            }
            "operation" => {
                let operations = [Operation::Create, Operation::Duplicate];
                (operations.map(Operation::name).to_vec(), false)
            }
            "target.type" => {
                let types = [TargetType::Process, TargetType::Thread];
                (types.map(TargetType::name).to_vec(), false)
            }
            "stage" => {
                let stages = [Stage::Capture, Stage::Session];
                (stages.map(Stage::name).to_vec(), false)
            }
            "process.subsystem" | "thread.subsystem" => {
                let subsystems = [Subsystem::Win32, Subsystem::Wsl];
                (subsystems.map(Subsystem::name).to_vec(), false)
            }
            "process.integrity" => (INTEGRITIES.map(|(_, name)| name).to_vec(), true),
            "process.protection" => {
                let full = SIGNERS.iter().filter_map(|light| light.strip_suffix(LIGHT));
                let full: Vec<_> = full.collect();
                ([&["none"][..], &full, &SIGNERS].concat(), true)
            }
            "image.signature_level" => (LEVELS.to_vec(), true),
            "image.signature_type" => (TYPES.to_vec(), true),
            _ => return None,
        };
        Some(Self { words, or_number })
    }
}
