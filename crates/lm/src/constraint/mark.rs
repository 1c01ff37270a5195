//! The number of a passage between `[` and `]`, byte after byte.

/// A mark that has begun: the digits so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    number: u32,
    digits: u8,
}

/// A mark after one more byte.
pub(super) enum Marked {
    Begun(Mark),
    Whole,
}

impl Mark {
    /// Right after `[`.
    pub(super) const BEGIN: Mark = Mark { number: 0, digits: 0 };

    /// After one more byte; none where no passage of `open` (one bit each, by place in `numbers`) has a number that begins so.
    pub(super) fn push(self, numbers: &[String], open: u64, byte: u8) -> Option<Marked> {
        let mut open = numbers.iter().enumerate().filter(|(bit, _)| open >> bit & 1 == 1).map(|(_, n)| n);
        match byte {
            b']' if self.digits > 0 => {
                let number = self.number.to_string();
                open.any(|n| *n == number).then_some(Marked::Whole)
            }
            b'0'..=b'9' if self.digits < 9 => {
                let next = Mark { number: self.number * 10 + u32::from(byte - b'0'), digits: self.digits + 1 };
                let begun = next.number.to_string();
                // Leading zeros are no number: `01` is not `1`.
                let sound = begun.len() == usize::from(next.digits) && open.any(|n| n.starts_with(&begun));
                sound.then_some(Marked::Begun(next))
            }
            _ => None,
        }
    }
}
