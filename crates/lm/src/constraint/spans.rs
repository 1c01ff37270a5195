//! What may come next in an answer that only copies?
//!
//! Pieces of numbered passages, each with the number of one that holds it, `32억 원 [2]. Calder Institute [1].`, or one fixed sentence
//! that says that nothing answers. A piece neither ends within a Latin word nor within a number, where the passages go on there.

use toktrie::{SimpleVob, TokTrie};

use super::automaton::Automaton;
use super::mark::{Mark, Marked};
use super::walk::{Bytes, Walk, lacks};

/// Pieces at most.
const PIECES: u8 = 4;
/// No piece of any passage.
const DEAD: u32 = u32::MAX;

/// The grammar of one answer, and where in it the text is.
pub(super) struct Spans {
    grammar: Grammar,
    state: State,
    set: SimpleVob,
}

struct Grammar {
    /// Numbers as they are written; the index is the bit.
    numbers: Vec<String>,
    texts: Automaton,
    silence: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    place: Place,
    /// Pieces that are whole.
    pieces: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a piece; a space may still come.
    Before { space: bool },
    /// Within a piece or the sentence that says nothing: what could still be either.
    Words {
        /// The piece so far, or [`DEAD`].
        piece: u32,
        /// The piece without the space that has just been written, if it may end there; else [`DEAD`].
        whole: u32,
        last: u8,
        /// Bytes that the last character still lacks.
        lacks: u8,
        /// Bytes of the fixed sentence, if it can still be that.
        silence: Option<usize>,
    },
    /// After `[`; the passages that hold the piece, one bit each.
    Mark { holds: u64, mark: Mark },
    /// After `]`.
    Marked,
    /// After the full stop.
    Whole,
}

impl Spans {
    /// Passages by number; those beyond the 64th cannot be cited.
    pub(super) fn new(trie: &TokTrie, passages: &[(usize, String)], silence: &str) -> Spans {
        let grammar = Grammar::new(passages.iter().map(|(n, text)| (*n, text.as_str())), silence);
        Spans { grammar, state: BEGIN, set: trie.alloc_token_set() }
    }

    /// The tokens that may come next; whether the text may end.
    pub(super) fn allowed(&mut self, trie: &TokTrie) -> (&mut SimpleVob, bool) {
        self.set.set_all(false);
        trie.add_bias(&mut Walk::new(&self.grammar, self.state), &mut self.set, &[]);
        (&mut self.set, self.grammar.may_end(self.state))
    }

    /// Moves past a token; false when it was not allowed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        self.grammar.read(self.state, bytes).map(|state| self.state = state).is_some()
    }
}

const BEGIN: State = State { place: Place::Before { space: false }, pieces: 0 };

impl Grammar {
    fn new<'a>(passages: impl Iterator<Item = (usize, &'a str)> + Clone, silence: &str) -> Grammar {
        Grammar {
            numbers: passages.clone().take(64).map(|(n, _)| n.to_string()).collect(),
            texts: Automaton::new(passages.map(|(_, text)| text)),
            silence: silence.as_bytes().to_vec(),
        }
    }

    fn may_end(&self, state: State) -> bool {
        match state.place {
            Place::Whole => true,
            Place::Words { silence, .. } => silence == Some(self.silence.len()),
            Place::Before { .. } | Place::Mark { .. } | Place::Marked => false,
        }
    }

    /// True where a piece that ends in `last` ends with a word or a number of some passage.
    fn is_whole(&self, piece: u32, last: u8) -> bool {
        !last.is_ascii_alphanumeric()
            || self.texts.following(piece).is_none_or(|mut next| next.any(|b| !b.is_ascii_alphanumeric()))
    }
}

impl Bytes for Grammar {
    type State = State;

