//! The span reader: where in a sentence is the answer to a question, or is it not there?
//!
//! A small transformer over the vectors of the encoder inside the program, trained by this project (`models/span/`: weights,
//! data, training program, figures). In: a question, and sentences with what stands above them. Out: for each the likeliest
//! place of the answer in it, and how much likelier that is than that it is not there.
//!
//! ```
//! use sectora::embed::SpanReader;
//! let reader = SpanReader::embedded()?;
//! let sentence = "The pilot line was opened by Hana Kovacs on 4 May 2021 in Lisbon.";
//! let found = &reader.read("Who opened the pilot line?", &[("Annual report", sentence)])?[0];
//! assert_eq!(&sentence[found.span.clone()], "Hana Kovacs");
//! # Ok::<(), sectora::embed::EmbedError>(())
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::ops::rms_norm;
use unicode_normalization::UnicodeNormalization;

use super::batch::{Batch, Tokens};
use super::layers::{Linear, Rope, attention, look_up};
use super::ops::{self, Activation, Sight};
use super::{EmbedError, Embedder, StaticModel, dot};

static WEIGHTS: &[u8] = include_bytes!("../../models/span/weights.safetensors");

/// Characters that are tokens beside the encoder's pieces, in the order of their ids.
const MARKS: &str = ".,:;%()[]\"'/-~+=·°<>|&?!℃";
/// Tokens that are read of a question with one sentence.
const LONGEST: usize = 256;
/// Tokens of an answer.
const LONGEST_ANSWER: usize = 40;
const HEAD: usize = 32;
const THETA: f64 = 1000.0;
const EPS: f32 = 1e-6;

/// Where an answer stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Bytes of the sentence; empty for one without a token.
    pub span: Range<usize>,
    /// Logarithm of how many times likelier this place is than "not here".
    pub margin: f32,
}

/// The model inside the program.
pub struct SpanReader {
    pieces: StaticModel,
    /// Row of a token's own vector.
    own: HashMap<u32, u32>,
    ids: Ids,
    /// Pieces that are digits.
    digits: Range<u32>,
    model: Model,
}

struct Model {
    own: Tensor,
    take: Linear,
    features: Linear,
    blocks: Vec<Block>,
    norm: Tensor,
    head: Linear,
}

struct Block {
    attention_norm: Tensor,
    qkv: Linear,
    attended: Linear,
    norm: Tensor,
    up: Linear,
    down: Linear,
}

/// What a token stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Question,
    Heading,
    Sentence,
}

/// A token of one of the three.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    id: u32,
    /// Bytes of its own text; empty for what marks the beginning of one.
    place: Range<usize>,
    /// A space, or the beginning, stands before it.
    apart: bool,
    segment: Segment,
}

/// Ids behind the pieces.
struct Ids {
    begin: u32,
    next: u32,
    unknown: u32,
    other: u32,
    marks: u32,
}

impl Ids {
    fn behind(pieces: u32) -> Ids {
        Ids { begin: pieces, next: pieces + 1, unknown: pieces + 2, other: pieces + 3, marks: pieces + 4 }
    }
}

