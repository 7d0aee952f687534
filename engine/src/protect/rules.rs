//! The writers' side: the rules of all sessions.

use super::denials::{Denials, Slot};
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};

/// There are [`MAX_RULES`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The rules of all sessions. The one writer of its [`Denials`].
#[derive(Debug)]
pub struct Rules<'d> {
    denials: &'d Denials,
    /// What lies in which slot.
    kept: [Option<Kept>; MAX_RULES],
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    session: usize,
    rule: Rule,
}

impl<'d> Rules<'d> {
    /// No rules. `denials` must have no other writer.
    #[must_use]
    pub const fn new(denials: &'d Denials) -> Self {
        Self {
            denials,
            kept: [None; MAX_RULES],
        }
    }

    /// Adds a rule of `session`; one that it has about the same process gives way.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(&mut self, session: usize, rule: Rule) -> Result<(), Full> {
        let is_replaced = |kept: &Kept| kept.session == session && kept.rule.target == rule.target;
        let same = self
            .places()
            .find(|(kept, _)| kept.as_ref().is_some_and(is_replaced));
        if let Some((kept, slot)) = same {
            slot.set_rights(&rule);
            *kept = Some(Kept { session, rule });
            return Ok(());
        }
        let (kept, slot) = self.places().find(|(kept, _)| kept.is_none()).ok_or(Full)?;
        slot.begin(&rule);
        *kept = Some(Kept { session, rule });
        self.set_end();
        Ok(())
    }

    /// Removes the rules of all sessions about a process; says whether there were any.
    pub fn remove(&mut self, target: &Target) -> bool {
        self.remove_if(|kept| kept.rule.target == *target)
    }

    /// Removes the rules of a session.
    pub fn end_session(&mut self, session: usize) {
        self.remove_if(|kept| kept.session == session);
    }

    /// The process that the rule in place number `place` is about, below [`MAX_RULES`].
    #[must_use]
    pub fn target(&self, place: usize) -> Option<Target> {
        let kept = self.kept.get(place)?.as_ref()?;
        Some(kept.rule.target)
    }

    /// All rules, as `session` may see them.
    pub fn list(&self, session: usize) -> impl Iterator<Item = Listed> {
        self.kept.iter().flatten().map(move |kept| Listed {
            rule: kept.rule,
            own: u32::from(kept.session == session),
            reserved: 0,
        })
    }

    fn remove_if(&mut self, is_over: impl Fn(&Kept) -> bool) -> bool {
        let mut removed = false;
        for (kept, slot) in self.places() {
            if kept.as_ref().is_some_and(&is_over) {
                slot.end();
                *kept = None;
                removed = true;
            }
        }
        self.set_end();
        removed
    }

    fn places(&mut self) -> impl Iterator<Item = (&mut Option<Kept>, &'d Slot)> {
        self.kept.iter_mut().zip(self.denials.slots())
    }

    fn set_end(&self) {
        let last = self.kept.iter().rposition(Option::is_some);
        self.denials
            .set_end(last.map_or(0, |last| last.saturating_add(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Denials, Full, Rules};
    use ntwatch_protocol::protect::{MAX_RULES, Rule, Target};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::vec::Vec;

    fn target(key: u64) -> Target {
        Target {
            key,
            pid: 4 * key as u32,
            reserved: 0,
        }
    }

    fn rule(key: u64, process: u32, thread: u32) -> Rule {
        Rule {
            target: target(key),
            process,
            thread,
        }
    }

    #[test]
    fn there_is_an_end_to_rules_but_not_to_replacing_them() {
        let denials = Denials::new();
        let mut rules = Rules::new(&denials);
        for key in 1..=MAX_RULES as u64 {
            assert_eq!(rules.add(0, rule(key, 1, 0)), Ok(()));
        }
        assert_eq!(rules.add(1, rule(1, 2, 0)), Err(Full));
        assert_eq!(rules.add(0, rule(1, 4, 8)), Ok(()));
        assert_eq!(
            (denials.denied_process(1), denials.denied_thread(1)),
            (4, 8)
        );
        assert!(rules.remove(&target(2)));
        assert!(!rules.remove(&target(2)));
        assert_eq!(rules.add(1, rule(1, 2, 0)), Ok(()));
        assert_eq!(denials.denied_process(1), 6, "of both sessions");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(usize, u64, u32, u32),
        Remove(u64),
        EndSession(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..3, 1u64..6, 0u32..8, 0u32..8).prop_map(|(s, k, p, t)| Step::Add(s, k, p, t)),
            1 => (1u64..6).prop_map(Step::Remove),
            1 => (0usize..3).prop_map(Step::EndSession),
        ]
    }

    proptest! {
        #[test]
        fn what_is_denied_is_what_the_rules_say(steps in prop::collection::vec(step(), 0..60)) {
            let denials = Denials::new();
            let mut rules = Rules::new(&denials);
            let mut told = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Add(session, key, process, thread) => {
                        rules.add(session, rule(key, process, thread)).unwrap();
                        told.insert((session, key), (process, thread));
                    }
                    Step::Remove(key) => {
                        let there = told.keys().any(|(_, of)| *of == key);
                        prop_assert_eq!(rules.remove(&target(key)), there);
                        told.retain(|(_, of), _| *of != key);
                    }
                    Step::EndSession(session) => {
                        rules.end_session(session);
                        told.retain(|(of, _), _| *of != session);
                    }
                }
                for key in 1..6 {
                    let about = || told.iter().filter(|((_, of), _)| *of == key);
                    let process = about().fold(0, |all, (_, (process, _))| all | process);
                    let thread = about().fold(0, |all, (_, (_, thread))| all | thread);
                    prop_assert_eq!(denials.denied_process(key), process);
                    prop_assert_eq!(denials.denied_thread(key), thread);
                }
                let targets = (0..MAX_RULES).filter_map(|place| rules.target(place));
                let targets: BTreeSet<_> = targets.map(|target| target.key).collect();
                let expected: BTreeSet<_> = told.keys().map(|(_, of)| *of).collect();
                prop_assert_eq!(targets, expected);
                let mut listed: Vec<_> = rules
                    .list(1)
                    .map(|listed| {
                        let Rule { target, process, thread } = listed.rule;
                        (target.key, process, thread, listed.own == 1)
                    })
                    .collect();
                listed.sort();
                let mut expected: Vec<_> = told
                    .iter()
                    .map(|((session, key), (p, t))| (*key, *p, *t, *session == 1))
                    .collect();
                expected.sort();
                prop_assert_eq!(listed, expected);
            }
        }
    }
}
