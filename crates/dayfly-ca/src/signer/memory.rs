//! Keeping keys out of what outlives them: swapped memory, core dumps, and other processes of the same user.

use crate::{config::LockMemory, mistake::Mistake};
use std::path::Path;

/// What to do where memory cannot be locked.
const REMEDY: &str = "permit it: LimitMEMLOCK=infinity in the service's unit, or the capability CAP_IPC_LOCK; or turn swap off and set lock_memory = \"never\"";

/// Locks this process's memory as `wish` says, and lets it leave no core dump. What `wish` demands and the system does not permit is a mistake of
/// `config`; what it prefers only is a warning.
pub fn protect(wish: LockMemory, config: &Path) -> Result<(), Mistake> {
    leave_no_core_dump();
    if wish == LockMemory::Never {
        return Ok(());
    }
    match lock() {
        Ok(()) => Ok(()),
        Err(cause) if wish == LockMemory::Required => Err(Mistake::new(config, format!("memory cannot be locked: {cause}"), REMEDY)),
        Err(cause) => {
            tracing::warn!(cause, remedy = REMEDY, "memory is not locked: keys may be written to swap");
            Ok(())
        }
    }
}

#[cfg(target_os = "linux")]
fn leave_no_core_dump() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    // Not dumpable also means that no other process of this user may trace it or read its memory.
    let done = [set_dumpable_behavior(DumpableBehavior::NotDumpable), setrlimit(Resource::Core, no_core)];
    for error in done.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "core dumps cannot be turned off");
    }
}

/// Locks what is mapped and what will be, page by page as it is used.
#[cfg(target_os = "linux")]
fn lock() -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    // Under a limit, locking everything to come would make an allocation fail some day, and the CA with it.
    if !is_unlimited() {
        return Err("the limit of locked memory (RLIMIT_MEMLOCK) is in the way".to_owned());
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(|error| error.to_string())
}

#[cfg(target_os = "linux")]
fn is_unlimited() -> bool {
    use rustix::{
        process::{Resource, getrlimit},
        thread::{CapabilitySet, capabilities},
    };
    let may_lock = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    may_lock || getrlimit(Resource::Memlock).current.is_none()
}

#[cfg(not(target_os = "linux"))]
fn leave_no_core_dump() {}

#[cfg(not(target_os = "linux"))]
fn lock() -> Result<(), String> {
    Err("this system is not Linux".to_owned())
}
