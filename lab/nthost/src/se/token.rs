//! Access tokens.

use super::{Privileges, Sid};
use crate::ob::{Kind, Object};

/// An access token. `None` is what a source of activity could not tell; asked for it, the
/// kernel fails, and the driver has to do without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Token {
    /// The user.
    pub user: Option<Sid>,
    /// The enabled groups.
    pub groups: Vec<Sid>,
    /// The integrity level's RID, such as 0x2000 for medium.
    pub integrity: Option<u32>,
    /// Is it elevated?
    pub elevated: Option<bool>,
    /// Terminal Services session.
    pub session: Option<u32>,
    /// The logon session, as `AuthenticationId` has it.
    pub logon_id: Option<u64>,
    /// What its holder may do beyond what objects allow.
    pub privileges: Privileges,
}

impl Object for Token {
    const KIND: Kind = Kind::Token;
    fn describe(&self) -> String {
        match &self.user {
            Some(user) => format!("of {user}"),
            None => "of an unknown user".into(),
        }
    }
}

/// The integrity levels that tokens of the model have.
const MEDIUM: u32 = 0x2000;
const HIGH: u32 = 0x3000;
const SYSTEM: u32 = 0x4000;

impl Token {
    /// The token of the System process.
    pub fn system() -> Token {
        Token {
            user: Some(Sid::new(5, &[18])),
            groups: vec![Token::administrators()],
            integrity: Some(SYSTEM),
            elevated: Some(true),
            session: Some(0),
            logon_id: Some(0x3e7),
            privileges: Privileges::of_system(),
        }
    }

    /// An administrator who has consented to elevation.
    pub fn administrator() -> Token {
        Token {
            user: Some(Sid::new(5, &[21, 1, 2, 3, 500])),
            groups: vec![Token::administrators()],
            integrity: Some(HIGH),
            elevated: Some(true),
            session: Some(1),
            logon_id: Some(0x1_0000),
            privileges: Privileges::of_administrator(),
        }
    }

    /// A user without special rights.
    pub fn standard_user() -> Token {
        Token {
            user: Some(Sid::new(5, &[21, 1, 2, 3, 1001])),
            groups: vec![Sid::new(5, &[32, 545])],
            integrity: Some(MEDIUM),
            elevated: Some(false),
            session: Some(1),
            logon_id: Some(0x2_0000),
            privileges: Privileges::of_user(),
        }
    }

    /// `BUILTIN\Administrators`.
    pub fn administrators() -> Sid {
        Sid::new(5, &[32, 544])
    }

    /// Who owns what its holder makes (page "Owner of a New Object"): of an elevated administrator
    /// the administrators do.
    pub fn owner(&self) -> Option<Sid> {
        let administrators = Token::administrators();
        match self.elevated == Some(true) && self.groups.contains(&administrators) {
            true => Some(administrators),
            false => self.user.clone(),
        }
    }

    /// Is `sid` the user or an enabled group? Everyone is in Everyone.
    pub fn has(&self, sid: &Sid) -> bool {
        self.user.as_ref() == Some(sid) || self.groups.contains(sid) || *sid == Sid::new(1, &[0])
    }
}
