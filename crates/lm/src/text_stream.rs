//! From token bytes to text that may be shown: whole characters only, and nothing that could still
//! become a stop string.

/// Gathers bytes and hands out text.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    stops: Vec<String>,
    /// The beginning of a character whose other bytes have not come yet.
    bytes: Vec<u8>,
    /// Text that may be the beginning of a stop string.
    held: String,
    /// Bytes of text handed out.
    shown: usize,
}

/// Text to show now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// A stop string was found; nothing more comes.
    pub(crate) stopped: bool,
}

impl TextStream {
    pub(crate) fn new(stops: &[String]) -> TextStream {
        TextStream { stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(), ..TextStream::default() }
    }

    /// Bytes of text so far, shown or held back.
    pub(crate) fn position(&self) -> usize {
        self.shown + self.held.len()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Piece {
        let piece = self.take(bytes);
        self.shown += piece.text.len();
        piece
    }

    fn take(&mut self, bytes: &[u8]) -> Piece {
        self.bytes.extend_from_slice(bytes);
        self.take_characters();
        // A search prepares itself by reading all of what it looks for.
        let there = self.stops.iter().filter(|stop| stop.len() <= self.held.len());
        if let Some(at) = there.filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep = self.held.len() - self.possible_stop();
        let rest = self.held.split_off(keep);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// What was held back, when the text ends without a stop string; half a character is dropped.
    pub(crate) fn finish(&mut self) -> String {
        self.bytes.clear();
        std::mem::take(&mut self.held)
    }

    /// Moves whole characters from `bytes` to `held`; bytes that can never be one become U+FFFD.
    fn take_characters(&mut self) {
        let mut rest = self.bytes.as_slice();
        let mut kept = 0;
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.held.push_str(text);
                    rest = &[];
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.held.push_str(std::str::from_utf8(valid).expect("valid up to here"));
                    match error.error_len() {
                        Some(len) => {
                            self.held.push(char::REPLACEMENT_CHARACTER);
                            rest = &after[len..];
                        }
                        None => {
                            kept = after.len();
                            break;
                        }
                    }
                }
            }
        }
        self.bytes.drain(..self.bytes.len() - kept);
    }

    /// Bytes at the end of `held` that are the beginning of a stop string, at most.
    fn possible_stop(&self) -> usize {
        let longest = |stop: &String| {
            let most = self.held.len().min(stop.len() - 1);
            let mut lengths = (1..=most).rev().filter(|&n| stop.is_char_boundary(n));
            lengths.find(|&n| self.held.ends_with(&stop[..n])).unwrap_or(0)
        };
        self.stops.iter().map(longest).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let mut stream = TextStream::new(&stops);
        let mut shown = Vec::new();
        for piece in pieces {
            let piece = stream.push(piece);
            shown.push(piece.text);
            if piece.stopped {
                return (shown, true);
            }
        }
        shown.push(stream.finish());
        (shown, false)
    }

    #[test]
    fn a_character_is_shown_when_its_last_byte_has_come() {
        let bytes = "가나".as_bytes();
        assert_eq!(run(&[], &[&bytes[..1], &bytes[1..4], &bytes[4..]]).0, ["", "가", "나", ""]);
        assert_eq!(run(&[], &[&bytes[..2]]).0, ["", ""]);
        assert_eq!(run(&[], &[b"a\xFFb", b"\xED", b"x"]).0, ["a\u{FFFD}b", "", "\u{FFFD}x", ""]);
    }

    #[test]
    fn text_that_could_become_a_stop_string_is_held_back() {
        assert_eq!(
            run(&["STOP"], &[b"aS", b"T", b"Ob"]),
            (vec!["a".into(), "".into(), "STOb".into(), "".into()], false)
        );
        assert_eq!(run(&["STOP"], &[b"aS", b"TO", b"Pzz"]), (vec!["a".into(), "".into(), "".into()], true));
        assert_eq!(run(&["\n\n", "끝"], &["가\n".as_bytes(), "나끝다".as_bytes()]).0, ["가", "\n나"]);
    }

    /// Were the whole stop string read for each token, this would take minutes.
    #[test]
    fn a_stop_string_far_longer_than_the_text_is_compared_as_far_as_the_text_goes() {
        let stop = format!("ab{}", "c".repeat(8 << 20));
        let pieces: Vec<&[u8]> = [&b"x"[..], b"a", b"b", b"b"].repeat(2_000);
        let (shown, stopped) = run(&[stop.as_str()], &pieces);
        assert_eq!((&shown[..5], stopped), (&["x", "", "", "abb", "x"].map(str::to_owned)[..], false));
        assert_eq!(shown.concat(), "xabb".repeat(2_000));
    }

    #[test]
    fn the_earliest_stop_string_wins() {
        assert_eq!(run(&["d", "bc"], &[b"abcd"]), (vec!["a".into()], true));
    }
}
