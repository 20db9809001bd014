//! The schema that policies are written against, and its words as Cedar holds them.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, Validator};
use std::sync::LazyLock;

/// What a policy can speak about, in Cedar's own notation.
pub const SCHEMA: &str = include_str!("../../policy.cedarschema");

/// The schema's words, parsed once. Nothing in here can fail after that, which keeps the way to a decision short.
pub(super) struct Vocabulary {
    pub(super) validator: Validator,
    pub(super) person: EntityTypeName,
    pub(super) machine: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) target: EntityTypeName,
    pub(super) target_group: EntityTypeName,
    pub(super) bastion: EntityTypeName,
    pub(super) network: EntityTypeName,
    pub(super) workload: EntityTypeName,
    action: EntityTypeName,
}

/// The vocabulary, or why the built-in schema cannot be read. A test reads it, so that no release says the latter.
pub(super) fn vocabulary() -> Result<&'static Vocabulary, &'static str> {
    static VOCABULARY: LazyLock<Result<Vocabulary, String>> = LazyLock::new(read);
    VOCABULARY.as_ref().map_err(String::as_str)
}

fn read() -> Result<Vocabulary, String> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| error.to_string())?;
    let entity_type = |name: &str| name.parse::<EntityTypeName>().map_err(|error| error.to_string());
    Ok(Vocabulary {
        validator: Validator::new(schema),
        person: entity_type("Person")?,
        machine: entity_type("Machine")?,
        group: entity_type("Group")?,
        role: entity_type("Role")?,
        target: entity_type("Target")?,
        target_group: entity_type("TargetGroup")?,
        bastion: entity_type("Bastion")?,
        network: entity_type("Network")?,
        workload: entity_type("Workload")?,
        action: entity_type("Action")?,
    })
}

impl Vocabulary {
    /// `Action::"name"`.
    pub(super) fn action(&self, name: &str) -> EntityUid {
        uid(&self.action, name)
    }
}

/// `Type::"name"`.
pub(super) fn uid(entity_type: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(name))
}

#[cfg(test)]
mod tests;
