//! Images that are mapped to be run.

use crate::running;
use nthost::ps::NewImage;
use ntwatch_protocol::image::{flags, known};
use ntwatch_protocol::reader::Record;
use ntwatch_tests::machine::{read, with_session};

const NTDLL: &str = r"\Device\HarddiskVolume3\Windows\System32\ntdll.dll";

fn ntdll() -> NewImage {
    NewImage {
        name: Some(NTDLL.into()),
        base: 0x7FF8_9000_0000,
        size: 0x1F_8000,
        signature_level: 12,
        signature_type: 3,
        ..NewImage::default()
    }
}

#[test]
fn an_image_has_its_name_place_and_signature() {
    with_session(|kernel, handle| {
        let process = running(kernel, 400);
        kernel.enter(&process, || kernel.load_image(Some(&process), ntdll()));
        let events = read(handle, 1);
        let Record::ImageLoad(image) = events.records()[0] else {
            panic!("{events:?}");
        };
        assert_eq!(image.known(known::PID, image.pid), Some(400));
        assert_eq!(image.known(known::KEY, image.key), Some(process.key));
        assert_eq!(image.known(known::BASE, image.base), Some(0x7FF8_9000_0000));
        assert_eq!(image.known(known::SIZE, image.size), Some(0x1F_8000));
        assert_eq!((image.signature_level, image.signature_type), (12, 3));
        assert_eq!(image.flags, 0);
        assert_eq!(
            image.name().map(|name| name.to_string()).as_deref(),
            Some(NTDLL)
        );
    });
}

#[test]
fn what_windows_does_not_say_of_an_image_is_absent() {
    with_session(|kernel, handle| {
        let process = running(kernel, 400);
        let bare = NewImage {
            name: None,
            base: 0,
            size: 0,
            extended: false,
            ..ntdll()
        };
        kernel.enter(&process, || kernel.load_image(Some(&process), bare));
        let events = read(handle, 1);
        let Record::ImageLoad(image) = events.records()[0] else {
            panic!("{events:?}");
        };
        assert_eq!(image.name(), None);
        assert_eq!(image.known, known::PID | known::KEY);
    });
}

#[test]
fn a_driver_is_an_image_of_no_process() {
    with_session(|kernel, handle| {
        let driver = NewImage {
            name: Some(r"\SystemRoot\System32\drivers\null.sys".into()),
            base: 0xFFFF_F806_1234_0000,
            ..ntdll()
        };
        kernel.enter(&kernel.ps.system, || kernel.load_image(None, driver));
        let events = read(handle, 1);
        let Record::ImageLoad(image) = events.records()[0] else {
            panic!("{events:?}");
        };
        assert!(image.flag(flags::KERNEL));
        assert_eq!(image.known & (known::PID | known::KEY), 0);
        assert_eq!(image.base, 0xFFFF_F806_1234_0000);
    });
}

#[test]
fn an_image_for_another_processor_or_mapped_in_part_says_so() {
    with_session(|kernel, handle| {
        let process = running(kernel, 400);
        let odd = NewImage {
            partial_map: true,
            machine_mismatch: true,
            ..ntdll()
        };
        // Mapped by another process: the event is about the one that it is mapped into.
        let mapper = running(kernel, 404);
        kernel.enter(&mapper, || kernel.load_image(Some(&process), odd));
        let events = read(handle, 1);
        let Record::ImageLoad(image) = events.records()[0] else {
            panic!("{events:?}");
        };
        assert_eq!(image.flags, flags::PARTIAL_MAP | flags::MACHINE_MISMATCH);
        assert_eq!((image.pid, image.key), (400, process.key));
    });
}
