//! From a file to Sysmon events, in file order: EVTX, JSON lines, or an archive of these.

use super::error::ReplayError;
use super::event::SysmonEvent;
use evtx::{EvtxParser, HeaderFlags, ParserSettings};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, Take};
use std::path::Path;

/// Where an event stands: the file (and member of an archive), and the place in it.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) kind: &'static str,
    pub(super) number: u64,
}

impl Place<'_> {
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.kind, self.number)
    }

    fn damaged(&self, reason: impl ToString) -> ReplayError {
        ReplayError::Damaged {
            path: self.path.into(),
            place: self.text(),
            reason: reason.to_string(),
        }
    }
}

type Each<'a> = dyn FnMut(&SysmonEvent<'_>, &Place<'_>) -> Result<(), ReplayError> + 'a;

const EVTX_MAGIC: &[u8] = b"ElfFile\0";
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
const EVTX_HEADER: u64 = 4096;
const EVTX_CHUNK: u64 = 65536;

/// How much of a recording is taken at once, in bytes: no file can make this program use up the
/// machine's memory, however small it is packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of a line. Windows lets no command line be longer than 64 KiB.
    pub(super) line: u64,
    /// Of an EVTX file, and of what an archive unpacks to, member by member.
    pub(super) file: u64,
}

impl Limits {
    /// Ten times what known recordings have.
    pub(super) const USUAL: Limits = Limits {
        line: 4 << 20,
        file: 1 << 30,
    };
}

/// Calls `each` for every Sysmon event of the recording.
pub(super) fn read(path: &Path, limits: Limits, each: &mut Each<'_>) -> Result<(), ReplayError> {
    let failed = |source| ReplayError::Read {
        path: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut magic)
        .map_err(failed)?;
    file.rewind().map_err(failed)?;
    if magic.starts_with(ZIP_MAGIC) {
        read_archive(path, file, limits, each)
    } else if magic.starts_with(EVTX_MAGIC) {
        let mut log = Vec::new();
        let mut whole = Capped::new(file, limits.file);
        whole.read_to_end(&mut log).map_err(failed)?;
        whole.check(path)?;
        read_evtx(path, log, each)
    } else {
        read_lines(path, BufReader::new(file), limits, each)
    }
}

/// Ends as if the file did at a limit, and tells afterwards.
struct Capped<R> {
    from: Take<R>,
    limit: u64,
}

impl<R: Read> Capped<R> {
    fn new(from: R, limit: u64) -> Self {
        // One byte more, to see that there is more.
        let from = from.take(limit + 1);
        Self { from, limit }
    }

    fn check(&self, path: &Path) -> Result<(), ReplayError> {
        if self.from.limit() > 0 {
            return Ok(());
        }
        Err(ReplayError::TooLarge {
            path: path.into(),
            limit: self.limit,
        })
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer)
    }
}

fn read_archive(
    path: &Path,
    file: File,
    limits: Limits,
    each: &mut Each<'_>,
) -> Result<(), ReplayError> {
    let mut archive =
        zip::ZipArchive::new(BufReader::new(file)).map_err(|e| ReplayError::Damaged {
            path: path.into(),
            place: "its directory".into(),
            reason: e.to_string(),
        })?;
    let mut found = false;
    for index in 0..archive.len() {
        let place = Place {
            path,
            kind: "member",
            number: index as u64 + 1,
        };
        let member = archive.by_index(index).map_err(|e| place.damaged(e))?;
        let inside = path.join(member.name());
        let is_file = member.is_file();
        let mut member = Capped::new(member, limits.file);
        match inside.extension().and_then(|e| e.to_str()) {
            _ if !is_file => continue,
            Some("json" | "jsonl" | "ndjson") => {
                let read = read_lines(&inside, BufReader::new(&mut member), limits, each);
                // Says more than that its last line is cut off.
                member.check(&inside)?;
                read?;
            }
            Some("evtx") => {
                let mut log = Vec::new();
                member.read_to_end(&mut log).map_err(|e| place.damaged(e))?;
                member.check(&inside)?;
                read_evtx(&inside, log, each)?;
            }
            _ => continue,
        }
        found = true;
    }
    if !found {
        return Err(ReplayError::Format {
            path: path.into(),
            reason: "the archive holds no .evtx, .json, .jsonl or .ndjson".into(),
        });
    }
    Ok(())
}

fn read_lines(
    path: &Path,
    mut from: impl BufRead,
    limits: Limits,
    each: &mut Each<'_>,
) -> Result<(), ReplayError> {
    let mut line = Vec::new();
    let mut place = Place {
        path,
        kind: "line",
        number: 0,
    };
    let mut any = false;
    loop {
        place.number += 1;
        line.clear();
        // In an archive this is also where a damaged member shows.
        let read = from
            .by_ref()
            .take(limits.line + 1)
            .read_until(b'\n', &mut line)
            .map_err(|e| place.damaged(e))?;
        if read == 0 {
            break;
        }
        if read as u64 > limits.line {
            return Err(ReplayError::LongLine {
                path: path.into(),
                line: place.number,
                limit: limits.line,
            });
        }
        let json = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line);
        if json.trim_ascii().is_empty() {
            continue;
        }
        match SysmonEvent::parse(json) {
            Ok(Some(event)) => each(&event, &place)?,
            Ok(None) => {}
            Err(e) if any => return Err(place.damaged(e)),
            Err(e) => {
                return Err(ReplayError::Format {
                    path: path.into(),
                    reason: format!("its first line is not an event in JSON ({e})"),
                });
            }
        }
        any = true;
    }
    if !any {
        return Err(ReplayError::Format {
            path: path.into(),
            reason: "it is empty".into(),
        });
    }
    Ok(())
}

fn read_evtx(path: &Path, log: Vec<u8>, each: &mut Each<'_>) -> Result<(), ReplayError> {
    let len = log.len() as u64;
    let mut place = Place {
        path,
        kind: "record",
        number: 0,
    };
    let mut parser = EvtxParser::from_read_seek(Cursor::new(log)).map_err(|e| place.damaged(e))?;
    let header = parser.header();
    // The parser reads what chunks there are and would not miss the others.
    let chunks = (len - EVTX_HEADER) / EVTX_CHUNK;
    let partial = !(len - EVTX_HEADER).is_multiple_of(EVTX_CHUNK);
    if chunks < u64::from(header.chunk_count) || partial {
        place.kind = "chunk";
        place.number = chunks + 1;
        let of = header.chunk_count;
        return Err(place.damaged(format!("the file ends inside it; its header promises {of}")));
    }
    // A log that was copied while it was written to has checksums that lag behind.
    let clean = !header.flags.contains(HeaderFlags::DIRTY);
    parser = parser.with_configuration(
        ParserSettings::new()
            .validate_checksums(clean)
            .indent(false),
    );
    for record in parser.records_json_bytes() {
        place.number += 1;
        let record = record.map_err(|e| place.damaged(e))?;
        if let Some(event) = SysmonEvent::parse(&record.data).map_err(|e| place.damaged(e))? {
            each(&event, &place)?;
        }
    }
    Ok(())
}
