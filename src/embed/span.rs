//! The span reader: where in a sentence is the answer to a question, or is it not there?
//!
//! The lower layers of multilingual-e5-small with the pieces of Korean and English, taught to read by this project
//! (`models/span/`: weights, data, training program, figures). In: a question, and sentences with what stands above them.
//! Out: for each the likeliest place of the answer in it, and how much likelier that is than that it is not there.
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
use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Result, bail};
use candle_nn::VarBuilder;
use sectora_lm::Products;
use tokenizers::Tokenizer;

use super::EmbedError;
use super::batch::{Batch, Tokens, runs};
use super::bert::{self, Bert};
use super::layers::Linear;

static WEIGHTS: &[u8] = include_bytes!("../../models/span/model.gguf");
static CONFIG: &str = include_str!("../../models/span/config.json");
static PIECES: &[u8] = include_bytes!("../../models/span/tokenizer.json");

/// Tokens that are read of a question with one sentence.
const LONGEST: usize = 256;
/// Tokens of an answer.
const LONGEST_ANSWER: usize = 40;
/// Tokens that are computed at once.
const RUN_TOKENS: usize = 2048;

/// The first token, which also stands for "not here", and the one behind each text.
const BEGIN: u32 = 0;
const NEXT: u32 = 2;

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
    tokenizer: Tokenizer,
    model: Bert,
    /// How likely an answer begins, and ends, at a token.
    head: Linear,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    id: u32,
    /// Bytes of its text, without the space before.
    place: Range<usize>,
}

/// A question with one sentence.
struct Pair {
    tokens: Tokens,
    /// The first token of the sentence.
    first: usize,
    /// Bytes of the sentence that its tokens stand for.
    places: Vec<Range<usize>>,
}

impl SpanReader {
    /// The model inside the program, with its products on every processor. The first call reads it (a fraction of a second).
    pub fn embedded() -> std::result::Result<&'static SpanReader, EmbedError> {
        static READER: OnceLock<std::result::Result<SpanReader, String>> = OnceLock::new();
        let reader = READER.get_or_init(|| {
            let mut reader = SpanReader::load(WEIGHTS).map_err(|e| e.to_string())?;
            // A question must not be answered on one machine and not on another.
            let products = Arc::new(Products::of_integers(0));
            reader.model.linears().try_for_each(|l| l.round(&products)).map_err(|e| e.to_string())?;
            Ok(reader)
        });
        reader.as_ref().map_err(|what| EmbedError::Load { folder: "models/span".into(), what: what.clone() })
    }

    fn load(weights: &[u8]) -> Result<SpanReader> {
        let Ok(config) = serde_json::from_str::<bert::Config>(CONFIG) else { bail!("config.json is none of a BERT") };
        let Ok(tokenizer) = Tokenizer::from_bytes(PIECES) else { bail!("tokenizer.json is none") };
        let device = Device::Cpu;
        let mut file = Cursor::new(weights);
        let content = Content::read(&mut file)?;
        let tensors = content.tensor_infos.keys().map(|name| {
            let tensor = content.tensor(&mut file, name, &device)?.dequantize(&device)?;
            Ok((name.clone(), tensor))
        });
        let vb = VarBuilder::from_tensors(tensors.collect::<Result<HashMap<_, _>>>()?, DType::F32, &device);
        let head = Linear::load(&vb, "head", config.hidden_size, 2, true)?;
        Ok(SpanReader { model: Bert::load(&vb, &config)?, head, tokenizer })
    }

    /// For each sentence, given with the headings and whatever else stands above it: where the answer is likeliest.
    pub fn read(&self, question: &str, sentences: &[(&str, &str)]) -> std::result::Result<Vec<Found>, EmbedError> {
        let failed = |what: String| EmbedError::Compute { id: "span".into(), texts: sentences.len(), what };
        let asked = self.tokens(question).map_err(failed)?;
        let pairs = sentences.iter().map(|(above, sentence)| self.pair(&asked, above, sentence));
        let pairs: Vec<Pair> = pairs.collect::<std::result::Result<_, _>>().map_err(failed)?;
        let texts: Vec<Tokens> = pairs.iter().map(|pair| pair.tokens.clone()).collect();
        let mut scores = Vec::with_capacity(texts.len());
        for run in runs(&texts, RUN_TOKENS) {
            scores.extend(self.scores(run).map_err(|e| failed(e.to_string()))?);
        }
        Ok(pairs.iter().zip(&scores).map(|(pair, scores)| pair.likeliest(scores)).collect())
    }

    /// Of each text `[tokens, 2]`: how likely an answer begins and ends at each token.
    fn scores(&self, texts: &[Tokens]) -> Result<Vec<Vec<[f32; 2]>>> {
        let batch = Batch::new(texts);
        let scores: Vec<f32> = self.head.forward(&self.model.forward(&batch)?)?.flatten_all()?.to_vec1()?;
        let (scores, _) = scores.as_chunks::<2>();
        Ok(batch.texts.into_iter().map(|text| scores[text].to_vec()).collect())
    }

    fn pair(&self, asked: &[Token], above: &str, sentence: &str) -> std::result::Result<Pair, String> {
        let (above, sentence) = (self.tokens(above)?, self.tokens(sentence)?);
        let mut room = LONGEST - 4;
        let mut fitting = |tokens: &[Token], most: usize| {
            let n = tokens.len().min(most).min(room);
            room -= n;
            n
        };
        let asked = &asked[..fitting(asked, LONGEST / 2)];
        let sentence = &sentence[..fitting(&sentence, LONGEST)];
        let above = &above[..fitting(&above, LONGEST)];
        let mut ids = vec![BEGIN];
        for text in [asked, above, sentence] {
            ids.extend(text.iter().map(|t| t.id));
            ids.push(NEXT);
        }
        let second = asked.len() + 2;
        let types = (0..ids.len()).map(|i| u32::from(i >= second)).collect();
        Ok(Pair {
            tokens: Tokens { ids, types, cut: false },
            first: second + above.len() + 1,
            places: sentence.iter().map(|t| t.place.clone()).collect(),
        })
    }

    fn tokens(&self, text: &str) -> std::result::Result<Vec<Token>, String> {
        let encoded = self.tokenizer.encode(text, false).map_err(|e| e.to_string())?;
        let tokens = encoded.get_ids().iter().zip(encoded.get_offsets()).map(|(id, (start, end))| {
            // A piece that begins a word holds the space before it.
            let spaces = text[*start..*end].len() - text[*start..*end].trim_start().len();
            Token { id: *id, place: start + spaces..*end }
        });
        Ok(tokens.collect())
    }
}

