//! What may come next in an answer that cites numbered passages?
//!
//! After `[` only the number of a passage, then `]`. Within quotation marks (`"…"`, `“…”`, `「…」`) only words
//! of the passages, and then only numbers of those that hold every quotation since the last mark. Everything
//! else is free. A `"` right after a digit is a measure in inches and opens nothing.
//!
//! The grammar works on bytes; a token is allowed when all its bytes are. Outside of marks and quotations nearly
//! every token is, so only those with a character that matters are tried one by one; within them the trie of
//! the vocabulary is walked, which ends early because few bytes are allowed.

use toktrie::{SimpleVob, TokTrie};

use super::automaton::Automaton;
use super::mark::{Mark, Marked};
use super::walk::{Bytes, Walk, lacks};

/// What begins a mark or a quotation.
const OPENERS: [&str; 4] = ["[", "\"", "“", "「"];
const CLOSERS: [&[u8]; 3] = [b"\"", "”".as_bytes(), "」".as_bytes()];
/// No piece of any passage.
const DEAD: u32 = u32::MAX;

/// The tokens that mean nothing to the grammar, and those that do.
pub(super) struct Plain {
    allowed: SimpleVob,
    others: Vec<u32>,
}

impl Plain {
    pub(super) fn of(trie: &TokTrie) -> Plain {
        let mut plain = Plain { allowed: trie.alloc_token_set(), others: Vec::new() };
        for id in 0..trie.vocab_size() as u32 {
            let bytes = trie.token(id);
            let Some(first) = bytes.first() else { continue };
            let opens = OPENERS.iter().any(|opener| bytes.windows(opener.len()).any(|w| w == opener.as_bytes()));
            // The rest of `“` or of `「` that the token before began.
            match opens || matches!(first, 0x80 | 0x8C | 0x9C) {
                true => plain.others.push(id),
                false => plain.allowed.allow_token(id),
            }
        }
        plain
    }
}

/// The grammar of one answer, and where in it the text is.
pub(super) struct Citations {
    passages: Passages,
    state: State,
    set: SimpleVob,
    /// The tokens allowed in free text, and for which of its states: most tokens of a text leave them as they are.
    free: SimpleVob,
    free_for: Option<(u64, bool, u8)>,
}

struct Passages {
    /// Numbers as they are written; the index is the bit.
    numbers: Vec<String>,
    texts: Automaton,
}

/// Where a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    mode: Mode,
    /// The last two bytes.
    tail: [u8; 2],
    /// The passages that hold every quotation since the last mark.
    open: u64,
    /// A mark has just ended.
    marked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    /// After `[`.
    Mark(Mark),
    Quote(Quote),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quote {
    /// Which of [`CLOSERS`] ends it.
    closer: u8,
    /// Bytes of the closer so far.
    closing: u8,
    /// The piece so far, or [`DEAD`].
    piece: u32,
    /// The piece before the closer began.
    before: u32,
    /// Bytes that the last character still lacks.
    lacks: u8,
}

impl Citations {
    /// Passages by number; those beyond the 64th cannot be cited.
    pub(super) fn new(trie: &TokTrie, passages: &[(usize, String)]) -> Citations {
        let passages = Passages {
            numbers: passages.iter().take(64).map(|(n, _)| n.to_string()).collect(),
            texts: Automaton::new(passages.iter().map(|(_, text)| text.as_str())),
        };
        let open = passages.all();
        let state = State { mode: Mode::Text, tail: [0; 2], open, marked: false };
        let (set, free) = (trie.alloc_token_set(), trie.alloc_token_set());
        Citations { passages, state, set, free, free_for: None }
    }

    /// The tokens that may come next; whether the text may end.
    pub(super) fn allowed(&mut self, trie: &TokTrie, plain: &Plain) -> (&mut SimpleVob, bool) {
        let Citations { passages, state, set, free, free_for } = self;
        if state.mode == Mode::Text {
            let now = Some((state.open, state.marked, ending(state.tail)));
            if *free_for != now {
                free.set_from(&plain.allowed);
                let fits = |id: &&u32| passages.read(*state, trie.token(**id)).is_some();
                plain.others.iter().filter(fits).for_each(|&id| free.allow_token(id));
                *free_for = now;
            }
            set.set_from(free);
        } else {
            set.set_all(false);
            trie.add_bias(&mut Walk::new(passages, *state), set, &[]);
        }
        (set, self.state.mode == Mode::Text)
    }

