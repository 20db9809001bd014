//! Sign-ins.

use super::Memory;
use crate::store::{
    Person, StoreError, Unique,
    sign_in::{Holder, NewSignIn, ProviderAccount},
};

impl Memory {
    pub(super) fn add_sign_in(&mut self, new: NewSignIn) -> Result<bool, StoreError> {
        let NewSignIn { sign_in, holder } = new;
        let is_enrolled = |person: &Person| person.key.as_ref().is_some_and(|key| key.fingerprint == sign_in.key_fingerprint);
        let is_bastions = self.bastions.values().any(|bastion| bastion.key_fingerprint == sign_in.key_fingerprint);
        if self.people.values().any(is_enrolled) || is_bastions || self.sign_ins.contains_key(&sign_in.key_fingerprint) {
            return Err(StoreError::Conflict(Unique::Key));
        }
        let fresh = Person { subject: sign_in.subject.clone(), key: None, account: None, groups: Default::default(), disabled: false };
        match holder {
            Holder::Person { account, groups } => {
                let is_account = |held: &ProviderAccount| (&held.issuer, &held.subject) == (&account.issuer, &account.subject);
                let known =
                    self.people.values().find(|person| person.account.as_ref().is_some_and(is_account)).map(|person| &person.subject);
                let is_free = !self.people.contains_key(&sign_in.subject);
                if known.map_or(!is_free, |known| *known != sign_in.subject) {
                    return Err(StoreError::Conflict(Unique::Person));
                }
                let person = self.people.entry(sign_in.subject.clone()).or_insert(fresh);
                (person.account, person.groups) = (Some(account), groups);
            }
            Holder::Machine { token, token_ends_at } => {
                self.used_tokens.retain(|_, ends_at| *ends_at >= sign_in.proven_at);
                super::vacant(&mut self.used_tokens, token, token_ends_at, Unique::Token)?;
                self.people.entry(sign_in.subject.clone()).or_insert(fresh);
            }
        }
        self.sign_ins.insert(sign_in.key_fingerprint.clone(), sign_in);
        Ok(true)
    }
}
