//! Bytes of a terminal → text, whatever the chunks they come in.

use std::mem;

/// Decodes UTF-8 chunk by chunk. A character that is cut by a chunk's end is carried over to the next; bytes that are no UTF-8 become U+FFFD.
///
/// The texts of all chunks and of [`Self::finish`] together are what [`String::from_utf8_lossy`] makes of all bytes together.
#[derive(Debug, Clone, Default)]
pub struct TextDecoder {
    /// The beginning of a character, at most 3 bytes.
    tail: Vec<u8>,
}

impl TextDecoder {
    /// The text of what was carried over and of `bytes`, as far as it is complete. May be empty.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let mut pending = mem::take(&mut self.tail);
        pending.extend_from_slice(bytes);
        let mut text = String::with_capacity(pending.len());
        let mut seen = 0;
        for chunk in pending.utf8_chunks() {
            text.push_str(chunk.valid());
            seen += chunk.valid().len() + chunk.invalid().len();
            if seen == pending.len() && is_beginning(chunk.invalid()) {
                self.tail = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// The text of what is still carried over: U+FFFD, or nothing.
    pub fn finish(&mut self) -> String {
        if mem::take(&mut self.tail).is_empty() { String::new() } else { char::REPLACEMENT_CHARACTER.to_string() }
    }
}

fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_may_arrive_byte_by_byte() {
        let mut decoder = TextDecoder::default();
        let texts: Vec<String> = "a€𝄞".bytes().map(|byte| decoder.decode(&[byte])).collect();
        assert_eq!(texts, ["a", "", "", "€", "", "", "", "𝄞"]);
        assert_eq!(decoder.finish(), "");
    }

    #[test]
    fn what_never_becomes_a_character_is_replaced() {
        let mut decoder = TextDecoder::default();
        assert_eq!(decoder.decode(b"\xe2\x82"), "");
        assert_eq!(decoder.decode(b"a\xff\xf0\x9d"), "\u{fffd}a\u{fffd}");
        assert_eq!(decoder.finish(), "\u{fffd}");
        assert_eq!(decoder.finish(), "");
    }

    // Bytes that are mostly pieces of characters, since random bytes seldom are.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![any::<char>().prop_map(|c| c.to_string().into_bytes()), prop::collection::vec(any::<u8>(), 0..4)];
        let cut = (piece, 0usize..5).prop_map(|(mut bytes, keep)| {
            bytes.truncate(keep);
            bytes
        });
        prop::collection::vec(cut, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_chunks_do_not_matter(bytes in pieces(), cuts in prop::collection::vec(0usize..160, 0..20)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort();
            let mut decoder = TextDecoder::default();
            let mut text: String = cuts.windows(2).map(|pair| decoder.decode(&bytes[pair[0]..pair[1]])).collect();
            text += &decoder.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