    /// Moves past a token; false when it was not allowed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        match self.passages.read(self.state, bytes) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }
}

/// What of the last two bytes matters to the next: a digit, or the beginning of `“` or of `「`.
fn ending(tail: [u8; 2]) -> u8 {
    match tail {
        [_, b'0'..=b'9'] => 1,
        [0xE2, 0x80] => 2,
        [0xE3, 0x80] => 3,
        [_, 0xE2] => 4,
        [_, 0xE3] => 5,
        _ => 0,
    }
}

impl Passages {
    fn all(&self) -> u64 {
        match self.numbers.len() {
            64 => u64::MAX,
            count => (1 << count) - 1,
        }
    }

    fn text(&self, mut next: State, tail: [u8; 2], byte: u8) -> Option<State> {
        if next.marked && !matches!(byte, b' ' | b'[' | b'.' | b',') {
            (next.marked, next.open) = (false, self.all());
        }
        let closer = match (tail, byte) {
            (_, b'[') => {
                next.mode = Mode::Mark(Mark::BEGIN);
                return (next.open != 0).then_some(next);
            }
            ([_, b'0'..=b'9'], b'"') => return Some(next),
            (_, b'"') => 0,
            ([0xE2, 0x80], 0x9C) => 1,
            ([0xE3, 0x80], 0x8C) => 2,
            _ => return Some(next),
        };
        next.mode = Mode::Quote(Quote { closer, closing: 0, piece: 0, before: 0, lacks: 0 });
        (!self.texts.is_empty()).then_some(next)
    }

    /// The quotation after one more byte, which may belong to its words, to what closes it, or to both so far.
    fn quote(&self, quote: Quote, byte: u8) -> Option<Quote> {
        if quote.piece == 0 && matches!(byte, 0x80..=0xBF) {
            // Half a character is no word of a passage.
            return None;
        }
        let closer = CLOSERS[usize::from(quote.closer)];
        let piece = if quote.piece == DEAD { None } else { self.texts.next(quote.piece, byte) };
        let (closing, before) = if closer[usize::from(quote.closing)] == byte && quote.closing > 0 {
            (quote.closing + 1, quote.before)
        } else if closer[0] == byte && quote.lacks == 0 && quote.piece != 0 && quote.piece != DEAD {
            (1, quote.piece)
        } else {
            (0, 0)
        };
        if piece.is_none() && closing == 0 {
            return None;
        }
        let lacks = lacks(quote.lacks, byte);
        Some(Quote { closing, before, piece: piece.unwrap_or(DEAD), lacks, ..quote })
    }
}

impl Bytes for Passages {
    type State = State;