    fn push(&self, state: State, byte: u8) -> Option<State> {
        let at = |place| Some(State { place, ..state });
        match state.place {
            Place::Before { space: false } if byte == b' ' => at(Place::Before { space: true }),
            Place::Before { .. } => {
                // Half a character is no piece.
                let begins = !byte.is_ascii_whitespace() && !matches!(byte, 0x80..=0xBF);
                let piece = self.texts.next(0, byte).filter(|_| begins).unwrap_or(DEAD);
                let silence = (state.pieces == 0 && self.silence.first() == Some(&byte)).then_some(1);
                (piece != DEAD || silence.is_some()).then_some(())?;
                at(Place::Words { piece, whole: DEAD, last: byte, lacks: lacks(0, byte), silence })
            }
            Place::Words { whole, .. } if byte == b'[' && whole != DEAD => {
                at(Place::Mark { holds: self.texts.texts(whole), mark: Mark::BEGIN })
            }
            Place::Words { piece, last, lacks: lacking, silence, .. } => {
                let next = if piece == DEAD { None } else { self.texts.next(piece, byte) };
                let silence = silence.filter(|&n| self.silence.get(n) == Some(&byte)).map(|n| n + 1);
                let ends = byte == b' ' && piece != DEAD && last != b' ' && lacking == 0 && self.is_whole(piece, last);
                (next.is_some() || silence.is_some() || ends).then_some(())?;
                let whole = if ends { piece } else { DEAD };
                at(Place::Words {
                    piece: next.unwrap_or(DEAD),
                    whole,
                    last: byte,
                    lacks: lacks(lacking, byte),
                    silence,
                })
            }
            Place::Mark { holds, mark } => match mark.push(&self.numbers, holds, byte)? {
                Marked::Begun(mark) => at(Place::Mark { holds, mark }),
                Marked::Whole => Some(State { place: Place::Marked, pieces: state.pieces + 1 }),
            },
            Place::Marked if byte == b'.' => at(Place::Whole),
            Place::Whole if byte == b' ' && state.pieces < PIECES => at(Place::Before { space: true }),
            Place::Marked | Place::Whole => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: &str = "이 과제는 답이 없다.";

    /// How much of a text is allowed, and whether it could end there.
    fn read(text: &str) -> (usize, bool) {
        let texts =
            [(1, "The cell held 92 % after 1500 cycles."), (12, "이 과제는 두께\n 30 µm의 막을 썼다."), (3, "cycles")];
        let grammar = Grammar::new(texts.into_iter(), SILENCE);
        let mut state = BEGIN;
        for (at, byte) in text.bytes().enumerate() {
            match grammar.push(state, byte) {
                Some(next) => state = next,
                None => return (at, false),
            }
        }
        (text.len(), grammar.may_end(state))
    }

    #[test]
    fn pieces_of_the_passages_with_a_number_of_one_that_holds_them_or_silence() {
        for good in [
            " 92 % [1].",
            "92 % [1].",
            " cycles [3].",
            " cycles [1]. 두께 30 µm [12].",
            SILENCE,
            " 이 과제는 답이 없다.",
            " 이 과제는 두께 [12].",
        ] {
            assert_eq!(read(good), (good.len(), true), "{good}");
        }
        for (bad, allowed) in [
            ("  92", 1),
            ("93", 1),
            ("92 % [12].", "92 % [1".len()),
            ("92 % [3].", "92 % [".len()),
            ("92 % [1] and", "92 % [1]".len()),
            ("92 % [01].", "92 % [".len()),
            ("held 92 %[1].", "held 92 %".len()),
            ("[1].", 0),
            ("이 과제는 답은", "이 과제는 답".len() + 2),
            // The first byte of `답` is also that of `두`.
            ("cycles [1]. 이 과제는 답", "cycles [1]. 이 과제는 ".len() + 1),
        ] {
            assert_eq!(read(bad).0, allowed, "{bad}");
        }
        assert!(!read("92 % [1]").1 && !read("92 %").1 && !read("").1, "a text ends after a full stop only");
    }

    #[test]
    fn a_piece_ends_with_its_word_and_its_number() {
        // `cycle` goes on as `cycles` everywhere, `150` as `1500`; `92` is followed by a space.
        assert_eq!(read("after 150 [1].").0, "after 150".len());
        assert_eq!(read("1500 cycle [1].").0, "1500 cycle".len());
        assert_eq!(read("held 92 [1]."), ("held 92 [1].".len(), true));
    }

    #[test]
    fn four_pieces_and_no_more() {
        let four = "92 % [1]. 92 % [1]. 92 % [1]. 92 % [1].";
        assert_eq!(read(four), (four.len(), true));
        assert_eq!(read(&format!("{four} 92 %")).0, four.len());
    }
}
