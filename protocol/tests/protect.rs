//! Which rules can be kept.

use ntwatch_protocol::access::{process, thread};
use ntwatch_protocol::protect::{Rule, RuleError, Target};

#[test]
fn a_rule_takes_away_what_windows_lets_a_driver_take_away_and_nothing_else() {
    let target = Target {
        key: 1 << 48 | 7,
        pid: 8,
        reserved: 0,
    };
    let rule = |process, thread| {
        let rule = Rule {
            target,
            process,
            thread,
        };
        rule.check()
    };
    for bit in (0..32).map(|bit| 1 << bit) {
        let expected = |strippable: u32| match strippable & bit {
            0 => Err(RuleError::NotStrippable),
            _ => Ok(()),
        };
        assert_eq!(
            rule(bit, 0),
            expected(process::STRIPPABLE),
            "process {bit:#x}"
        );
        assert_eq!(
            rule(0, bit),
            expected(thread::STRIPPABLE),
            "thread {bit:#x}"
        );
    }
    assert_eq!(rule(0, 0), Err(RuleError::Malformed));
    let nobody = Rule {
        target: Target { key: 0, ..target },
        process: process::TERMINATE,
        thread: 0,
    };
    assert_eq!(nobody.check(), Err(RuleError::Malformed));
}
