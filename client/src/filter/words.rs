//! A filter in words.

use super::{Filter, Select};
use crate::rights;
use ntwatch_protocol::record::Kind;
use std::fmt;

/// What a session with this filter is asked for, in a line: `handle_open; images lsass.exe`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Kind::EVENTS.into_iter();
        let kinds = kinds.filter(|kind| self.shown() & kind.bit() != 0);
        f.write_str(&list(kinds.map(Kind::name)))?;
        for (what, processes) in [("pid", &self.included), ("no pid", &self.excluded)] {
            if !processes.is_empty() {
                write!(f, "; {what} {}", list(processes))?;
            }
        }
        for (what, images) in [("image", &self.images), ("no image", &self.excluded_images)] {
            if !images.is_empty() {
                write!(f, "; {what} {}", list(images))?;
            }
        }
        if self.remote_threads {
            f.write_str("; remote threads only")?;
        }
        if self.user_images {
            f.write_str("; no images of the kernel")?;
        }
        if let Some(rights) = self.access.filter(|_| self.has(Kind::HandleOpen)) {
            let (process, thread) = (rights.process, rights.thread);
            opens(f, "processes", process, &rights::of_process(process))?;
            opens(f, "threads", thread, &rights::of_thread(thread))?;
        }
        Ok(())
    }
}

fn opens(
    f: &mut fmt::Formatter<'_>,
    of: &str,
    mask: u32,
    rights: &dyn fmt::Display,
) -> fmt::Result {
    match mask {
        0 => write!(f, "; no {of} opened"),
        u32::MAX => write!(f, "; all {of} opened"),
        _ => write!(f, "; {of} opened for {rights}"),
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = if self.descendants { " and below" } else { "" };
        write!(f, "{}{tree}", self.pid)
    }
}

fn list(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}
