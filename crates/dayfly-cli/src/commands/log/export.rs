//! `dayfly log export`.

use crate::{
    commands::Context,
    error::Failure,
    log::{Pages, export::Line},
};
use std::io::{self, Write};

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let head = connection.client.log_head().await?;
    let last = head.seq;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut pages = Pages::after(&connection.client, 0);
    while pages.position() < last {
        let rows = pages.next().await?;
        if rows.is_empty() {
            break;
        }
        for row in rows.into_iter().filter(|row| row.seq <= last) {
            write(&mut out, &Line::Row(row))?;
        }
    }
    write(&mut out, &Line::Head(head))?;
    Ok(out.flush()?)
}

/// The exact bytes that were linked, so that the export verifies; JSON leaves no control character as itself.
fn write(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
