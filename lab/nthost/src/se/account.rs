//! Names of accounts, as `LookupAccountSidW` and `LookupAccountNameW` know them.

use super::Sid;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// Accounts that are the same on every machine (page "Well-known SIDs").
const WELL_KNOWN: [(&str, &str); 8] = [
    (r"NT AUTHORITY\SYSTEM", "S-1-5-18"),
    (r"NT AUTHORITY\LOCAL SERVICE", "S-1-5-19"),
    (r"NT AUTHORITY\NETWORK SERVICE", "S-1-5-20"),
    (r"NT AUTHORITY\ANONYMOUS LOGON", "S-1-5-7"),
    (r"NT AUTHORITY\IUSR", "S-1-5-17"),
    (r"BUILTIN\Administrators", "S-1-5-32-544"),
    (r"BUILTIN\Users", "S-1-5-32-545"),
    ("Everyone", "S-1-1-0"),
];

/// The accounts of one machine.
#[derive(Debug, Default)]
pub struct Accounts {
    names: Mutex<HashMap<Sid, String>>,
}

impl Accounts {
    /// The SID of `DOMAIN\name`, in any case. An account that is not the same on every machine
    /// gets one made up from its name, always the same.
    pub fn sid_of(&self, name: &str) -> Sid {
        let known = WELL_KNOWN
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let sid = match known {
            Some((_, sid)) => sid.parse().expect("the table holds SIDs"),
            None => window_manager(name).unwrap_or_else(|| made_up(name)),
        };
        self.add(sid.clone(), name);
        sid
    }

    /// Gives an account a name. The first name stays.
    pub fn add(&self, sid: Sid, name: &str) {
        let mut names = self.names.lock().unwrap();
        names.entry(sid).or_insert_with(|| name.into());
    }

    /// `DOMAIN\name` of a SID, if somebody bears it.
    pub fn name_of(&self, sid: &Sid) -> Option<String> {
        if let Some(name) = self.names.lock().unwrap().get(sid) {
            return Some(name.clone());
        }
        let text = sid.to_string();
        let known = WELL_KNOWN.iter().find(|(_, known)| **known == text);
        known.map(|(name, _)| (*name).into())
    }
}

/// `Window Manager\DWM-1` and `Font Driver Host\UMFD-1` bear the number of their session.
fn window_manager(name: &str) -> Option<Sid> {
    let (authority, session) = match name.rsplit_once('-')? {
        (r"Window Manager\DWM", session) => (90, session),
        (r"Font Driver Host\UMFD", session) => (96, session),
        _ => return None,
    };
    Some(Sid::new(5, &[authority, 0, session.parse().ok()?]))
}

fn made_up(name: &str) -> Sid {
    let (domain, user) = name.rsplit_once('\\').unwrap_or(("", name));
    let hash = |text: &str| {
        let mut hasher = DefaultHasher::new();
        text.to_lowercase().hash(&mut hasher);
        hasher.finish()
    };
    let machine = hash(domain);
    // RIDs of ordinary accounts begin at 1000.
    let rid = 1000 + hash(user) as u32 % 0x0fff_ffff;
    Sid::new(5, &[21, machine as u32, (machine >> 32) as u32, 0, rid])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_sid_lead_to_each_other() {
        let accounts = Accounts::default();
        for name in [r"NT AUTHORITY\SYSTEM", r"Window Manager\DWM-1", r"PC\me"] {
            let sid = accounts.sid_of(name);
            assert_eq!(accounts.name_of(&sid).as_deref(), Some(name));
        }
        let system = accounts.sid_of(r"nt authority\system");
        assert_eq!(system.to_string(), "S-1-5-18");
        assert_ne!(accounts.sid_of(r"PC\me"), accounts.sid_of(r"DOMAIN\me"));
        assert_eq!(accounts.name_of(&Sid::new(5, &[21, 1])), None);
    }
}
