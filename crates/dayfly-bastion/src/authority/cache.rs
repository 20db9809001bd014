//! The last inventory on disk, for when the CA is away at a start.

use crate::files;
use dayfly_api::bastion::Inventory;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A file that holds one inventory, readable by the bastion alone.
#[derive(Debug, Clone)]
pub struct InventoryCache {
    path: PathBuf,
}

impl InventoryCache {
    /// The cache in the state directory.
    pub fn new(state: &Path) -> Self {
        Self { path: state.join("inventory.json") }
    }

    /// What was stored last; none if nothing was.
    pub fn load(&self) -> io::Result<Option<Inventory>> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces what is stored: whole or not at all, whatever happens in between.
    pub fn store(&self, inventory: &Inventory) -> io::Result<()> {
        let bytes = serde_json::to_vec(inventory).map_err(io::Error::other)?;
        files::write_private(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_inventory_survives_and_nobody_else_reads_it() {
        let state = tempfile::tempdir().unwrap();
        let cache = InventoryCache::new(state.path());
        assert_eq!(cache.load().unwrap(), None);
        let inventory =
            Inventory { bastion: "gate".parse().unwrap(), targets: Vec::new(), user_ca: Vec::new(), revocations: Default::default() };
        cache.store(&inventory).unwrap();
        cache.store(&inventory).unwrap();
        assert_eq!(cache.load().unwrap(), Some(inventory));
        assert_eq!(fs::metadata(&cache.path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&cache.path, b"{").unwrap();
        assert!(cache.load().is_err());
    }
}