impl SpanReader {
    /// The model inside the program. The first call reads it (milliseconds).
    pub fn embedded() -> std::result::Result<&'static SpanReader, EmbedError> {
        static READER: OnceLock<std::result::Result<SpanReader, String>> = OnceLock::new();
        let reader = READER.get_or_init(|| {
            let pieces = StaticModel::embedded().map_err(|e| e.to_string())?;
            SpanReader::load(pieces, WEIGHTS).map_err(|e| e.to_string())
        });
        reader.as_ref().map_err(|what| EmbedError::Load { folder: "models/span".into(), what: what.clone() })
    }

    fn load(pieces: StaticModel, weights: &[u8]) -> Result<SpanReader> {
        let device = Device::Cpu;
        let tensors = candle_core::safetensors::load_buffer(weights, &device)?;
        let known = tensors.get("known").map_or_else(|| bail!("no tensor `known`"), |t| t.to_vec1::<u32>())?;
        let tensors = tensors.into_iter().filter(|(name, _)| name != "known");
        let tensors =
            tensors.map(|(name, t)| Ok((name, t.to_dtype(DType::F32)?))).collect::<Result<HashMap<_, _>>>()?;
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &device);
        let digits = ["0", "9"].map(|digit| pieces.row(digit).unwrap_or(0));
        let model = Model::load(&vb, known.len() + 1, pieces.dim())?;
        let own = known.into_iter().zip(0..).collect();
        Ok(SpanReader { ids: Ids::behind(pieces.len()), digits: digits[0]..digits[1] + 1, pieces, own, model })
    }

    /// For each sentence, given with the headings and whatever else stands above it: where the answer is likeliest.
    pub fn read(&self, question: &str, sentences: &[(&str, &str)]) -> std::result::Result<Vec<Found>, EmbedError> {
        let texts: Vec<Vec<Token>> =
            sentences.iter().map(|(above, sentence)| self.tokens(question, above, sentence)).collect();
        self.run(&texts).map_err(|e| EmbedError::Compute { id: "span".into(), texts: texts.len(), what: e.to_string() })
    }

    fn run(&self, texts: &[Vec<Token>]) -> Result<Vec<Found>> {
        let scores = self.scores(texts)?;
        let mut scores = scores.as_slice();
        let found = texts.iter().map(|text| {
            let (own, later) = scores.split_at(text.len());
            scores = later;
            likeliest(text, own)
        });
        Ok(found.collect())
    }

    /// `[tokens, 2]`: how likely an answer begins and ends at each.
    fn scores(&self, texts: &[Vec<Token>]) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let last = self.own.len() as u32;
        let packed: Vec<Tokens> = texts
            .iter()
            .map(|text| Tokens {
                ids: text.iter().map(|t| self.own.get(&t.id).copied().unwrap_or(last)).collect(),
                ..Tokens::default()
            })
            .collect();
        let directions: Vec<f32> = texts.iter().flatten().flat_map(|t| self.pieces.direction(t.id)).collect();
        let width = self.pieces.dim();
        let mut features = Vec::with_capacity(directions.len() / width * FEATURES);
        let mut at = 0;
        for text in texts {
            self.features(text, &directions[at * width..][..text.len() * width], &mut features);
            at += text.len();
        }
        let directions = Tensor::from_vec(directions, (at, width), &Device::Cpu)?;
        let features = Tensor::from_vec(features, (at, FEATURES), &Device::Cpu)?;
        self.model.forward(&Batch::new(&packed), &directions, &features)?.to_vec2()
    }

    /// What each token has to do with the other side, where it stands and what it is.
    fn features(&self, text: &[Token], directions: &[f32], out: &mut Vec<f32>) {
        let width = self.pieces.dim();
        let direction = |i: usize| &directions[i * width..][..width];
        let ids = &self.ids;
        for (i, token) in text.iter().enumerate() {
            let asked = token.segment == Segment::Question;
            let others =
                || text.iter().enumerate().skip(1).filter(|(_, o)| i > 0 && (o.segment == Segment::Question) != asked);
            let same = others().any(|(_, other)| other.id == token.id);
            let near = others().map(|(j, _)| dot(direction(i), direction(j))).fold(0.0, f32::max);
            let is = |yes: bool| f32::from(u8::from(yes));
            let segment = [Segment::Question, Segment::Heading, Segment::Sentence].map(|s| is(token.segment == s));
            out.extend([is(same), near]);
            out.extend(segment);
            out.extend([is(token.apart), is(self.digits.contains(&token.id)), is(token.id >= ids.marks)]);
        }
    }

    fn tokens(&self, question: &str, above: &str, sentence: &str) -> Vec<Token> {
        let ids = &self.ids;
        let begins = |id, segment| Token { id, place: 0..0, apart: true, segment };
        let mut question = self.tokens_of(question, Segment::Question);
        let mut sentence = self.tokens_of(sentence, Segment::Sentence);
        let mut above = self.tokens_of(above, Segment::Heading);
        question.truncate(LONGEST / 2 - 3);
        sentence.truncate(LONGEST - 3 - question.len());
        above.truncate(LONGEST - 3 - question.len() - sentence.len());
        let mut text = vec![begins(ids.begin, Segment::Question)];
        text.append(&mut question);
        text.push(begins(ids.next, Segment::Heading));
        text.append(&mut above);
        text.push(begins(ids.next, Segment::Sentence));
        text.append(&mut sentence);
        text
    }

    /// The pieces of a text with their bytes; marks and characters that are no piece are tokens too.
    fn tokens_of(&self, text: &str, segment: Segment) -> Vec<Token> {
        let ids = &self.ids;
        // The folded text, and for each of its bytes the character it came from.
        let (mut folded, mut from) = (String::new(), Vec::new());
        for (start, original) in text.char_indices() {
            let end = start + original.len_utf8();
            for c in std::iter::once(original).nfkc().flat_map(char::to_lowercase) {
                folded.push(c);
                from.resize(folded.len(), start..end);
            }
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut ended = 0;
        self.pieces.each_piece(&folded, |row, place| {
            let first = folded[place.clone()].chars().next().unwrap_or(' ');
            if first.is_whitespace() {
                return;
            }
            let id = row.unwrap_or_else(|| match MARKS.chars().position(|mark| mark == first) {
                Some(mark) => ids.marks + mark as u32,
                None if first.is_alphanumeric() => ids.unknown,
                None => ids.other,
            });
            let apart = tokens.is_empty() || folded[ended..place.start].contains(char::is_whitespace);
            ended = place.end;
            tokens.push(Token { id, place: from[place.start].start..from[place.end - 1].end, apart, segment });
        });
        tokens
    }
}

