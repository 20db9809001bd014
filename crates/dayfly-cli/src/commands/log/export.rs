//! `dayfly log export`.

use crate::{commands::Context, error::Failure, log::Pages, log::export::FirstLine};
use serde::Serialize;
use std::io::{self, Write};

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let head = connection.client.log_head().await?;
    let last = head.seq;
    let mut out = io::BufWriter::new(io::stdout().lock());
    line(&mut out, &FirstLine { head })?;
    let mut pages = Pages::after(&connection.client, 0);
    while pages.position() < last {
        let rows = pages.next().await?;
        if rows.is_empty() {
            break;
        }
        for row in rows.iter().filter(|row| row.seq <= last) {
            line(&mut out, row)?;
        }
    }
    Ok(out.flush()?)
}

/// The exact bytes that were linked, so that the export verifies; JSON leaves no control character as itself.
fn line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
