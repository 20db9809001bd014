//! Who calls: a request as it came becomes a verified caller, or a rejection. A file per way of proving it.

pub mod challenge;
pub mod claims;
pub mod enrolled_key;
pub mod enrollment_token;
pub mod issuer;
pub mod possession;
pub mod provider;
pub mod token;
pub mod web;

use crate::store::{
    Bastion, StoreError,
    host::{Host, HostKey},
};
use dayfly_core::{
    context::Context,
    identity::{Identity, Subject},
    reason::Refusal,
};
use ssh_key::public::KeyData;
use std::{future::Future, pin::Pin};

/// A request as it came: nothing in it is believed yet.
#[derive(Debug, Clone, Copy)]
pub struct PresentedRequest<'a> {
    /// The challenge that it claims to answer.
    pub challenge: Option<&'a str>,
    /// The SSHSIG blob in base64.
    pub signature: Option<&'a str>,
    /// The same by the caller's device, if it is on one that has a key.
    pub device_signature: Option<&'a str>,
    /// The HTTP method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The body, empty if there is none.
    pub body: &'a [u8],
}

/// A caller that did not prove who it is, and what is known of it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why not.
    pub refusal: Refusal,
    /// `SHA256:…` of the key whose signature fits, enrolled or not.
    pub key_fingerprint: Option<String>,
    /// Whom that key is enrolled for: somebody whose access has ended, or who used a challenge twice.
    pub caller: Option<String>,
}

/// No caller.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// It did not prove who it is.
    #[error("{}", .0.refusal)]
    Rejected(Box<Rejection>),
    /// Nobody can be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a check of a caller comes to.
pub type Check<'a, T> = Pin<Box<dyn Future<Output = Result<T, CallerError>> + Send + 'a>>;

/// Finds out who calls. A person's proof is no bastion's, and the other way round.
pub trait CallerCheck: Send + Sync {
    /// The person or machine that signed `request`, and the device that did.
    fn person<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, ProvenCaller>;

    /// The key that signed `request`, which speaks for nobody yet.
    fn new_key<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, NewKey>;

    /// The bastion that signed `request`.
    fn bastion<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, Bastion>;

    /// The enrolled host whose host key signed `request`.
    fn host<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, Host>;

    /// The host whose token `request` holds, and the key that signed it.
    fn enrolling_host<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, EnrollingHost>;
}

/// A host that showed a token which is good, with a key that it holds.
#[derive(Debug, Clone)]
pub struct EnrollingHost {
    /// Whose token that is.
    pub host: Host,
    /// The key that signed the request: strong, and held by whoever sent it.
    pub key: HostKey,
}

/// A person or machine that signed a request.
#[derive(Debug, Clone)]
pub struct ProvenCaller {
    /// Who it is. A device that is known is among the evidence.
    pub identity: Identity,
    /// The device's key, known or not, if one signed too.
    pub device_key: Option<NewKey>,
}

/// A call by a person or machine.
#[derive(Debug, Clone)]
pub struct PersonCall {
    /// Who calls.
    pub identity: Identity,
    /// The key of the device that signed the call too, known or not.
    pub device_key: Option<NewKey>,
    /// When and from where.
    pub context: Context,
    /// The challenge that the call answered, which a proof of possession is bound to.
    pub challenge: String,
}

impl PersonCall {
    /// Who calls.
    pub fn subject(&self) -> &Subject {
        &self.identity.subject
    }
}

/// A key that is strong and held by whoever called, and of nobody who is known.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key.
    pub key: KeyData,
    /// Its `SHA256:…`.
    pub fingerprint: String,
}

/// A call by a key that wants to speak for somebody.
#[derive(Debug, Clone)]
pub struct NewKeyCall {
    /// The key.
    pub key: KeyData,
    /// Its `SHA256:…`.
    pub fingerprint: String,
    /// When and from where.
    pub context: Context,
}

/// A call by a bastion.
#[derive(Debug, Clone)]
pub struct BastionCall {
    /// Which bastion.
    pub bastion: Bastion,
    /// When and from where.
    pub context: Context,
    /// The challenge that the call answered, which a proof of possession is bound to.
    pub challenge: String,
}

/// A call by an enrolled host.
#[derive(Debug, Clone)]
pub struct HostCall {
    /// Which host.
    pub host: Host,
    /// When and from where.
    pub context: Context,
}

/// A call by a host that has a token.
#[derive(Debug, Clone)]
pub struct EnrollingHostCall {
    /// Which host, with which key.
    pub enrolling: EnrollingHost,
    /// When and from where.
    pub context: Context,
}
