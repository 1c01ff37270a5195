//! Which tokens may come next, so that a text gets the form it must have?
//!
//! Three forms: JSON that a schema describes (llguidance's Earley parser), answers that cite passages ([`citations`], our own), and
//! answers that only copy from them ([`spans`]). All work on bytes and turn into a set of tokens through the trie of the
//! vocabulary, which is made once a model, when first needed. The set forbids; what is drawn from the rest is
//! the sampler's affair.

mod automaton;
mod citations;
mod mark;
mod spans;
mod walk;

use std::sync::{Arc, OnceLock};

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};

use crate::{LmError, Tokenizer};
use citations::{Citations, Plain};
use spans::Spans;

/// What a text must look like.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// JSON that this schema describes, without white space between its parts.
    Json(serde_json::Value),
    /// Free text in which `[n]` cites one of these passages and quotation marks hold only their words.
    Citing(Vec<(usize, String)>),
    /// Up to four pieces of these passages, each with a number, `32억 원 [2].`, or `silence` word for word.
    Copying {
        /// Passages by number.
        passages: Vec<(usize, String)>,
        /// What is written where nothing answers.
        silence: String,
    },
}

/// What grammars need to know of a vocabulary.
pub(crate) struct Grammars {
    tokenizer: Arc<Tokenizer>,
    /// Tokens that the model gives logits for.
    vocabulary: usize,
    made: OnceLock<Arc<Made>>,
}

struct Made {
    environment: TokEnv,
    plain: Plain,
    factory: Result<ParserFactory, String>,
}

/// The form of one text, and how far it has come.
pub(crate) struct Constraint {
    made: Arc<Made>,
    tokenizer: Arc<Tokenizer>,
    kind: Kind,
    set: SimpleVob,
}

enum Kind {
    Json(Box<Matcher>),
    Citing(Box<Citations>),
    Copying(Box<Spans>),
}

impl Grammars {
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, vocabulary: usize) -> Grammars {
        Grammars { tokenizer, vocabulary, made: OnceLock::new() }
    }

    /// The constraint of one text; a schema that cannot be followed is an error that says why.
    pub(crate) fn constraint(&self, form: &Form) -> Result<Constraint, LmError> {
        let made = self.made.get_or_init(|| Arc::new(Made::of(&self.tokenizer, self.vocabulary))).clone();
        let kind = match form {
            Form::Citing(passages) => Kind::Citing(Box::new(Citations::new(made.environment.tok_trie(), passages))),
            Form::Copying { passages, silence } => {
                Kind::Copying(Box::new(Spans::new(made.environment.tok_trie(), passages, silence)))
            }
            Form::Json(schema) => Kind::Json(Box::new(made.json(schema)?)),
        };
        let set = made.environment.tok_trie().alloc_token_set();
        Ok(Constraint { made, tokenizer: self.tokenizer.clone(), kind, set })
    }
}

impl Made {
    fn of(tokenizer: &Tokenizer, vocabulary: usize) -> Made {
        let words: Vec<Vec<u8>> = (0..vocabulary as u32)
            .map(|id| if tokenizer.is_end(id) { Vec::new() } else { tokenizer.bytes(id).to_vec() })
            .collect();
        let end = (0..vocabulary as u32).find(|&id| tokenizer.is_end(id)).unwrap_or(0);
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, end), &words);
        let plain = Plain::of(&trie);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let factory = ParserFactory::new_simple(&environment).map(|mut factory| {
            factory.quiet();
            factory
        });
        Made { environment, plain, factory: factory.map_err(|e| e.to_string()) }
    }

    fn json(&self, schema: &serde_json::Value) -> Result<Matcher, LmError> {
        let refused = |what: String| LmError::Sampling { field: "response_format", what };
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut() {
            // Otherwise a model may write white space until it has no tokens left.
            object.insert("x-guidance".into(), serde_json::json!({ "whitespace_flexible": false }));
        }
        let factory = self.factory.as_ref().map_err(|what| refused(what.clone()))?;
        let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        Ok(Matcher::new(Ok(parser.map_err(|e| refused(format!("this schema cannot be followed: {e}")))?)))
    }
}

impl Constraint {
    /// The tokens that may come next. There is always one: where nothing fits, the text ends.
    pub(crate) fn allowed(&mut self) -> Result<&SimpleVob, LmError> {
        let trie = self.made.environment.tok_trie();
        let may_end = match &mut self.kind {
            Kind::Citing(citations) => {
                let (set, may_end) = citations.allowed(trie, &self.made.plain);
                std::mem::swap(set, &mut self.set);
                may_end
            }
            Kind::Copying(spans) => {
                let (set, may_end) = spans.allowed(trie);
                std::mem::swap(set, &mut self.set);
                may_end
            }
            Kind::Json(matcher) => {
                let failed = |e| LmError::Compute(candle_core::Error::Msg(format!("the JSON grammar failed: {e}")));
                self.set = matcher.compute_mask_or_eos().map_err(failed)?;
                self.set.is_allowed(trie.eos_token())
            }
        };
        if may_end || self.set.is_zero() {
            self.tokenizer.ends().for_each(|id| self.set.allow_token(id));
        }
        Ok(&self.set)
    }

    /// Moves past a token that was drawn from [`Constraint::allowed`].
    pub(crate) fn take(&mut self, id: u32) -> Result<(), LmError> {
        let taken = match &mut self.kind {
            Kind::Citing(citations) => citations.take(self.tokenizer.bytes(id)),
            Kind::Copying(spans) => spans.take(self.tokenizer.bytes(id)),
            Kind::Json(matcher) => matcher.consume_token(id).is_ok(),
        };
        match taken {
            true => Ok(()),
            false => Err(candle_core::Error::Msg(format!("token {id} does not fit the form of the text")).into()),
        }
    }
}
