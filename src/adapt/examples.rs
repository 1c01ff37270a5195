//! Proposals as examples: the prompt that the product itself would write, and the answer that the reader should write.
//!
//! An answer is a span of a passage with its number, `32억 원 [2].`, as `models/reader/tasks.py` has it; where a sentence was asked
//! for, the sentence. A question whose evidence the search does not find, or the window cuts away, teaches nothing and is left out.

use std::collections::BTreeSet;

use sectora_lm::lora::{Example, Lora};
use serde::Serialize;

use super::AdaptError;
use super::split::Split;
use crate::answer::Prompted;
use crate::app::App;
use crate::document::Language;
use crate::evaluate::make::Proposal;
use crate::evaluate::peer;
use crate::evaluate::statistics::Random;
use crate::generate::{Generator, PromptStyle, chat_message};
use crate::prompt;

/// An example with what it came from.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// Id of the proposal.
    pub id: String,
    /// Question.
    pub question: String,
    /// What should be written.
    pub answer: String,
    /// False where that is the abstention sentence.
    pub answerable: bool,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Passages that the search found and that were left out, since their documents are held out or are the answer's own.
    pub left_out: usize,
    #[serde(skip)]
    pub(super) example: Example,
}

/// Why proposals became no examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The search did not find the evidence, or too little of the question, so that no generator would be asked.
    pub not_found: usize,
    /// The evidence was withheld or cut away to fit the window.
    pub not_shown: usize,
    /// More tokens than `--tokens`.
    pub too_long: usize,
    /// Unanswerable ones beyond their share.
    pub beyond_share: usize,
}

/// At most this share of the examples is to be abstained from.
const UNANSWERABLE: f64 = 0.25;
/// And this share may come from questions that would be abstained from without asking any generator: they teach silence
/// where none is needed.
const UNASKED: f64 = 0.1;

/// Examples in a random order.
pub(super) fn write(app: &App, lora: &Lora, split: &Split, seed: u64) -> Result<(Vec<Written>, Skipped), AdaptError> {
    let mut skipped = Skipped::default();
    let (mut answered, mut abstained, mut unasked) = (Vec::new(), Vec::new(), Vec::new());
    for proposal in &split.learn {
        let hidden: BTreeSet<&str> = split.held_documents.iter().chain(&proposal.without).map(String::as_str).collect();
        let ask = peer::asked(app, &proposal.question, &[]);
        let prompted = app.prompted(&ask, &|p| !hidden.contains(p.source.as_str()))?;
        let answer = if proposal.answerable { answer_of(proposal, &prompted) } else { Some(abstention(proposal)) };
        let Some(answer) = answer.filter(|_| prompted.is_asked || !proposal.answerable) else {
            let found = prompted.passages.iter().any(|p| proposal.gold.iter().any(|g| g.document == p.source));
            *(if found && prompted.is_asked { &mut skipped.not_shown } else { &mut skipped.not_found }) += 1;
            continue;
        };
        let messages: Vec<_> = prompted.messages.iter().map(chat_message).collect();
        let example = lora.example(&messages, &as_written(app.generator(), &answer))?;
        if example.tokens.len() > lora.window() {
            skipped.too_long += 1;
            continue;
        }
        let written = Written {
            id: proposal.id.clone(),
            question: proposal.question.clone(),
            answer,
            answerable: proposal.answerable,
            prompt_tokens: example.from,
            left_out: prompted.left_out,
            example,
        };
        match (proposal.answerable, prompted.is_asked) {
            (true, _) => answered.push(written),
            (false, true) => abstained.push(written),
            (false, false) => unasked.push(written),
        }
    }
    let mut random = Random::new(seed);
    random.shuffle(&mut abstained);
    random.shuffle(&mut unasked);
    let room = |share: f64| (answered.len() as f64 * share / (1.0 - share)).round() as usize;
    let all = abstained.len() + unasked.len();
    // What would be put to a generator first.
    abstained.truncate(room(UNANSWERABLE));
    unasked.truncate(room(UNASKED).saturating_sub(abstained.len()));
    abstained.append(&mut unasked);
    skipped.beyond_share = all - abstained.len();
    answered.append(&mut abstained);
    random.shuffle(&mut answered);
    Ok((answered, skipped))
}

/// The small reader begins with a space, as in `models/reader/bpe.py`: what it copies is then the token that it is in its sentence.
fn as_written(generator: &dyn Generator, answer: &str) -> String {
    match generator.prompt_style() {
        PromptStyle::Reader => format!(" {answer}"),
        PromptStyle::Chat | PromptStyle::None => answer.to_owned(),
    }
}

fn abstention(proposal: &Proposal) -> String {
    prompt::abstention(Language::detect(&proposal.question)).to_owned()
}

/// The answer with the number of the first passage of its own document whose text in the prompt holds the evidence.
fn answer_of(proposal: &Proposal, prompted: &Prompted) -> Option<String> {
    let gold = proposal.gold.first()?;
    let of_document = prompted.passages.iter().zip(&prompted.texts).filter(|(p, _)| p.source == gold.document);
    let (passage, _) =
        of_document.into_iter().find(|(_, text)| text.contains(&gold.quote) && text.contains(&proposal.answer))?;
    Some(format!("{} [{}].", proposal.answer.trim_end_matches('.'), passage.n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Access, Passage};
    use crate::evaluate::dataset::Gold;

    fn prompted(texts: [&str; 2]) -> Prompted {
        let mut passages: Vec<Passage> = texts.iter().zip(1..).map(|(t, n)| Passage::whole(n, "T", t)).collect();
        passages[0].source = "other.md".into();
        passages[1].source = "a.md".into();
        let texts = texts.iter().map(|t| (*t).to_owned()).collect();
        Prompted { messages: vec![], texts, left_out: 0, is_asked: true, passages }
    }

    #[test]
    fn an_answer_is_a_span_that_the_prompt_shows_with_the_number_of_its_own_passage() {
        let proposal = Proposal {
            id: "m1".into(),
            question: "수율은 얼마인가?".into(),
            language: Language::Ko,
            answerable: true,
            kind: "number".into(),
            answer: "91 %".into(),
            must_include: vec![],
            gold: vec![Gold { document: "a.md".into(), quote: "수율은 91 %였다.".into() }],
            without: vec![],
            access: Access::Public,
        };
        let shown = prompted(["수율은 91 %였다.", "늦게 열렸다.\n수율은 91 %였다."]);
        assert_eq!(answer_of(&proposal, &shown).as_deref(), Some("91 % [2]."), "the other document says it too");
        assert_eq!(answer_of(&proposal, &prompted(["수율은 91 %였다.", "늦게 열렸다."])), None, "cut away");
        let sentence = Proposal { answer: "수율은 91 %였다.".into(), ..proposal };
        assert_eq!(answer_of(&sentence, &shown).as_deref(), Some("수율은 91 %였다 [2]."));
        assert_eq!(abstention(&sentence), "이 분야의 문서에서 답을 찾지 못했습니다.");
    }
}
