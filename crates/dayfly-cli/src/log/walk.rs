//! The whole log from the CA, each row verified before anybody looks at it.

use super::{
    Pages,
    verification::{Defect, Head, Verification},
    witness::Witness,
};
use crate::{commands::Context, connection::Connection, error::Failure};
use dayfly_api::log::LogRow;
use ssh_key::public::KeyData;

/// A log that is not what it should be, after so many good rows.
pub struct Broken {
    /// How many rows are linked as they should be.
    pub rows: u64,
    /// What is wrong.
    pub defect: Defect,
}

/// Goes through the log up to its head, as it is now, and gives every row that follows from the one before to `take`. What comes back must still be
/// finished: only then is it known that the rows lead to the signed head.
pub async fn walk<'a>(
    connection: &Connection,
    context: &Context<'_>,
    log_key: &KeyData,
    before: &'a Witness,
    mut take: impl FnMut(&LogRow),
) -> Result<Result<Verification<'a>, Broken>, Failure> {
    let signed = connection.client.log_head().await?;
    let mut verification = match Head::check(&signed, log_key).and_then(|head| Verification::begin(head, before)) {
        Ok(verification) => verification,
        Err(defect) => return Ok(Err(Broken { rows: 0, defect })),
    };
    let mut pages = Pages::after(&connection.client, 0);
    while !verification.is_complete() {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for row in page.iter().filter(|row| row.seq <= signed.seq) {
            if let Err(defect) = verification.follow(row) {
                return Ok(Err(Broken { rows: verification.rows(), defect }));
            }
            take(row);
        }
        context.output.progress(&format!("verified {} of {} rows", verification.rows(), verification.total()))?;
    }
    context.output.progress("")?;
    Ok(Ok(verification))
}
