//! The numbers of OpenSSH PROTOCOL.krl.

pub(super) const MAGIC: &[u8] = b"SSHKRL\n\0";
pub(super) const FORMAT: u32 = 1;
pub(super) const CERTIFICATES: u8 = 1;
pub(super) const KEY: u8 = 2;
pub(super) const SHA1: u8 = 3;
pub(super) const SIGNATURE: u8 = 4;
pub(super) const SHA256: u8 = 5;
pub(super) const EXTENSION: u8 = 255;
pub(super) const SERIAL_LIST: u8 = 0x20;
pub(super) const SERIAL_RANGE: u8 = 0x21;
pub(super) const SERIAL_BITMAP: u8 = 0x22;
pub(super) const KEY_ID: u8 = 0x23;
pub(super) const CERTIFICATE_EXTENSION: u8 = 0x39;