/// Same piece, nearest; three segments; apart; digit, mark.
const FEATURES: usize = 8;

/// The place whose begin and end together score highest, against the first token's.
fn likeliest(text: &[Token], scores: &[Vec<f32>]) -> Found {
    let nowhere = scores[0][0] + scores[0][1];
    let inside = |i: &usize| text[*i].segment == Segment::Sentence && !text[*i].place.is_empty();
    let mut best: Option<(f32, usize, usize)> = None;
    for start in (0..text.len()).filter(inside) {
        for end in (start..text.len().min(start + LONGEST_ANSWER)).filter(inside) {
            let score = scores[start][0] + scores[end][1];
            if best.is_none_or(|(most, ..)| score > most) {
                best = Some((score, start, end));
            }
        }
    }
    match best {
        Some((score, start, end)) => {
            Found { span: text[start].place.start..text[end].place.end, margin: score - nowhere }
        }
        None => Found { span: 0..0, margin: f32::NEG_INFINITY },
    }
}

impl Model {
    fn load(vb: &VarBuilder<'_>, own: usize, width: usize) -> Result<Model> {
        let hidden = vb.get_unchecked("norm.weight")?.dim(0)?;
        let own = vb.get((own, hidden), "own.weight")?;
        let mut blocks = Vec::new();
        while vb.contains_tensor(&format!("blocks.{}.qkv.weight", blocks.len())) {
            let vb = vb.pp("blocks").pp(blocks.len());
            blocks.push(Block {
                attention_norm: vb.get(hidden, "attention_norm.weight")?,
                qkv: Linear::load(&vb, "qkv", hidden, 3 * hidden, false)?,
                attended: Linear::load(&vb, "out", hidden, hidden, false)?,
                norm: vb.get(hidden, "inner_norm.weight")?,
                up: Linear::load(&vb, "up", hidden, 4 * hidden, false)?,
                down: Linear::load(&vb, "down", 2 * hidden, hidden, false)?,
            });
        }
        Ok(Model {
            own,
            take: Linear::load(vb, "take", width, hidden, false)?,
            features: Linear::load(vb, "features", FEATURES, hidden, true)?,
            blocks,
            norm: vb.get(hidden, "norm.weight")?,
            head: Linear::load(vb, "head", hidden, 2, true)?,
        })
    }

