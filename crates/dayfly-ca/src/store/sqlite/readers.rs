//! A few connections that only read, each used by one question at a time.

use super::{StoreError, connection};
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// How many questions are answered at a time.
const CONNECTIONS: usize = 4;

/// The connections that nobody is using.
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    /// As many permits as there are free connections.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let free = (0..CONNECTIONS).map(|_| connection::open_for_reading(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { permits: Arc::new(Semaphore::new(free.len())), free: Arc::new(Mutex::new(free)) })
    }

    /// Answers a question that a page or two hold, on the caller's own thread: handing it to another costs more than the answer.
    pub(super) async fn look_up<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
        let _permit = self.permits.acquire().await.map_err(|error| stopped(&error.to_string()))?;
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = taken.ok_or_else(gone)?;
        let answer = question(&connection);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        answer
    }

    /// Answers a question on a thread where waiting for the disk stops nobody else.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| stopped(&error.to_string()))?;
        let free = Arc::clone(&self.free);
        let answer = tokio::task::spawn_blocking(move || {
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = taken.ok_or_else(gone)?;
            let answer = question(&connection);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            answer
        });
        answer.await.map_err(|error| stopped(&error.to_string()))?
    }
}

fn stopped(cause: &str) -> StoreError {
    StoreError::Unavailable(format!("its readers have stopped: restart the program ({cause})"))
}

fn gone() -> StoreError {
    StoreError::Unavailable("its readers are gone: restart the program".to_owned())
}
