//! The inventory's sources.

use super::Memory;
use crate::store::inventory::{SourceAnswer, SourceTrouble};

impl Memory {
    pub(super) fn keep_source(&mut self, answer: SourceAnswer) -> bool {
        let (record, is_news) = answer.clone().after(self.sources.get(&answer.name));
        self.sources.insert(answer.name, record);
        is_news
    }

    pub(super) fn fail_source(&mut self, trouble: SourceTrouble) -> bool {
        let (record, is_news) = trouble.clone().after(self.sources.get(&trouble.name));
        self.sources.insert(trouble.name, record);
        is_news
    }
}
