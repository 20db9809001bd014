//! Windows and kinds: certificates of another time, of no time, of all time, and of hosts.

use super::List;
use crate::wire::{AFTER, BEFORE};
use anyhow::Result;

const YEAR: u64 = 365 * 24 * 60 * 60;

pub(super) fn add(list: &mut List) -> Result<()> {
    for (name, reason, what, after, before) in [
        ("expired", "expired", "It ended in 2020.", AFTER, AFTER + YEAR / 2),
        ("not_yet_valid", "not_yet_valid", "It begins in 2100.", BEFORE, BEFORE + YEAR),
        ("window_empty", "malformed", "It ends when it begins.", AFTER, AFTER),
        ("window_reversed", "malformed", "It ends before it begins.", BEFORE, AFTER),
        ("window_without_end", "malformed", "It never ends.", AFTER, u64::MAX),
        ("window_always", "malformed", "It is valid at all times, as ssh-keygen makes it when no window is given.", 0, u64::MAX),
        ("window_past_signed_time", "malformed", "It ends where a signed time becomes negative.", AFTER, i64::MAX as u64 + 1),
        ("window_begins_past_signed_time", "malformed", "It begins where a signed time becomes negative.", u64::MAX - 1, u64::MAX),
    ] {
        list.signed(name, reason, what, |fields| (fields.after, fields.before) = (after, before))?;
    }
    list.signed("host_certificate", "wrong_type", "It is a host's, by an authority for people.", |fields| fields.kind = 2)?;
    list.signed("kind_zero", "malformed", "It is neither a person's nor a host's.", |fields| fields.kind = 0)?;
    list.signed("kind_three", "malformed", "It is of a kind that there is not.", |fields| fields.kind = 3)?;
    list.signed("kind_high_bits", "malformed", "Its kind is a person's if only the lowest byte is looked at.", |fields| {
        fields.kind = 0x0100_0001
    })?;
    list.signed("serial_zero", "malformed", "It has no serial, so that no list of serials can revoke it.", |fields| fields.serial = 0)?;
    list.signed("revoked_serial", "revoked", "It was revoked by its serial.", |fields| fields.serial = crate::REVOKED_SERIAL)?;
    list.signed("revoked_holder", "revoked", "Whom it was given to has no access any more.", |fields| {
        fields.key_id = format!("{} role=db-admin grant={}", crate::REVOKED_SUBJECT, crate::wire::GRANT).into_bytes();
    })?;
    Ok(())
}
