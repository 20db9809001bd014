//! What a role demands of the key that is to be certified, judged by what the key itself said when it proved that it is held.

use crate::{
    reason::{Reason, Refusal},
    request::CertificateRequest,
    role::{Extension, Role},
    signature::{FidoFlags, is_hardware_key},
};

/// Refuses a key that is not in hardware where the role wants one, that nobody touched, or that asked for no PIN where the role wants it.
pub(super) fn check(role: &Role, request: &CertificateRequest) -> Result<(), Refusal> {
    let is_demanded = role.require_hardware_key || role.verify_required;
    if !is_hardware_key(request.public_key.key_data()) {
        return if is_demanded { Err(not_hardware(role)) } else { Ok(()) };
    }
    let FidoFlags { touched, verified } = request.fido.unwrap_or_default();
    if !touched && !role.extensions.contains(&Extension::NoTouchRequired) {
        let message = format!("nobody touched the security key, and role {} does not go without", role.name);
        return Err(Refusal::new(Reason::NotTouched, message, "ask again and touch the key when it blinks"));
    }
    if role.verify_required && !verified {
        let message = format!("role {} wants a PIN or a fingerprint, and the security key was given none", role.name);
        return Err(Refusal::new(Reason::NotVerified, message, "make a key that asks for it: ssh-keygen -t ed25519-sk -O verify-required"));
    }
    Ok(())
}

/// What the role demands of the key, for whom does not show one yet.
pub(super) fn demands(role: &Role) -> Vec<String> {
    let hardware = (role.require_hardware_key || role.verify_required).then(|| "the key to be certified must be a security key".to_owned());
    let verified = role.verify_required.then(|| "the security key must ask for a PIN or a fingerprint".to_owned());
    hardware.into_iter().chain(verified).collect()
}

fn not_hardware(role: &Role) -> Refusal {
    let more = if role.verify_required { " -O verify-required" } else { "" };
    Refusal::new(
        Reason::HardwareKeyRequired,
        format!("certificates of role {} are for security keys only", role.name),
        format!("make one, add it to the ssh-agent and name it: ssh-keygen -t ed25519-sk{more}; dayfly cert {} --key FILE", role.name),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{
        decision::Grant,
        policy::{decide, sample},
        reason::Reason,
        request::CertificateRequest,
        signature::FidoFlags,
        signer::{Signer, fido::FidoSigner},
    };
    use uuid::Uuid;

    const NOTHING: FidoFlags = FidoFlags { touched: false, verified: false };
    const TOUCHED: FidoFlags = FidoFlags { touched: true, verified: false };
    const VERIFIED: FidoFlags = FidoFlags { touched: true, verified: true };

    /// What alice gets under a role with `demands`, for a key in software or one that said this.
    fn decided(demands: &str, fido: Option<FidoFlags>) -> Result<Grant, Reason> {
        let sample = sample::Sample::new();
        let text = format!("[[role]]\nname = \"web\"\nprincipals = [\"deploy@{{target}}\"]\ntargets = [\"web1\"]\n{demands}");
        let roles = sample::roles(&text, &sample.inventory);
        let rules = crate::policy::Rules { roles: &roles, ..sample.rules() };
        let mut request = sample::request("web", &["web1"]);
        if fido.is_some() {
            let public_key = FidoSigner::p256(0).public_key().clone().into();
            request = CertificateRequest { public_key, ..request }.held_with(fido);
        }
        let decision = decide(rules, &sample::identity("alice", &["developers"]), &sample::context(), &request, Uuid::from_u128(1));
        decision.into_grant().map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_role_that_demands_nothing_takes_every_key_and_of_security_keys_a_touch() {
        assert!(decided("", None).is_ok() && decided("", Some(TOUCHED)).is_ok());
        assert_eq!(decided("", Some(NOTHING)).unwrap_err(), Reason::NotTouched);
        assert!(decided("extensions = [\"no-touch-required\"]", Some(NOTHING)).is_ok());
    }

    #[test]
    fn row_35_a_role_for_hardware_keys_takes_no_other_and_none_that_nobody_touched() {
        let demands = "require_hardware_key = true";
        assert_eq!(decided(demands, None).unwrap_err(), Reason::HardwareKeyRequired);
        assert_eq!(decided(demands, Some(NOTHING)).unwrap_err(), Reason::NotTouched);
        assert!(!decided(demands, Some(TOUCHED)).unwrap().verify_required);
    }

    #[test]
    fn a_role_that_demands_a_pin_takes_no_touch_for_it_and_says_so_in_the_certificate() {
        let demands = "verify_required = true";
        assert_eq!(decided(demands, None).unwrap_err(), Reason::HardwareKeyRequired);
        assert_eq!(decided(demands, Some(TOUCHED)).unwrap_err(), Reason::NotVerified);
        assert!(decided(demands, Some(VERIFIED)).unwrap().verify_required);
    }
}
