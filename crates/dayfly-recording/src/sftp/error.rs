//! Why SFTP could not be followed.

/// Something that must not be passed on, because nobody could say afterwards what it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SftpError {
    /// A packet is empty or too long.
    #[error("an SFTP packet of {0} bytes; it may have 1 to {max}", max = super::LONGEST_PACKET)]
    Length(u32),
    /// A packet's fields do not fit its length.
    #[error("an SFTP packet of type {0} whose fields do not fit its length")]
    Malformed(u8),
    /// A packet that a side does not send in this version.
    #[error("an SFTP packet of the unknown type {0}")]
    Type(u8),
    /// An extension that is not followed.
    #[error("the SFTP extension {0:?}, which is not known here")]
    Extension(String),
    /// Flags that this version does not have.
    #[error("SFTP flags {0:#x}, which version 3 does not have")]
    Flags(u32),
    /// The two sides agreed on something else.
    #[error("the target speaks SFTP version {0}; only version 3 can be recorded")]
    Version(u32),
    /// Something is not where it may be.
    #[error("{what} in SFTP")]
    Order {
        /// What.
        what: &'static str,
    },
    /// Two requests under one number.
    #[error("the SFTP request number {0} is in use already")]
    IdInUse(u32),
    /// An answer that nobody waits for, or of another kind.
    #[error("an SFTP answer of type {kind} to request number {id}, which does not ask for it")]
    Answer {
        /// The packet's type.
        kind: u8,
        /// The number.
        id: u32,
    },
    /// A handle that the target never gave, or whose file is closed.
    #[error("an SFTP handle that the target did not give")]
    Handle,
    /// A bound was reached.
    #[error("more than {most} {what}")]
    TooMany {
        /// The bound.
        most: usize,
        /// What there is too much of.
        what: &'static str,
    },
    /// It could not be followed before.
    #[error("SFTP that could not be followed before")]
    Lost,
}
