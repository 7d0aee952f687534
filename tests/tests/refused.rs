//! A driver that cannot load says why and leaves nothing behind: `DriverEntry` undoes what it has
//! done, as nobody calls the unload routine then.

use nthost::cm::Value;
use nthost::io::{ServiceConfig, StartError, Stop};
use nthost::ob::HostCallbacks;
use nthost::verify::Faults;
use nthost::{Kernel, LeakReport};
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{
    boot, client, configure_all, live_and_die, load, shipped, stats, stop,
};
use ntwatch_tests::verify;
use std::path::Path;
use std::sync::Arc;

const STATUS_ACCESS_DENIED: i32 = 0xC000_0022_u32 as i32;
const STATUS_FLT_INSTANCE_ALTITUDE_COLLISION: i32 = 0xC01C_0011_u32 as i32;
const STATUS_INSUFFICIENT_RESOURCES: i32 = 0xC000_009A_u32 as i32;
const STATUS_OBJECT_NAME_COLLISION: i32 = 0xC000_0035_u32 as i32;

/// The service of a driver at `image`, with what it imports.
fn service(image: &Path) -> ServiceConfig {
    let mut config = ServiceConfig::new(image);
    config.libraries.push(Lab::get().wdfldr);
    config
}

/// The shipped driver at an altitude.
fn service_at(altitude: Value) -> ServiceConfig {
    let mut config = service(&Lab::get().driver);
    config.parameters.push(("Altitude".into(), altitude));
    config
}

/// The status and the leaks of a start that must fail.
fn refused(kernel: &Arc<Kernel>, config: &ServiceConfig) -> (i32, LeakReport) {
    match kernel.start_service(config) {
        Err(StartError::Refused { status, leaks, .. }) => (status, leaks),
        Err(error) => panic!("not loaded at all: {error}"),
        Ok(_) => panic!("the driver started"),
    }
}

/// The driver's image without the mark that notify routines need, FORCE_INTEGRITY.
fn without_force_integrity(mut image: Vec<u8>) -> Vec<u8> {
    let header = u32::from_le_bytes(image[0x3C..0x40].try_into().expect("four bytes")) as usize;
    // DllCharacteristics, behind signature and file header.
    image[header + 24 + 70] &= !0x80;
    image
}

#[test]
fn a_driver_whose_notify_routine_is_refused_undoes_its_device() {
    let dir = tempfile::tempdir().expect("a directory for the image");
    let image = dir.path().join("ntwatch.sys");
    let shipped = std::fs::read(Lab::get().driver).expect("the shipped driver");
    std::fs::write(&image, without_force_integrity(shipped)).expect("a copy");

    let kernel = boot();
    let (status, leaks) = refused(&kernel, &service(&image));
    assert_eq!(status, STATUS_ACCESS_DENIED);
    assert!(leaks.is_empty(), "{leaks}");
    let said = kernel.log.lines().join("\n");
    assert!(
        said.contains("PsSetCreateProcessNotifyRoutineEx2 failed with status 0xC0000022"),
        "{said}"
    );
    // Nothing stands in the way of a driver that is in order.
    let Stop::Stopped(leaks) = load(&kernel, &Lab::get()).stop() else {
        panic!("nobody holds the driver");
    };
    assert!(leaks.is_empty(), "{leaks}");
}

#[test]
fn a_driver_that_is_not_told_of_threads_or_of_images_undoes_everything() {
    for function in [
        "PsSetCreateThreadNotifyRoutineEx",
        "PsSetLoadImageNotifyRoutineEx",
    ] {
        let kernel = verify::boot();
        let loads = Arc::new(Faults::observe());
        verify::add(&kernel, &loads);
        stop(&load(&kernel, &Lab::get()));
        let made = loads.made().into_iter();
        let registers = made.filter(|call| call.site.function == function).collect();

        let kernel = verify::boot();
        verify::add(&kernel, &Arc::new(Faults::strike(registers)));
        let (status, leaks) = refused(&kernel, &shipped(&Lab::get()));
        assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "{function}");
        assert!(leaks.is_empty(), "{function}: {leaks}");
        let said = kernel.log.lines().join("\n");
        let expected = format!("{function} failed with status 0xC000009A");
        assert!(said.contains(&expected), "{said}");
        stop(&load(&kernel, &Lab::get()));
    }
}

#[test]
fn a_second_driver_of_the_same_name_leaves_the_first_alone() {
    let dir = tempfile::tempdir().expect("a directory for the image");
    let image = dir.path().join("second.sys");
    std::fs::copy(Lab::get().driver, &image).expect("a copy");

    let kernel = boot();
    let first = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    configure_all(&handle);
    let (status, _) = refused(&kernel, &service(&image));
    assert_eq!(status, STATUS_OBJECT_NAME_COLLISION);

    live_and_die(&kernel);
    assert_eq!(stats(&handle).offered.iter().sum::<u64>(), 2);
    drop(handle);
    watcher.die();
    stop(&first);
}

struct AnotherDriver;
impl HostCallbacks for AnotherDriver {}

#[test]
fn the_driver_stands_at_the_altitude_that_its_parameters_name() {
    let kernel = boot();
    let config = service_at(Value::String("370123.45".into()));
    let service = kernel.start_service(&config).expect("it loads");
    assert_eq!(kernel.ob.registered(), ["370123.45"]);
    assert!(matches!(service.stop(), Stop::Stopped(leaks) if leaks.is_empty()));

    let service = load(&kernel, &Lab::get());
    let [altitude] = &kernel.ob.registered()[..] else {
        panic!("it stands somewhere");
    };
    let whole = altitude
        .split('.')
        .next()
        .and_then(|whole| whole.parse().ok());
    // The range of activity monitors (page "Load Order Groups and Altitudes").
    let range = 360_000..=389_999;
    // What an installation writes is what the driver falls back on.
    let inx = include_str!("../../inf/ntwatch.inx");
    assert!(inx.contains(&format!("\"{altitude}\"")), "{altitude}");
    assert!(
        whole.is_some_and(|whole: u32| range.contains(&whole)),
        "{altitude}"
    );
    assert!(matches!(service.stop(), Stop::Stopped(leaks) if leaks.is_empty()));
}

#[test]
fn a_driver_whose_altitude_is_taken_or_is_none_undoes_everything() {
    let kernel = boot();
    kernel.ob.add_host_callbacks("370123", AnotherDriver);
    let taken = service_at(Value::String("370123.0".into()));
    let (status, leaks) = refused(&kernel, &taken);
    assert_eq!(status, STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    assert!(leaks.is_empty(), "{leaks}");
    let said = kernel.log.lines().join("\n");
    let expected = "ObRegisterCallbacks failed with status 0xC01C0011";
    assert!(said.contains(expected), "{said}");

    for none in [
        Value::Dword(370_123),
        Value::String("high".into()),
        Value::String(String::new()),
    ] {
        let (status, leaks) = refused(&kernel, &service_at(none.clone()));
        assert!(status < 0, "{none:?}: {status:#x}");
        assert!(leaks.is_empty(), "{none:?}: {leaks}");
    }
}
