//! What of a text may be released, and why.
//!
//! In: any text and a [`Policy`]. Out: [`find`]s every passage that names or describes a person ([`Finding`]: where, what, by which rule, how
//! sure), [`redact`]s what the policy does not release, and [`decide`]s part by part, each "no" with its reason code, the provision it rests
//! on and the words that triggered it. Everything is a rule that can be read here; no model takes part, and a person decides.
//!
//! ```
//! use sectora::release::{Policy, redact};
//! let redacted = redact("담당: 김하늘 선임 (010-2345-6789)", &Policy::default());
//! assert_eq!(redacted.text, "담당: [PERSON 1] 선임 ([PHONE])");
//! ```
//!
//! Knows nothing of indexes, questions or HTTP. What it calls personal, and under which provision, is in `label.rs`; `docs/release.md` says it
//! in words.

mod decide;
mod find;
mod label;
mod names;
mod numbers;
mod places;
mod policy;
mod redact;
mod report;
mod whose;

pub use decide::{Decision, Outcome, Part, Reason, decide};
pub use find::{Finding, find};
pub use label::{Basis, Label};
pub use policy::{Action, Policy, PolicyError, Table};
pub use redact::{Redacted, Shown, redact};
pub use report::{DecisionReport, PartReport, ReasonReport, RedactedReport, SpanReport};
