//! What can be measured, as `--tests` names it: `p512`, `d0`, `b8`.

use std::fmt;

use super::Failure;
use super::speed::BATCH_PROMPT;

/// A test.
#[derive(Clone, Copy)]
pub(super) enum Test {
    /// Tokens a second are counted.
    Speed(Workload),
    /// Passages of so many tokens in all that come again in another order ([`super::reuse`]).
    Reordered(usize),
}

/// What an engine has to do; numbers are tokens, those of a batch are chats.
#[derive(Clone, Copy)]
pub(super) enum Workload {
    Prefill(usize),
    Decode(usize),
    FirstToken(usize),
    Batch(usize),
    Formed(usize, Grammar),
    Quoting(usize),
    /// A chat that writes while a prompt of so many tokens is read.
    Beside(usize),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Grammar {
    Citing,
    Json,
}

impl Test {
    pub(super) fn named(name: &str) -> Result<Test, Failure> {
        let wrong = || {
            Failure::bad_input(format!(
                "test {name}: write p, d, t, c, j, q, s or r and a number of tokens, like p512, or b and up to 64 chats"
            ))
        };
        let (kind, tokens) = name.split_at_checked(1).ok_or_else(wrong)?;
        let tokens = tokens.parse().ok().filter(|&n: &usize| n <= 1 << 20).ok_or_else(wrong)?;
        Ok(Test::Speed(match kind {
            "p" if tokens > 0 => Workload::Prefill(tokens),
            "d" => Workload::Decode(tokens),
            "t" if tokens > 0 => Workload::FirstToken(tokens),
            "c" => Workload::Formed(tokens, Grammar::Citing),
            "j" => Workload::Formed(tokens, Grammar::Json),
            "q" if tokens > 0 => Workload::Quoting(tokens),
            "s" if tokens > 0 => Workload::Beside(tokens),
            "b" if (1..=64).contains(&tokens) => Workload::Batch(tokens),
            "r" if tokens >= 512 => return Ok(Test::Reordered(tokens)),
            _ => return Err(wrong()),
        }))
    }

    /// Tokens of its prompt.
    pub(super) fn size(self) -> usize {
        match self {
            Test::Speed(workload) => workload.size(),
            Test::Reordered(n) => n,
        }
    }

    /// Chats at a time.
    pub(super) fn chats(self) -> usize {
        match self {
            Test::Speed(workload) => workload.chats(),
            Test::Reordered(_) => 1,
        }
    }
}

impl Workload {
    fn size(self) -> usize {
        match self {
            Workload::Prefill(n)
            | Workload::Decode(n)
            | Workload::FirstToken(n)
            | Workload::Formed(n, _)
            | Workload::Quoting(n)
            | Workload::Beside(n) => n,
            Workload::Batch(_) => BATCH_PROMPT,
        }
    }

    pub(super) fn chats(self) -> usize {
        match self {
            Workload::Batch(n) => n,
            Workload::Beside(_) => 2,
            Workload::Prefill(_)
            | Workload::Decode(_)
            | Workload::FirstToken(_)
            | Workload::Formed(..)
            | Workload::Quoting(_) => 1,
        }
    }

    /// Whether candle's kernels, which are slow and take no drafts, are measured too.
    pub(super) fn suits_candle(self) -> bool {
        self.size() <= 128 && self.chats() == 1 && !matches!(self, Workload::Quoting(_))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workload::Prefill(n) => write!(f, "prefill {n}"),
            Workload::Decode(n) => write!(f, "decode at {n}"),
            Workload::FirstToken(n) => write!(f, "first token again {n}"),
            Workload::Batch(n) => write!(f, "batch {n}"),
            Workload::Formed(n, Grammar::Citing) => write!(f, "decode citing at {n}"),
            Workload::Formed(n, Grammar::Json) => write!(f, "decode JSON at {n}"),
            Workload::Quoting(n) => write!(f, "decode quoting {n}"),
            Workload::Beside(n) => write!(f, "decode beside {n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_named_by_a_letter_and_a_number() {
        assert!(matches!(Test::named("p128"), Ok(Test::Speed(Workload::Prefill(128)))));
        assert!(matches!(Test::named("d0"), Ok(Test::Speed(Workload::Decode(0)))));
        assert!(matches!(Test::named("t20"), Ok(Test::Speed(Workload::FirstToken(20)))));
        assert!(matches!(Test::named("b8"), Ok(Test::Speed(Workload::Batch(8)))));
        assert!(matches!(Test::named("s2048"), Ok(Test::Speed(Workload::Beside(2048)))));
        assert!(matches!(Test::named("r2048"), Ok(Test::Reordered(2048))));
        for wrong in ["", "p", "p0", "r100", "b0", "b65", "x5", "s0", "d-1", "é1", "p99999999"] {
            assert!(Test::named(wrong).is_err(), "{wrong}");
        }
    }
}