impl Pair {
    /// The place whose begin and end together score highest, against the first token's.
    fn likeliest(&self, scores: &[[f32; 2]]) -> Found {
        let nowhere = scores[0][0] + scores[0][1];
        let scores = &scores[self.first..];
        let mut best: Option<(f32, Range<usize>)> = None;
        for (start, place) in self.places.iter().enumerate().filter(|(_, place)| !place.is_empty()) {
            for (end, last) in self.places.iter().enumerate().skip(start).take(LONGEST_ANSWER) {
                let score = scores[start][0] + scores[end][1];
                if !last.is_empty() && best.as_ref().is_none_or(|(most, _)| score > *most) {
                    best = Some((score, place.start..last.end));
                }
            }
        }
        match best {
            Some((score, span)) => Found { span, margin: score - nowhere },
            None => Found { span: 0..0, margin: f32::NEG_INFINITY },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// What PyTorch reads with the same file (`models/span/reference.py`).
    #[derive(Deserialize)]
    struct Reference {
        question: String,
        above: String,
        sentence: String,
        ids: Vec<u32>,
        scores: Vec<[f32; 2]>,
        words: String,
        margin: f32,
    }

    fn references() -> Vec<Reference> {
        serde_json::from_str(include_str!("../../models/span/reference.json")).unwrap()
    }

    #[test]
    fn it_reads_as_pytorch_does() {
        let (exact, rounded) = (SpanReader::load(WEIGHTS).unwrap(), SpanReader::embedded().unwrap());
        for r in references() {
            let asked = exact.tokens(&r.question).unwrap();
            let pair = exact.pair(&asked, &r.above, &r.sentence).unwrap();
            assert_eq!(pair.tokens.ids, r.ids, "{}", r.sentence);
            let scores = exact.scores(std::slice::from_ref(&pair.tokens)).unwrap().remove(0);
            // Where no answer can begin or end, the reference says so little that no figure is compared.
            for (own, theirs) in scores.iter().zip(&r.scores).filter(|(_, theirs)| theirs[0] > -1000.0) {
                assert!(own.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 0.01), "{own:?} {theirs:?}");
            }
            // Sums of eight bits are a little off.
            for (reader, off) in [(&exact, 0.01), (rounded, 0.5)] {
                let found = reader.read(&r.question, &[(&r.above, &r.sentence)]).unwrap().remove(0);
                assert_eq!(r.sentence[found.span], r.words);
                assert!((found.margin - r.margin).abs() < off, "{} {}", found.margin, r.margin);
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
