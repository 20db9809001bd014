//! Passkeys and security keys: a browser asks for them, on a page of the CA.

use crate::{
    by_browser::{self, Errand, Place, host_name},
    error::{Failure, Kind},
    output::Output,
};
use dayfly_api::{
    factor::{CeremonyPurpose, CeremonyStart, CeremonyState, FactorAdded, FactorProven},
    sign_in::{SignInRedemption, SignInStarted, SignInWay},
};
use dayfly_client::Client;
use dayfly_core::name::FactorName;

/// Adds one.
pub(super) async fn add(client: &Client, name: Option<FactorName>, place: Place, output: &Output) -> Result<FactorAdded, Failure> {
    match run(client, CeremonyPurpose::Add { name }, place, output).await? {
        Answer::Added(added) => Ok(added),
        Answer::Proven(_) => Err(another()),
    }
}

/// Proves one.
pub(super) async fn prove(client: &Client, place: Place, output: &Output) -> Result<FactorProven, Failure> {
    match run(client, CeremonyPurpose::Prove, place, output).await? {
        Answer::Proven(proven) => Ok(proven),
        Answer::Added(_) => Err(another()),
    }
}

async fn run(client: &Client, purpose: CeremonyPurpose, place: Place, output: &Output) -> Result<Answer, Failure> {
    let ceremony = Ceremony { client, purpose };
    // Whether it takes codes, the CA says when it is asked.
    by_browser::run(&ceremony, client.origin(), place, true, output).await
}

fn another() -> Failure {
    Failure::new(Kind::Failed, "the CA answered another question than the one that was asked").remedy("tell whoever operates the CA")
}

enum Answer {
    Added(FactorAdded),
    Proven(FactorProven),
}

struct Ceremony<'a> {
    client: &'a Client,
    purpose: CeremonyPurpose,
}

impl Errand for Ceremony<'_> {
    type Answer = Answer;
    const PLACE: &'static str = "factor";
    const WHAT: &'static str = "Use your passkey or security key";
    const KEY: &'static str = "second_factor";
    const AGAIN: &'static str = "dayfly factor prove --webauthn";
    const TOO_LATE: Kind = Kind::Failed;

    async fn start(&self, way: SignInWay) -> Result<SignInStarted, Failure> {
        Ok(self.client.start_ceremony(&CeremonyStart { purpose: self.purpose.clone(), way, host: host_name() }).await?)
    }

    async fn redeem(&self, redemption: SignInRedemption) -> Result<Result<Answer, u64>, Failure> {
        Ok(match self.client.redeem_ceremony(&redemption).await? {
            CeremonyState::Added(added) => Ok(Answer::Added(added)),
            CeremonyState::Proven(proven) => Ok(Answer::Proven(proven)),
            CeremonyState::Pending { poll_seconds } => Err(poll_seconds),
        })
    }
}
