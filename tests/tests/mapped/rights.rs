//! What the client may do with the two sections: read the one, read and write the other, whatever
//! it does with the handles.

use nthost::io::{Client, FileHandle};
use ntwatch_tests::lab::{Lab, stderr, stdout};
use ntwatch_tests::machine::{boot, client, load, unload};
use ntwatch_tests::mapped::{map_ring, map_ring_input};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;

const STATUS_ACCESS_DENIED: i32 = 0xC000_0022_u32 as i32;
const SECTION_QUERY: u32 = 1;
const SECTION_MAP_WRITE: u32 = 2;
const SECTION_MAP_READ: u32 = 4;
const SECTION_MAP_EXECUTE: u32 = 8;
const SECTION_EXTEND_SIZE: u32 = 0x10;
const DELETE: u32 = 0x1_0000;
const READ_CONTROL: u32 = 0x2_0000;
const WRITE_DAC: u32 = 0x4_0000;
const WRITE_OWNER: u32 = 0x8_0000;

/// The handles of a ring and of its consumer's page, in a process.
fn with_sections(test: impl FnOnce(&Client, usize, usize)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (process, handle): (Client, Arc<FileHandle>) = client(&kernel);
    let event = process.create_event().expect("an event");
    let sections = map_ring(&handle, &map_ring_input(0, event)).expect("a ring");
    test(&process, sections.ring as usize, sections.consumer as usize);
    drop(handle);
    unload(service, process);
}

#[test]
fn the_ring_can_be_read_and_the_consumer_s_page_written_to() {
    with_sections(|process, ring, consumer| {
        assert!(process.map_view(ring, false).is_ok());
        assert_eq!(
            process.map_view(ring, true).err(),
            Some(STATUS_ACCESS_DENIED)
        );
        assert!(process.map_view(consumer, false).is_ok());
        assert!(process.map_view(consumer, true).is_ok());
    });
}

#[test]
fn a_duplicate_can_have_less_but_no_more() {
    with_sections(|process, ring, consumer| {
        let reading = SECTION_QUERY | SECTION_MAP_READ;
        let writing = reading | SECTION_MAP_WRITE;
        for (handle, has) in [(ring, reading), (consumer, writing)] {
            for less in [SECTION_QUERY, SECTION_MAP_READ, has] {
                assert!(
                    process
                        .duplicate_handle(handle, Some(less), process)
                        .is_ok()
                );
            }
            assert!(process.duplicate_handle(handle, None, process).is_ok());
            for more in [
                SECTION_MAP_WRITE,
                SECTION_MAP_EXECUTE,
                SECTION_EXTEND_SIZE,
                DELETE,
                WRITE_DAC,
                WRITE_OWNER,
            ] {
                if has & more != 0 {
                    continue;
                }
                let refused = process.duplicate_handle(handle, Some(has | more), process);
                assert_eq!(
                    refused,
                    Err(STATUS_ACCESS_DENIED),
                    "{more:#x} to {handle:#x}"
                );
            }
            // Looking who may do what is all that the owner is left.
            assert!(
                process
                    .duplicate_handle(handle, Some(READ_CONTROL), process)
                    .is_ok()
            );
        }
        let same = process
            .duplicate_handle(ring, None, process)
            .expect("a duplicate");
        assert_eq!(
            process.map_view(same, true).err(),
            Some(STATUS_ACCESS_DENIED)
        );
    });
}

/// As an access violation ends it on Windows.
#[test]
fn a_client_that_writes_to_the_ring_is_ended_and_leaves_nothing() {
    const SIGSEGV: i32 = 11;
    let machine = Lab::get().serve::<&str>([]);
    let ended = Command::new(env!("CARGO_BIN_EXE_trespasser"))
        .arg(machine.socket())
        .output()
        .expect("it runs");
    assert_eq!(stdout(&ended), "mapped 0\n", "{}", stderr(&ended));
    assert_eq!(ended.status.signal(), Some(SIGSEGV), "{}", stderr(&ended));
    let (clean, log) = machine.stop();
    assert!(clean, "the driver left something behind:\n{log}");
}
