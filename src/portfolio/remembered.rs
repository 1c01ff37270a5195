//! What `overlap --all` found last time: each project's neighbours and judged pairs, so that only what is new is compared.
//!
//! In and out: one file of JSON lines, a header and a line a project, written beside and moved into place. A project is
//! known by its document id and by what is compared of it (title, text, first year, institute, people): its file may be read in
//! another way, and its year be corrected. A file that was made in another way (other weights, encoder or options), or for a
//! portfolio that has since grown by more than a quarter (the rarity of words has moved), counts as none, and so does
//! one that cannot be read.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::holdings::Holdings;
use super::verdict::Kind;
use crate::document::Span;

/// Growth from which everything is compared anew.
const GROWTH: f64 = 1.25;

/// A judged pair that overlaps; projects by index into the holdings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) later: usize,
    pub(super) earlier: usize,
    pub(super) kind: Kind,
    pub(super) probability: f64,
    /// Probability of `done already`.
    pub(super) done: f64,
    /// The most alike sentences: of the later and of the earlier.
    pub(super) spans: Vec<(Span, Span)>,
}

/// Neighbours and pairs, by index into the holdings.
#[derive(Default)]
pub(super) struct Remembered {
    /// Projects the rarity of words was that of.
    pub(super) made_of: usize,
    /// For each project its neighbours, best first; `None`: it is new.
    pub(super) near: Vec<Option<Vec<(usize, f32)>>>,
    /// For each project the pairs judged with it as the later one.
    pub(super) pairs: Vec<Vec<Judged>>,
    /// For each project how many pairs were judged so.
    pub(super) judged: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    made: String,
    made_of: usize,
}

/// One project; neighbours and pairs by line, from 0.
#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    /// As in [`Holding`](super::holdings::Holding).
    content: u64,
    near: Vec<(usize, f32)>,
    judged: usize,
    pairs: Vec<Judged>,
}

impl Remembered {
    /// Nothing is known of `n` projects.
    pub(super) fn nothing(n: usize) -> Remembered {
        Remembered { made_of: n, near: vec![None; n], pairs: vec![Vec::new(); n], judged: vec![0; n] }
    }

    /// What the file knows of these projects.
    pub(super) fn read(file: &Path, made: &str, holdings: &Holdings) -> Remembered {
        let n = holdings.all.len();
        lines(file, made)
            .filter(|(header, _)| n as f64 <= header.made_of as f64 * GROWTH)
            .map_or_else(|| Remembered::nothing(n), |(header, lines)| Remembered::of(header.made_of, lines, holdings))
    }

    fn of(made_of: usize, lines: Vec<Line>, holdings: &Holdings) -> Remembered {
        let mut out = Remembered { made_of, ..Remembered::nothing(holdings.all.len()) };
        let places: HashMap<&str, usize> =
            holdings.all.iter().enumerate().map(|(i, h)| (h.project.doc_id.as_str(), i)).collect();
        let unchanged = |line: &Line, at: usize| holdings.all[at].content == line.content;
        let place: Vec<Option<usize>> =
            lines.iter().map(|l| places.get(l.id.as_str()).copied().filter(|&at| unchanged(l, at))).collect();
        let now = |line: usize| place.get(line).copied().flatten();
        for (line, &at) in lines.into_iter().zip(&place) {
            let Some(at) = at else { continue };
            // A neighbour that has gone or changed leaves a place: the list is made anew.
            let near: Option<Vec<(usize, f32)>> = line.near.iter().map(|(l, s)| Some((now(*l)?, *s))).collect();
            out.near[at] = near;
            out.judged[at] = line.judged;
            let pair = |p: Judged| Some(Judged { later: now(p.later)?, earlier: now(p.earlier)?, ..p });
            out.pairs[at] = line.pairs.into_iter().filter_map(pair).collect();
        }
        out
    }

    /// Writes it; every project must have its neighbours.
    pub(super) fn write(&self, file: &Path, made: &str, holdings: &Holdings) -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        let mut out = BufWriter::new(beside.as_file_mut());
        serde_json::to_writer(&mut out, &Header { made: made.to_owned(), made_of: self.made_of })?;
        for (i, holding) in holdings.all.iter().enumerate() {
            out.write_all(b"\n")?;
            let line = Line {
                id: holding.project.doc_id.clone(),
                content: holding.content,
                near: self.near[i].clone().unwrap_or_default(),
                judged: self.judged[i],
                pairs: self.pairs[i].clone(),
            };
            serde_json::to_writer(&mut out, &line)?;
        }
        out.write_all(b"\n")?;
        out.flush()?;
        drop(out);
        beside.persist(file).map_err(|e| e.error)?;
        Ok(())
    }
}

fn lines(file: &Path, made: &str) -> Option<(Header, Vec<Line>)> {
    let mut lines = BufReader::new(fs_err::File::open(file).ok()?).lines();
    let header: Header = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    if header.made != made {
        return None;
    }
    let rest: Option<Vec<Line>> = lines.map(|line| serde_json::from_str(&line.ok()?).ok()).collect();
    Some((header, rest?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_changed_is_new_and_so_are_those_that_had_it_as_a_neighbour() {
        let mut holdings = Holdings::of_terms(vec![vec![(1, 1.0)]; 3]);
        let spans = vec![(Span { start: 0, end: 7 }, Span { start: 2, end: 5 })];
        let pair = Judged { later: 1, earlier: 0, kind: Kind::DoneAlready, probability: 0.75, done: 0.75, spans };
        let known = Remembered {
            made_of: 3,
            near: vec![Some(vec![(2, 0.25)]), Some(vec![(0, 0.5)]), Some(Vec::new())],
            pairs: vec![Vec::new(), vec![pair], Vec::new()],
            judged: vec![0, 1, 0],
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("remembered.jsonl");
        known.write(&file, "made", &holdings).unwrap();
        let same = Remembered::read(&file, "made", &holdings);
        assert_eq!((same.near, same.pairs), (known.near.clone(), known.pairs.clone()));
        holdings.all[0].content += 1;
        let changed = Remembered::read(&file, "made", &holdings);
        assert_eq!(changed.near, [None, None, Some(Vec::new())]);
        assert!(changed.pairs[1].is_empty(), "its sentences stand elsewhere now");
        assert_eq!(Remembered::read(&file, "otherwise", &holdings).near, [None, None, None]);
    }
}
