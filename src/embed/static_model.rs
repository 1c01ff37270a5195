//! The encoder that is part of the program: one vector a piece of a word, a text is their normalised sum.
//!
//! Korean and English in one space, trained by this project (`models/embedded/`: weights, data, training program). No
//! context, no attention: weaker than a transformer, but there on every machine, with nothing downloaded.
//!
//! ```
//! use sectora::embed::{Embedder, Side, StaticModel};
//! let model = StaticModel::embedded()?;
//! let vectors = model.embed(&["배터리", "battery", "president"], Side::Query)?;
//! let cosine = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
//! assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);
//! # Ok::<(), sectora::embed::EmbedError>(())
//! ```

use std::collections::HashMap;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;

use super::{EmbedError, Embedder, Side};
use crate::text::lexicon::PIECES;

static WEIGHTS: &[u8] = include_bytes!("../../models/embedded/weights.i8");
static SCALES: &[u8] = include_bytes!("../../models/embedded/scales.f32");
/// The start of the SHA-256 of the three files above, in this order; a test holds it to them.
static VERSION: &str = include_str!("../../models/embedded/version.txt");

/// Characters of the longest piece that is looked for inside a word.
const LONGEST: usize = 24;
/// What a character that is no piece costs when a word is cut.
const UNKNOWN: f32 = -40.0;

/// A table of vectors, one a piece.
pub struct StaticModel {
    id: String,
    table: &'static Table,
}

struct Table {
    /// Piece -> row and score.
    pieces: HashMap<&'static str, (u32, f32)>,
    /// One a row: `vector = scale * int8`; the norm of a row is its weight in the sum.
    scales: Vec<f32>,
    /// Of the int8 numbers, one a row, at least 1; reckoned when first asked for.
    lengths: OnceLock<Vec<f32>>,
    dim: usize,
}

impl StaticModel {
    /// The model inside the program. The first call reads its table (milliseconds).
    pub fn embedded() -> Result<StaticModel, EmbedError> {
        static TABLE: OnceLock<Result<Table, String>> = OnceLock::new();
        let table = TABLE.get_or_init(Table::read);
        let id = format!("embedded@{}", VERSION.trim());
        match table {
            Ok(table) => Ok(StaticModel { id, table }),
            Err(what) => Err(EmbedError::Load { folder: "models/embedded".into(), what: what.clone() }),
        }
    }

    /// True if a word (lower case) is a piece of its own: it was common enough in the texts the model was made from.
    pub fn has_word(&self, word: &str) -> bool {
        self.table.pieces.contains_key(word)
    }

    /// All pieces with their rows, in order.
    pub fn pieces() -> impl Iterator<Item = (&'static str, u32)> {
        PIECES.lines().zip(0..).filter_map(|(line, row)| Some((line.split_once('\t')?.0, row)))
    }

