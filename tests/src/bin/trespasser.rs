//! A client that writes where it may only read: to the page in which the driver says how far it has
//! come. Windows ends such a program, and so must the lab.
#![allow(unsafe_code)]

use nthost::mm::View;
use ntwatch_lab_link::{Answer, Query};
use ntwatch_protocol::ioctl::{MAP_RING, WIN32_NAME};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_tests::mapped::map_ring_input;
use ntwatch_tests::raw::{READ_WRITE, Raw};
use std::env::args_os;
use std::path::PathBuf;
use zerocopy::{FromBytes, IntoBytes};

fn main() {
    let socket = PathBuf::from(args_os().nth(1).expect("a socket"));
    let mut raw = Raw::connect(&socket, WIN32_NAME, READ_WRITE).expect("an administrator");
    let (Answer::Handle(event), Some(_)) = raw.ask(Query::CreateEvent) else {
        panic!("no event");
    };
    let input = map_ring_input(0, event as usize);
    let done = raw.control(MAP_RING, input.as_bytes(), size_of::<MappedRing>());
    let sections = MappedRing::read_from_bytes(&done.output).expect("sections");
    let handle = sections.ring;
    let (refused, None) = raw.ask(Query::MapView {
        handle,
        write: true,
    }) else {
        panic!("memory to write to");
    };
    assert!(matches!(refused, Answer::Status(_)), "{refused:?}");
    let (Answer::View { len }, Some(memory)) = raw.ask(Query::MapView {
        handle,
        write: false,
    }) else {
        panic!("no memory");
    };
    let len = usize::try_from(len).expect("it fits");
    assert!(
        View::map(&memory, len, true).is_err(),
        "it can be mapped for writing"
    );
    let view = View::map(&memory, len, false).expect("a view");
    // What the test waits for, so that it knows which step it was that ended this program.
    println!("mapped {}", view.load(0));
    // SAFETY: none. The page is mapped and cannot be written: the program ends here.
    unsafe { view.as_ptr().write_volatile(1) };
    println!("written");
}
