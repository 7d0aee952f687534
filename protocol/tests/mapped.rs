//! Which rings can be mapped.

use ntwatch_protocol::configure::{DEFAULT_RING_SIZE, MAX_RING_SIZE, MIN_RING_SIZE};
use ntwatch_protocol::mapped::MapRing;

const DEFAULTS: MapRing = MapRing {
    size: size_of::<MapRing>() as u32,
    ring_size: 0,
    wake_bytes: 0,
    reserved: 0,
    wake_event: 0x44,
};

#[test]
fn what_is_not_named_has_a_default() {
    assert!(DEFAULTS.is_valid());
    assert_eq!(DEFAULTS.ring_size(), DEFAULT_RING_SIZE);
    assert_eq!(DEFAULTS.wake_bytes(), DEFAULT_RING_SIZE / 4);
}

#[test]
fn a_ring_has_a_power_of_two_within_bounds_and_wakes_at_half_of_it_at_most() {
    for ring_size in [MIN_RING_SIZE, 2 * MIN_RING_SIZE, MAX_RING_SIZE] {
        for wake_bytes in [1, ring_size / 2] {
            let asked = MapRing {
                ring_size,
                wake_bytes,
                ..DEFAULTS
            };
            assert!(asked.is_valid(), "{asked:?}");
            assert_eq!(
                (asked.ring_size(), asked.wake_bytes()),
                (ring_size, wake_bytes)
            );
        }
        let wake_bytes = ring_size / 2 + 1;
        let asked = MapRing {
            ring_size,
            wake_bytes,
            ..DEFAULTS
        };
        assert!(!asked.is_valid(), "{asked:?}");
    }
}

#[test]
fn any_other_field_that_is_wrong_refuses_the_ring() {
    let size = DEFAULTS.size;
    let sizes = [0, size - 1, size + 1].map(|size| MapRing { size, ..DEFAULTS });
    let ring_sizes = [
        1,
        MIN_RING_SIZE / 2,
        MIN_RING_SIZE + 1,
        2 * MAX_RING_SIZE,
        u32::MAX,
    ];
    let ring_sizes = ring_sizes.map(|ring_size| MapRing {
        ring_size,
        ..DEFAULTS
    });
    let reserved = MapRing {
        reserved: 1,
        ..DEFAULTS
    };
    for asked in sizes.into_iter().chain(ring_sizes).chain([reserved]) {
        assert!(!asked.is_valid(), "{asked:?}");
    }
}
