//! The input of CONFIGURE, as the driver reads it.

use super::samples;
use crate::bytes::Bytes;
use crate::target::Target;
use ntwatch_protocol::configure::{
    Clause, Configure, ConfigureHeader, MAX_CLAUSES, MAX_PATTERN_UNITS,
};
use ntwatch_tests::machine::configure_input;
use zerocopy::FromBytes;

/// What is taken says the same when it is written again, and nothing out of bounds.
pub enum ConfigureInput {}

impl Target for ConfigureInput {
    type Input = Bytes;
    const NAME: &'static str = "configure";

    fn seeds() -> Vec<Bytes> {
        vec![Bytes(samples::configure())]
    }

    fn run(Bytes(input): &Bytes) {
        let Ok(configure) = Configure::parse(input) else {
            return;
        };
        let clauses: Vec<Clause<'_>> = configure.clauses().collect();
        let (header, _) = ConfigureHeader::read_from_prefix(input).expect("it was read");
        assert_eq!(clauses.len(), header.clauses as usize);
        assert!(clauses.len() <= MAX_CLAUSES as usize);
        for clause in &clauses {
            if let Clause::Image(pattern) | Clause::ExcludeImage(pattern) = clause {
                assert!(
                    (1..=MAX_PATTERN_UNITS).contains(&pattern.len()),
                    "{clause:?}"
                );
            }
        }
        let again = configure_input(configure.event_mask, configure.ring_size, &clauses);
        assert_eq!(again, *input, "written again it is not the same");
    }
}
