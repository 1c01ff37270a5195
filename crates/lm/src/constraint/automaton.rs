//! Is this a piece of one of the texts, and of which? The suffix automaton of several texts.
//!
//! Built in one pass (Blumer et al. 1985, extended to several texts by beginning each at the root); a state
//! stands for all pieces that end at the same places. Runs of white space count as one space, so that a
//! quotation may cross a line break.

/// States; 0 is the beginning.
#[derive(Debug)]
pub(super) struct Automaton {
    states: Vec<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Longest piece it stands for.
    length: usize,
    /// The state of the longest suffix that ends at more places.
    link: usize,
    next: Vec<(u8, u32)>,
    /// The texts in which it occurs.
    texts: u64,
    /// It ends one of them.
    ends: bool,
}

impl Automaton {
    /// At most 64 texts.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Automaton {
        let mut automaton = Automaton { states: vec![State::default()] };
        for (index, text) in texts.enumerate().take(64) {
            let mut last = 0;
            let mut space = true;
            for &byte in text.as_bytes() {
                let is_space = byte.is_ascii_whitespace();
                if !(is_space && space) {
                    last = automaton.extend(last, if is_space { b' ' } else { byte });
                    automaton.states[last].texts |= 1 << index;
                }
                space = is_space;
            }
            automaton.states[last].ends = true;
        }
        // A suffix occurs wherever the longer piece does.
        let mut order: Vec<usize> = (1..automaton.states.len()).collect();
        order.sort_unstable_by_key(|&state| std::cmp::Reverse(automaton.states[state].length));
        for state in order {
            let State { link, texts, ends, .. } = automaton.states[state];
            automaton.states[link].texts |= texts;
            automaton.states[link].ends |= ends;
        }
        automaton
    }

    /// The state after one more byte.
    pub(super) fn next(&self, state: u32, byte: u8) -> Option<u32> {
        self.states[state as usize].next.iter().find(|(b, _)| *b == byte).map(|(_, to)| *to)
    }

    /// The bytes that follow the piece somewhere; none where it also ends a text.
    pub(super) fn following(&self, state: u32) -> Option<impl Iterator<Item = u8>> {
        let State { next, ends, .. } = &self.states[state as usize];
        (!ends).then(|| next.iter().map(|(byte, _)| *byte))
    }

    /// The texts that hold the piece, one bit each.
    pub(super) fn texts(&self, state: u32) -> u64 {
        self.states[state as usize].texts
    }

    /// True when no text holds anything.
    pub(super) fn is_empty(&self) -> bool {
        self.states.len() == 1
    }

    fn extend(&mut self, last: usize, byte: u8) -> usize {
        if let Some(there) = self.next(last as u32, byte) {
            // An earlier text has this piece already.
            let there = there as usize;
            return if self.states[last].length + 1 == self.states[there].length {
                there
            } else {
                self.split(last, there, byte)
            };
        }
        let new = self.states.len();
        self.states.push(State { length: self.states[last].length + 1, ..State::default() });
        let mut at = last;
        loop {
            match self.next(at as u32, byte) {
                None => self.states[at].next.push((byte, new as u32)),
                Some(there) => {
                    let there = there as usize;
                    let exact = self.states[at].length + 1 == self.states[there].length;
                    self.states[new].link = if exact { there } else { self.split(at, there, byte) };
                    return new;
                }
            }
            if at == 0 {
                self.states[new].link = 0;
                return new;
            }
            at = self.states[at].link;
        }
    }

    /// Gives the shorter pieces of a state a state of their own.
    fn split(&mut self, mut at: usize, there: usize, byte: u8) -> usize {
        let copy = self.states.len();
        let length = self.states[at].length + 1;
        // Its texts, and whether it ends one, are found in the end, through the links.
        self.states.push(State { length, texts: 0, ends: false, ..self.states[there].clone() });
        self.states[there].link = copy;
        loop {
            match self.states[at].next.iter_mut().find(|(b, to)| *b == byte && *to as usize == there) {
                Some((_, to)) => *to = copy as u32,
                None => return copy,
            }
            if at == 0 {
                return copy;
            }
            at = self.states[at].link;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts_with(automaton: &Automaton, piece: &str) -> u64 {
        let end = piece.bytes().try_fold(0, |state, byte| automaton.next(state, byte));
        end.map_or(0, |state| automaton.texts(state))
    }

    proptest! {
        #[test]
        fn finds_exactly_the_texts_that_hold_a_piece(
            texts in prop::collection::vec("[ab가]{0,12}", 1..5),
            piece in "[ab가]{1,5}",
        ) {
            let automaton = Automaton::new(texts.iter().map(String::as_str));
            let expect: u64 = texts.iter().enumerate().filter(|(_, t)| t.contains(&piece)).map(|(i, _)| 1 << i).sum();
            prop_assert_eq!(texts_with(&automaton, &piece), expect);
        }
    }

    #[test]
    fn white_space_counts_once() {
        let automaton = Automaton::new(["a \n b", "c"].into_iter());
        assert_eq!((texts_with(&automaton, "a b"), texts_with(&automaton, "a  b")), (1, 0));
        assert!(Automaton::new([" "].into_iter()).is_empty());
    }

    #[test]
    fn a_long_text_that_repeats_itself_is_read_in_one_pass() {
        let text = "ab".repeat(200_000);
        let automaton = Automaton::new([text.as_str(), "ba"].into_iter());
        assert_eq!(
            (texts_with(&automaton, "ba"), texts_with(&automaton, "bab"), texts_with(&automaton, "bb")),
            (3, 1, 0)
        );
    }
}
