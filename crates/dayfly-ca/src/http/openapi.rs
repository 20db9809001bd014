//! The contract, made from the handlers. `docs/api/openapi.json` is its committed form.

use super::{bastion, certificates, decisions, devices, factors, host, log, people, sessions, sign_in, trust};
use dayfly_core::signed_request::SIGNATURE_HEADER;
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Description,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

/// The description as JSON, one spelling for one contract.
pub fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| Contract::openapi().to_pretty_json().unwrap_or_default() + "\n");
    &JSON
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dayfly CA",
        description = "The SSH certificate authority. Every answer carries the next one-time challenge in the header `dayfly-challenge`. A signed request \
                       carries one back, and an SSHSIG over it, the method, the path and the body in `dayfly-signature`."
    ),
    paths(
        trust::challenge,
        trust::health,
        trust::everything,
        trust::known_hosts,
        trust::ca_key,
        trust::krl,
        trust::description,
        people::whoami,
        people::roles,
        people::destinations,
        certificates::issue,
        devices::list,
        devices::enroll,
        devices::report,
        devices::remove,
        factors::list,
        factors::enroll,
        factors::prove,
        factors::begin,
        factors::redeem,
        factors::enroll_touch,
        factors::prove_touch,
        factors::remove,
        decisions::why,
        sign_in::offer,
        sign_in::start,
        sign_in::redeem,
        sign_in::end,
        sign_in::federate,
        log::page,
        log::head,
        sessions::open,
        sessions::review,
        bastion::inventory,
        bastion::host_certificate,
        bastion::inner_host_certificate,
        bastion::report,
        bastion::events,
        host::enroll,
        host::preview,
        host::certificate,
        host::setup,
        host::report,
    ),
    modifiers(&SignedRequests)
)]
struct Contract;

/// How a request is signed, as far as OpenAPI can say it.
struct SignedRequests;

impl Modify for SignedRequests {
    fn modify(&self, description: &mut Description) {
        let text = "The SSHSIG blob in base64, namespace request@dayfly, beside the header dayfly-challenge";
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(SIGNATURE_HEADER, text)));
        description.components.get_or_insert_default().add_security_scheme("signed", scheme);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/openapi.json");

    #[test]
    fn the_committed_contract_is_the_one_that_is_served() {
        if std::env::var_os("DAYFLY_WRITE_OPENAPI").is_some() {
            std::fs::create_dir_all(std::path::Path::new(COMMITTED).parent().unwrap()).unwrap();
            std::fs::write(COMMITTED, json()).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
        assert!(
            committed == json(),
            "docs/api/openapi.json is not what the handlers say. If the change is meant, write it anew: DAYFLY_WRITE_OPENAPI=1 cargo test -p dayfly-ca openapi"
        );
    }
}
