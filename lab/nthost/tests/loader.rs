//! The loader, with drivers made for it.

mod pe;

use std::path::{Path, PathBuf};

use nthost::io::{ServiceConfig, StartError, Stop};
use nthost::loader::{Image, Layout, LoadError};
use nthost::{Config, Kernel};
use pe::{CODE, DATA, Driver, returns};
use proptest::prelude::*;

const STATUS_UNSUCCESSFUL: i32 = 0xc000_0001_u32 as i32;

/// A file of the test's own, gone when dropped.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, content: &[u8]) -> TestFile {
        let path = std::env::temp_dir().join(format!("nthost-{}-{name}.sys", std::process::id()));
        std::fs::write(&path, content).expect("a place for temporary files");
        TestFile(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn start(name: &str, driver: &Driver<'_>) -> Result<Stop, StartError> {
    let file = TestFile::new(name, &driver.file());
    let kernel = Kernel::boot(Config::default());
    kernel
        .start_service(&ServiceConfig::new(&file.0))
        .map(|service| service.stop())
}

#[test]
fn a_driver_without_an_unload_routine_runs_and_stays() {
    let driver = Driver {
        code: &returns(0),
        ..Driver::default()
    };
    assert_eq!(start("stays", &driver).expect("it starts"), Stop::Refused);
}

#[test]
fn a_driver_that_refuses_to_start_is_not_loaded() {
    let driver = Driver {
        code: &returns(0xc000_0001),
        ..Driver::default()
    };
    let Err(StartError::Refused { status, leaks, .. }) = start("refuses", &driver) else {
        panic!("it refuses");
    };
    assert_eq!(status, STATUS_UNSUCCESSFUL);
    assert!(leaks.is_empty(), "{leaks}");
}

#[test]
fn imports_lead_to_the_kernel() {
    // sub rsp, 40; call [rip + KeGetCurrentIrql]; add rsp, 40; movzx eax, al; ret
    let mut code = vec![0x48, 0x83, 0xec, 0x28, 0xff, 0x15];
    code.extend((pe::IMPORTS - (CODE + 10)).to_le_bytes());
    code.extend([0x48, 0x83, 0xc4, 0x28, 0x0f, 0xb6, 0xc0, 0xc3]);
    let driver = Driver {
        code: &code,
        imports: &["KeGetCurrentIrql"],
        ..Driver::default()
    };
    assert_eq!(
        start("imports", &driver).expect("the IRQL is 0, which is success"),
        Stop::Refused
    );
}

#[test]
fn all_missing_imports_are_named_at_once() {
    let imports = ["ZwMissing", "KeGetCurrentIrql", "KeMissing"];
    let driver = Driver {
        code: &returns(0),
        imports: &imports,
        ..Driver::default()
    };
    let Err(StartError::Load(LoadError::Missing { path, missing })) = start("missing", &driver)
    else {
        panic!("imports are missing");
    };
    assert!(path.is_absolute(), "{path:?}");
    assert!(path.to_string_lossy().ends_with("missing.sys"), "{path:?}");
    assert_eq!(
        missing,
        ["ntoskrnl.exe!KeMissing", "ntoskrnl.exe!ZwMissing"]
    );
}

#[test]
fn addresses_are_relocated() {
    let file = Driver {
        code: &returns(0),
        ..Driver::default()
    }
    .file();
    let layout = Layout::parse(&file).expect("a driver");
    assert_eq!(layout.relocations, [DATA]);
    let image = Image::bind(Path::new("x.sys"), layout, |_, _| None).expect("room for it");
    let data = image.mapping().base() + DATA as usize;
    // SAFETY: the image is mapped, and its data section holds 8 readable bytes.
    assert_eq!(unsafe { (data as *const usize).read() }, data);
}

#[test]
fn code_that_can_be_written_is_refused() {
    let file = Driver {
        code: &returns(0),
        code_characteristics: object::pe::IMAGE_SCN_MEM_WRITE,
        ..Driver::default()
    }
    .file();
    let reason = Layout::parse(&file).expect_err("W and X exclude each other");
    assert!(reason.contains("writable and executable"), "{reason}");
}

#[test]
fn the_integrity_check_flag_is_seen() {
    let flag = object::pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY;
    for dll_characteristics in [0, flag] {
        let file = Driver {
            code: &returns(0),
            dll_characteristics,
            ..Driver::default()
        }
        .file();
        let layout = Layout::parse(&file).expect("a driver");
        assert_eq!(layout.force_integrity, dll_characteristics == flag);
    }
}

#[test]
fn a_truncated_driver_is_refused() {
    let imports = ["KeGetCurrentIrql"];
    let file = Driver {
        code: &returns(0),
        imports: &imports,
        ..Driver::default()
    }
    .file();
    // The end of the file is what fills its last section up.
    let content = file.len() - 0x200;
    for length in 0..content {
        Layout::parse(&file[..length]).expect_err("something is missing");
    }
}

#[test]
fn a_missing_file_is_named_with_a_remedy() {
    let kernel = Kernel::boot(Config::default());
    let config = ServiceConfig::new("/nonexistent/ntwatch.sys");
    let error = kernel
        .start_service(&config)
        .err()
        .expect("there is no such file")
        .to_string();
    assert!(error.contains("/nonexistent/ntwatch.sys"), "{error}");
    assert!(error.contains("cargo xtask build"), "{error}");
}

proptest! {
    /// Whatever is in the file, the answer is an image or an error, and binding stays in bounds.
    #[test]
    fn a_damaged_driver_never_harms_the_loader(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
    ) {
        let imports = ["KeGetCurrentIrql"];
        let mut file = Driver { code: &returns(0), imports: &imports, ..Driver::default() }.file();
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Ok(layout) = Layout::parse(&file) {
            let _ = Image::bind(Path::new("x.sys"), layout, |_, _| Some(0));
        }
    }
}