    fn push(&self, state: State, byte: u8) -> Option<State> {
        let State { mode, tail, open, marked } = state;
        let next = State { tail: [tail[1], byte], ..state };
        match mode {
            Mode::Text => self.text(next, tail, byte),
            Mode::Mark(mark) => Some(match mark.push(&self.numbers, open, byte)? {
                Marked::Begun(mark) => State { mode: Mode::Mark(mark), ..next },
                Marked::Whole => State { mode: Mode::Text, marked: true, ..next },
            }),
            Mode::Quote(quote) => {
                let moved = self.quote(quote, byte)?;
                let closed = usize::from(moved.closing) == CLOSERS[usize::from(moved.closer)].len();
                if !closed {
                    return Some(State { mode: Mode::Quote(moved), ..next });
                }
                let texts = self.texts.texts(moved.before);
                // Quotations of different passages before one mark: the mark is the last one's.
                let open = if open & texts == 0 { texts } else { open & texts };
                Some(State { mode: Mode::Text, open, marked, ..next })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages() -> Passages {
        let texts =
            [(1, "The cell held 92 % after 500 cycles."), (12, "전해질은 “황화물”이다.\n두께는 30 µm"), (3, "cycles")];
        Passages {
            numbers: texts.iter().map(|(n, _)| n.to_string()).collect(),
            texts: Automaton::new(texts.iter().map(|(_, text)| *text)),
        }
    }

    /// How much of a text is allowed, and whether it could end there.
    fn read(text: &str) -> (usize, bool) {
        let passages = passages();
        let mut state = State { mode: Mode::Text, tail: [0; 2], open: passages.all(), marked: false };
        for (at, byte) in text.bytes().enumerate() {
            match passages.push(state, byte) {
                Some(next) => state = next,
                None => return (at, false),
            }
        }
        (text.len(), state.mode == Mode::Text)
    }

    #[test]
    fn after_a_bracket_only_the_numbers_of_passages_follow() {
        for good in ["It holds [1].", "It holds [12][3] well.", "free 한글 text: 5 %"] {
            assert_eq!(read(good), (good.len(), true), "{good}");
        }
        for (bad, allowed) in [("x [2]", 3), ("x [1 ", 4), ("x [01]", 3), ("x [123]", 5), ("x []", 3), ("x [a]", 3)] {
            assert_eq!(read(bad).0, allowed, "{bad}");
        }
        assert_eq!(read("x [1"), (4, false), "a text cannot end within a mark");
    }

    #[test]
    fn a_quotation_holds_only_words_of_passages_and_then_only_their_numbers_follow() {
        for good in [
            "\"held 92 % after\" [1]",
            "“전해질은” [12]",
            "「두께는」 [12]",
            "“다. 두께는” [12]",
            "“은 “황화물”이다.” [12]",
        ] {
            assert_eq!(read(good), (good.len(), true), "{good}");
        }
        for (bad, allowed) in [
            ("\"held 93 %\"", "\"held 9".len()),
            ("\"\"", 1),
            ("\"92 %\" [12]", "\"92 %\" [1".len()),
            ("\"92 %\" [3]", "\"92 %\" [".len()),
            ("“전해질이” [12]", "“전해질".len() + 2),
        ] {
            assert_eq!(read(bad).0, allowed, "{bad}");
        }
        assert_eq!(read("\"cycles\" [3]"), (12, true));
        assert_eq!(read("\"cycles\" [1]"), (12, true), "two passages hold it");
        assert!(read("\"92 %\" holds [1], later [12]").1, "a mark ends what a quotation asks for");
        assert_eq!(read("\"92 %"), (5, false), "a text cannot end within a quotation");
        assert!(read("a 5\" wafer").1);
    }

    #[test]
    fn tokens_are_allowed_when_all_their_bytes_are_in_every_state() {
        let words: Vec<Vec<u8>> = (0..=255u8)
            .map(|byte| vec![byte])
            .chain(
                [
                    " [1", "[1]", "[2]", "1]", "12]", "] [", "\"92", "\"93", " %\" [1]", "x\"", "“전", "」 [", "held",
                    "abc",
                ]
                .map(|w| w.into()),
            )
            .chain([Vec::new()])
            .collect();
        let info = toktrie::TokRxInfo::new(words.len() as u32, words.len() as u32 - 1);
        let trie = TokTrie::from(&info, &words);
        let plain = Plain::of(&trie);
        // One for all, so that what it remembers of free text is tried too.
        let mut citations = Citations::new(&trie, &[]);
        citations.passages = passages();
        citations.state.open = citations.passages.all();
        let fresh = citations.state;
        for begun in [
            "",
            "x",
            "5",
            "y",
            "\"92 %\" ",
            "\"92 %\" [1]",
            "\u{201c}은 ",
            "x [",
            "x [1",
            "\"",
            "\"92",
            "“",
            "“전",
            "「두께는",
            "\"92 %\" ",
            "\"cycles\" [",
            "5",
            "\u{201c}은 \u{201c}",
        ] {
            citations.state = fresh;
            assert!(citations.take(begun.as_bytes()), "{begun}");
            let state = citations.state;
            let expect: Vec<bool> =
                words.iter().map(|word| !word.is_empty() && citations.passages.read(state, word).is_some()).collect();
            let (set, _) = citations.allowed(&trie, &plain);
            let found: Vec<bool> = (0..words.len()).map(|id| set.get(id)).collect();
            assert_eq!(found, expect, "{begun}");
            assert!(found.iter().any(|&allowed| allowed), "{begun}");
        }
    }
}