    /// Which of these [`pieces`](StaticModel::pieces) has the highest cosine to a vector, and that cosine, right to a
    /// hundredth, for the vector is rounded to eight bits. Panics on rows that the table does not have.
    pub fn nearest(&self, vector: &[f32], pieces: &[(&'static str, u32)]) -> Option<(&'static str, f32)> {
        let dim = self.table.dim;
        let top = vector.iter().fold(f32::MIN_POSITIVE, |top, x| top.max(x.abs()));
        let codes: Vec<i8> = vector.iter().map(|x| (x / top * 127.0).round() as i8).collect();
        let own = length(codes.iter().copied());
        let lengths =
            self.table.lengths.get_or_init(|| WEIGHTS.chunks_exact(dim).map(|row| length(signed(row))).collect());
        let cosine = |(piece, row): &(&'static str, u32)| {
            let row = *row as usize;
            let numbers = signed(&WEIGHTS[row * dim..][..dim]);
            (*piece, product(codes.iter().copied(), numbers) as f32 / (lengths[row] * own))
        };
        pieces.iter().map(cosine).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Pieces of `text` in order, as rows of the table.
    fn rows(&self, text: &str) -> Vec<u32> {
        let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
        let mut rows = Vec::new();
        let mut bounds = Vec::new();
        let mut rest = folded.as_str();
        while let Some(first) = rest.chars().next() {
            let script = Script::of(first);
            let len = match script {
                // A digit, and a letter of another script, stands alone.
                Script::Digit | Script::Other | Script::None => first.len_utf8(),
                Script::Hangul | Script::Latin => rest.find(|c| Script::of(c) != script).unwrap_or(rest.len()),
            };
            let (run, later) = rest.split_at(len);
            if script != Script::None {
                self.table.cut(run, &mut bounds, &mut rows);
            }
            rest = later;
        }
        rows
    }

    /// The normalised vector of a text; cannot fail.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        let dim = self.table.dim;
        let mut sum = vec![0.0f32; dim];
        for row in self.rows(text) {
            let at = row as usize;
            let scale = self.table.scales[at];
            for (s, q) in sum.iter_mut().zip(&WEIGHTS[at * dim..(at + 1) * dim]) {
                *s += scale * f32::from(q.cast_signed());
            }
        }
        let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        if norm > 1e-9 {
            sum.iter_mut().for_each(|x| *x /= norm);
        } else {
            // A text without any piece has a direction too, the same for all of them.
            sum.fill(1.0 / (dim as f32).sqrt());
        }
        sum
    }
}

fn signed(bytes: &[u8]) -> impl Iterator<Item = i8> + Clone {
    bytes.iter().map(|q| q.cast_signed())
}

fn product(a: impl Iterator<Item = i8>, b: impl Iterator<Item = i8>) -> i32 {
    a.zip(b).map(|(a, b)| i32::from(a) * i32::from(b)).sum()
}

/// At least 1.
fn length(numbers: impl Iterator<Item = i8> + Clone) -> f32 {
    (product(numbers.clone(), numbers).max(1) as f32).sqrt()
}

impl Embedder for StaticModel {
    fn id(&self) -> &str {
        &self.id
    }

    fn dim(&self) -> usize {
        self.table.dim
    }

    /// Words know better within a language (`models/embedded/README.md` has the measurements).
    fn score_weight(&self) -> Option<f32> {
        Some(1.0)
    }

    fn knows_words(&self) -> bool {
        true
    }

    fn embed(&self, texts: &[&str], _side: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }
}

impl Table {
    fn read() -> Result<Table, String> {
        let mut pieces = HashMap::new();
        for (row, line) in PIECES.lines().enumerate() {
            let parts = line.split_once('\t').and_then(|(piece, score)| Some((piece, score.parse::<f32>().ok()?)));
            let (piece, score) = parts.ok_or_else(|| format!("pieces.txt, line {}: no piece TAB score", row + 1))?;
            pieces.insert(piece, (row as u32, score));
        }
        let scales: Vec<f32> = SCALES.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let dim = WEIGHTS.len() / scales.len().max(1);
        if dim == 0 || pieces.len() != scales.len() || dim * scales.len() != WEIGHTS.len() {
            let (rows, bytes) = (scales.len(), WEIGHTS.len());
            return Err(format!(
                "{} pieces, {rows} scales and {bytes} bytes of weights do not belong together",
                pieces.len()
            ));
        }
        Ok(Table { pieces, scales, lengths: OnceLock::new(), dim })
    }

    /// Cuts a run of one script into the pieces whose scores sum highest (Viterbi); a whole piece stays whole.
    fn cut(&self, run: &str, bounds: &mut Vec<usize>, rows: &mut Vec<u32>) {
        if let Some((row, _)) = self.pieces.get(run) {
            rows.push(*row);
            return;
        }
        bounds.clear();
        bounds.extend(run.char_indices().map(|(at, _)| at).chain([run.len()]));
        // best[end]: score, where its last piece starts, that piece.
        let mut best: Vec<(f32, usize, Option<u32>)> = vec![(f32::NEG_INFINITY, 0, None); bounds.len()];
        best[0].0 = 0.0;
        for end in 1..bounds.len() {
            for start in end.saturating_sub(LONGEST)..end {
                let piece = self.pieces.get(&run[bounds[start]..bounds[end]]).copied();
                let (row, score) = match piece {
                    Some((row, score)) => (Some(row), score),
                    None if end - start == 1 => (None, UNKNOWN),
                    None => continue,
                };
                let total = best[start].0 + score;
                if total > best[end].0 {
                    best[end] = (total, start, row);
                }
            }
        }
        let from = rows.len();
        let mut at = bounds.len() - 1;
        while at > 0 {
            let (_, start, row) = best[at];
            rows.extend(row);
            at = start;
        }
        rows[from..].reverse();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    Latin,
    Digit,
    Other,
    None,
}

impl Script {
    fn of(c: char) -> Script {
        match c {
            '가'..='힣' => Script::Hangul,
            '÷' => Script::None,
            'a'..='z' | '\u{DF}'..='\u{24F}' => Script::Latin,
            '0'..='9' => Script::Digit,
            _ if c.is_alphabetic() => Script::Other,
            _ => Script::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let vectors = StaticModel::embedded().unwrap().embed(&[a, b], Side::Query).unwrap();
        vectors[0].iter().zip(&vectors[1]).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn the_nearest_piece_is_found_among_those_asked_for() {
        let model = StaticModel::embedded().unwrap();
        let some = |wanted: fn(&str) -> bool| -> Vec<(&'static str, u32)> {
            StaticModel::pieces().filter(|(piece, _)| wanted(piece)).collect()
        };
        let vector = model.vector("laser");
        let (piece, near) = model.nearest(&vector, &some(|piece| piece.is_ascii())).unwrap();
        assert!(piece == "laser" && (near - 1.0).abs() < 0.01, "{piece} {near}");
        let hangul = some(|piece| piece.starts_with(|c| ('가'..='힣').contains(&c)));
        let (piece, near) = model.nearest(&vector, &hangul).unwrap();
        assert!(piece.starts_with("레이저") && near > cosine("laser", "레이저") - 0.01, "{piece} {near}");
        assert!(model.nearest(&vector, &[]).is_none());
    }

    #[test]
    fn the_version_is_the_hash_of_the_files() {
        let mut hash = Sha256::new();
        [PIECES.as_bytes(), WEIGHTS, SCALES].iter().for_each(|part| hash.update(part));
        let hex: String = hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
        assert_eq!(VERSION.trim(), hex, "models/embedded/version.txt");
        assert!(PIECES.len() + WEIGHTS.len() + SCALES.len() <= 16_000_000);
    }

    #[test]
    fn words_and_their_translations_are_near() {
        for (ko, en, other) in [
            (
                "해수 담수화 플랜트의 전력 소비",
                "electricity consumption of seawater desalination plants",
                "the film director won a prize",
            ),
            ("암 환자의 면역 치료", "immunotherapy for cancer patients", "stock prices fell on Monday"),
            ("대통령 선거에서 승리했다", "won the presidential election", "corrosion of steel pipes"),
            ("컴퓨터 프로그램의 오류를 고친다", "fixing errors in computer programs", "the patient's blood pressure"),
        ] {
            assert!(cosine(ko, en) > cosine(ko, other) + 0.15, "{ko}: {} {}", cosine(ko, en), cosine(ko, other));
        }
    }

    #[test]
    fn width_case_and_composition_do_not_matter() {
        assert!(cosine("Ｂａｔｔｅｒｙ 전지", "battery 전지") > 0.9999);
        assert!(cosine("\u{110C}\u{1165}\u{11AB}지", "전지") > 0.9999);
    }

    #[test]
    fn a_text_without_pieces_has_a_vector_of_length_one() {
        let vectors = StaticModel::embedded().unwrap().embed(&["", "⚡ …"], Side::Document).unwrap();
        assert_eq!(vectors[0], vectors[1]);
        assert!((vectors[0].iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn an_unknown_word_is_cut_into_known_pieces() {
        let model = StaticModel::embedded().unwrap();
        let names: Vec<&str> = PIECES.lines().filter_map(|l| l.split('\t').next()).collect();
        let cut = |text: &str| model.rows(text).into_iter().map(|r| names[r as usize]).collect::<Vec<_>>().join("|");
        assert_eq!(cut("전해질"), "전해질");
        assert_eq!(cut("2024"), "2|0|2|4");
        let parts = cut("담수화공정에서는");
        assert!(parts.starts_with("담수화|") && parts.replace('|', "") == "담수화공정에서는", "{parts}");
    }

    proptest! {
        #[test]
        fn any_text_has_a_unit_vector(text in "\\PC{0,200}") {
            let vector = &StaticModel::embedded().unwrap().embed(&[&text], Side::Document).unwrap()[0];
            prop_assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3);
        }
    }
}