    /// `[tokens, 2]`: how likely an answer begins and ends at each.
    fn forward(&self, batch: &Batch, directions: &Tensor, features: &Tensor) -> Result<Tensor> {
        let width = directions.dim(1)? as f64;
        let taken = (self.take.product(directions)? * width.sqrt())?;
        let mut x = ((taken + look_up(&self.own, &batch.ids)?)? + self.features.forward(features)?)?;
        let heads = x.dim(1)? / HEAD;
        let rope = Rope::new(batch, HEAD, THETA, x.device())?;
        for block in &self.blocks {
            let qkv = block.qkv.product(&rms_norm(&x, &block.attention_norm, EPS)?)?;
            let attended = attention(&qkv, batch, heads, Some(&rope), Sight::All)?;
            x = (x + block.attended.product(&attended)?)?;
            let inner = block.up.product(&rms_norm(&x, &block.norm, EPS)?)?;
            x = (x + block.down.product(&ops::gate(&inner, Activation::Silu)?)?)?;
        }
        self.head.forward(&rms_norm(&x, &self.norm, EPS)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// What PyTorch reads with the same weights (`models/span/reference.py`).
    #[derive(Deserialize)]
    struct Reference {
        question: String,
        above: String,
        sentence: String,
        ids: Vec<u32>,
        scores: Vec<Vec<f32>>,
        words: String,
        margin: f32,
    }

    fn references() -> Vec<Reference> {
        serde_json::from_str(include_str!("../../models/span/reference.json")).unwrap()
    }

    #[test]
    fn it_reads_as_pytorch_does() {
        let reader = SpanReader::embedded().unwrap();
        for r in references() {
            let text = reader.tokens(&r.question, &r.above, &r.sentence);
            assert_eq!(text.iter().map(|t| t.id).collect::<Vec<_>>(), r.ids, "{}", r.sentence);
            let found = reader.read(&r.question, &[(&r.above, &r.sentence)]).unwrap().remove(0);
            assert_eq!(r.sentence[found.span], r.words);
            assert!((found.margin - r.margin).abs() < 0.01, "{} {}", found.margin, r.margin);
            // Where no answer can begin or end, the reference says so little that no figure is compared.
            let scores = reader.scores(std::slice::from_ref(&text)).unwrap();
            for (own, theirs) in scores.iter().zip(&r.scores).filter(|(_, theirs)| theirs[0] > -1000.0) {
                assert!(own.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 0.01), "{own:?} {theirs:?}");
            }
        }
    }

    #[test]
    fn a_sentence_is_read_the_same_among_others() {
        let reader = SpanReader::embedded().unwrap();
        let references = references();
        let question = &references[1].question;
        let pairs: Vec<(&str, &str)> = references.iter().map(|r| (r.above.as_str(), r.sentence.as_str())).collect();
        let together = reader.read(question, &pairs).unwrap();
        for (pair, among) in pairs.iter().zip(together) {
            let alone = reader.read(question, &[*pair]).unwrap().remove(0);
            assert_eq!(alone.span, among.span);
            assert!((alone.margin - among.margin).abs() < 1e-3);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_an_empty_one_has_no_answer() {
        let reader = SpanReader::embedded().unwrap();
        let long = "The line was opened in Lisbon by her. ".repeat(100);
        let found = reader.read(&long, &[(&long, &long), ("", "")]).unwrap();
        assert!(found[0].margin.is_finite() && found[0].span.end <= long.len());
        assert_eq!(found[1], Found { span: 0..0, margin: f32::NEG_INFINITY });
        assert!(reader.read("Who?", &[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_text_has_a_place_within_it(question in "\\PC{0,40}", above in "\\PC{0,30}", sentence in "\\PC{0,80}") {
            let found = SpanReader::embedded().unwrap().read(&question, &[(&above, &sentence)]).unwrap().remove(0);
            prop_assert!(sentence.get(found.span.clone()).is_some());
            prop_assert_eq!(found.span.is_empty(), found.margin == f32::NEG_INFINITY);
        }
    }
}
