//! The whole portfolio in memory, small: each project's facts, its weightiest terms, its neighbours.
//!
//! In: the index. Out: [`Holdings`]. A project takes about 1 kB plus its facts; texts stay in the catalogue and
//! are read again where a quote is needed. Neighbours are found by `Neighbours` (`neighbours.rs`).

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use super::PortfolioError;
use super::facet::Facet;
use super::institute::{Institute, Institutes};
use super::neighbours::{Neighbours, Scratch};
use super::project::{self, Project};
use super::similarity::{Meaning, Scale, Terms, Weigher, dense_cosine, meanings};
use crate::document::{Access, CharIndex, Document, Span};
use crate::embed::Embedder;
use crate::retrieve::{Glossary, Parts};
use crate::text::{analyse, bm25};

/// Terms kept of a project.
const KEPT: usize = 80;
/// Bytes of a project's text that its vector is made of.
const VECTOR_TEXT: usize = 1200;

/// One project of the portfolio.
pub struct Holding {
    /// Facts; sentences are places in the catalogue's text.
    pub project: Project,
    /// Words and vector of title and content.
    pub meaning: Meaning,
    /// Its results hold figures.
    pub has_results: bool,
    /// The most telling sentence: an aim, else the first.
    pub aim: Option<Span>,
    /// The result with most figures.
    pub result: Option<Span>,
    /// Hash of title, text, first year and group, which neighbours and verdicts are made of.
    pub(super) content: u64,
}

/// All projects of an index that a reader may see.
pub struct Holdings {
    /// In order of document id.
    pub all: Vec<Holding>,
    /// Shown form of each term that occurs in a title.
    pub words: HashMap<u32, String>,
    /// For each of these words the rows of the glossary in which it is a name by itself.
    concepts: HashMap<u32, Vec<usize>>,
    /// What the reader is cleared for.
    pub(super) access: Access,
    scale: Scale,
    /// For an encoder weaker than the words: what its vectors weigh beside them.
    weak: Option<f32>,
}

impl Holdings {
    /// Reads the portfolio. All projects of one institute name it alike.
    pub fn load(parts: &Parts<'_>, institutes: &Institutes, access: Access) -> Result<Holdings, PortfolioError> {
        let weigher = Weigher::new(parts);
        let mut all: Vec<Holding> = Vec::new();
        let mut forms: HashMap<u32, HashMap<String, u32>> = HashMap::new();
        let mut heads: Vec<String> = Vec::new();
        let mut failed: Option<PortfolioError> = None;
        project::each(
            parts.catalog,
            institutes,
            |document, project| {
                if failed.is_none() {
                    match holding(&weigher, &document, project) {
                        Ok(found) => {
                            count_forms(&document.title, &mut forms);
                            heads.push(head(&document));
                            all.push(found);
                        }
                        Err(error) => failed = Some(error),
                    }
                }
                Ok(())
            },
            |document| document.metadata.access <= access,
        )?;
        if let Some(error) = failed {
            return Err(error);
        }
        name_alike(&mut all);
        project::tell_apart(parts.catalog, all.iter_mut().map(|h| &mut h.project))?;
        if parts.embedder.is_some() {
            for (chunk, texts) in all.chunks_mut(256).zip(heads.chunks(256)) {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                for (holding, found) in chunk.iter_mut().zip(meanings(&weigher, &texts)?) {
                    holding.meaning.vector = found.vector;
                }
            }
        }
        let words: HashMap<u32, String> = forms
            .into_iter()
            .filter_map(|(d, f)| Some((d, f.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?.0)))
            .collect();
        let (concepts, scale) = (concepts(parts.glossary, &words), scale(&all));
        Ok(Holdings { all, words, concepts, access, scale, weak: parts.embedder.and_then(Embedder::score_weight) })
    }

    /// The institute of this key with the name it is shown by; `None` where no project is its.
    pub fn institute(&self, key: &str) -> Option<&Institute> {
        self.all.iter().filter_map(|h| h.project.institute.as_ref()).find(|i| i.key == key)
    }

    /// How alike two projects are, 0 to 1. Vectors of an encoder that is weaker than the words only speak where the words
    /// cannot, across languages: within one they make everything of a field alike.
    pub fn alike(&self, a: usize, b: usize) -> f32 {
        let words = self.all[a].meaning.terms.cosine(&self.all[b].meaning.terms);
        words.max(self.alike_by_vector(a, b).unwrap_or(0.0))
    }

    /// True where the vector of project `i` may be compared with those of texts in `language`.
    pub(super) fn vectors_speak(&self, i: usize, language: &str) -> bool {
        self.weak.is_none() || self.all[i].project.language != language
    }

    /// How alike two projects are by their vectors; `None` where these have nothing to say.
    pub(super) fn alike_by_vector(&self, a: usize, b: usize) -> Option<f32> {
        if !self.vectors_speak(a, self.all[b].project.language) {
            return None;
        }
        let cosine = dense_cosine(&self.all[a].meaning, &self.all[b].meaning)?;
        Some(self.scale.worth(cosine) * self.weak.unwrap_or(1.0))
    }

    /// For each project its nearest others, at most `k`, at least `floor` alike, best first.
    pub fn neighbours(&self, k: usize, floor: f32) -> Vec<Vec<(usize, f32)>> {
        let (near, mut scratch) = (Neighbours::new(self), Scratch::new(self.all.len()));
        (0..self.all.len()).map(|i| near.of(i, k, floor, &mut scratch)).collect()
    }

    /// Words that name a set of projects: heavy in their sum, from titles, none two names of one thing by the glossary.
    pub fn label(&self, terms: &Terms, n: usize) -> Vec<String> {
        let mut heavy: Vec<(u32, f32)> = terms.entries().to_vec();
        heavy.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let (mut out, mut named): (Vec<String>, Vec<usize>) = (Vec::new(), Vec::new());
        for (d, _) in heavy {
            let rows = self.concepts.get(&d).map(Vec::as_slice).unwrap_or_default();
            if let Some(word) = self.words.get(&d)
                && !rows.iter().any(|row| named.contains(row))
                && !out.iter().any(|o: &String| {
                    o.to_lowercase().contains(&word.to_lowercase()) || word.to_lowercase().contains(&o.to_lowercase())
                })
            {
                named.extend(rows);
                out.push(word.clone());
                if out.len() == n {
                    break;
                }
            }
        }
        out
    }
}

fn holding(weigher: &Weigher<'_>, document: &Document, mut project: Project) -> Result<Holding, PortfolioError> {
    let mut text = document.title.clone();
    for sentence in project.sentences.iter().filter(|s| s.facet != Facet::Other) {
        text.push('\n');
        text.push_str(sentence.span.slice(&document.text));
    }
    let mut entries = weigher.terms(&text)?.entries().to_vec();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    entries.truncate(KEPT);
    entries.sort_unstable_by_key(|e| e.0);
    let digits = |span: Span| span.slice(&document.text).chars().filter(char::is_ascii_digit).count();
    let of = |facet| project.sentences.iter().filter(move |s| s.facet == facet).map(|s| s.span);
    let aim = of(Facet::Aim).next().or_else(|| project.sentences.first().map(|s| s.span));
    let result = of(Facet::Result).max_by_key(|s| digits(*s));
    let has_results = result.is_some_and(|s| digits(s) > 0);
    // Places of all sentences would be most of the memory; they are found again where needed.
    project.sentences = Vec::new();
    let content = content(&document.title, &document.text, &project);
    let meaning = Meaning { terms: Terms::unit(entries), vector: None };
    Ok(Holding { project, meaning, has_results, aim, result, content })
}

/// The first eight bytes of a SHA-256, big endian.
fn content(title: &str, text: &str, project: &Project) -> u64 {
    let group = (project.institute.as_ref().map(|i| &i.key), &project.people);
    let digest = Sha256::digest(format!("{:?} {group:?} {} {title}{text}", project.began(), title.len()));
    digest.iter().take(8).fold(0u64, |hash, &byte| (hash << 8) | u64::from(byte))
}

/// Shows each institute by the spelling that most of its projects have, of equals by the first in the alphabet.
fn name_alike(all: &mut [Holding]) {
    let mut spellings: BTreeMap<&Institute, usize> = BTreeMap::new();
    for institute in all.iter().filter_map(|h| h.project.institute.as_ref()) {
        *spellings.entry(institute).or_insert(0) += 1;
    }
    let mut shown: HashMap<String, (usize, String)> = HashMap::new();
    for (institute, n) in spellings {
        let most = shown.entry(institute.key.clone()).or_default();
        if n > most.0 {
            *most = (n, institute.name.clone());
        }
    }
    for institute in all.iter_mut().filter_map(|h| h.project.institute.as_mut()) {
        institute.name.clone_from(&shown[&institute.key].1);
    }
}

/// Of each of these words the rows of the glossary in which it is a name by itself.
fn concepts(glossary: &Glossary, words: &HashMap<u32, String>) -> HashMap<u32, Vec<usize>> {
    let mut out: HashMap<u32, Vec<usize>> = HashMap::new();
    for (row, names) in glossary.names().enumerate() {
        for name in names {
            if let [word] = name.as_slice()
                && words.contains_key(word)
            {
                out.entry(*word).or_default().push(row);
            }
        }
    }
    out
}

/// The text a project's vector is made of: title, then aims, then the rest.
fn head(document: &Document) -> String {
    let mut end = document.text.len().min(VECTOR_TEXT);
    while !document.text.is_char_boundary(end) {
        end -= 1;
    }
    let body = &document.text[..end];
    // A record begins with a line of facts, which says nothing of its content.
    let body = if body.starts_with('#') {
        body
    } else {
        body.split_once("\n\n").filter(|(f, _)| f.contains(": ")).map_or(body, |b| b.1)
    };
    format!("{}\n{}", document.title, body)
}

fn count_forms(title: &str, forms: &mut HashMap<u32, HashMap<String, u32>>) {
    for term in analyse(title).into_iter().filter(|t| t.weight >= 1.0) {
        let shown = title.get(term.span.clone()).unwrap_or("").to_owned();
        if shown.chars().filter(|c| c.is_alphabetic()).count() >= 2 {
            *forms.entry(bm25::dimension(&term.text)).or_default().entry(shown).or_insert(0) += 1;
        }
    }
}

/// From pairs that mostly do not belong together.
fn scale(all: &[Holding]) -> Scale {
    let n = all.len();
    if n < 3 {
        return Scale::of(&[]);
    }
    let pairs = (0..n.min(2000)).map(|i| (i * n / n.min(2000), (i * 7919 + n / 2) % n)).filter(|(a, b)| a != b);
    let cosines: Vec<f32> = pairs.filter_map(|(a, b)| dense_cosine(&all[a].meaning, &all[b].meaning)).collect();
    Scale::of(&cosines)
}

/// A quote of a project; characters of its extracted text.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Citation {
    /// The source system's id, else the source's path.
    pub project_id: String,
    /// Document.
    pub doc_id: String,
    /// Title.
    pub title: String,
    /// Year.
    pub year: Option<i32>,
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Byte-exact.
    pub quote: String,
}

/// Quotes `span` of a project.
pub fn cite(parts: &Parts<'_>, project: &Project, span: Span) -> Result<Citation, PortfolioError> {
    Ok(citation(project, &parts.catalog.document(&project.doc_id)?, span))
}

/// The same of a document at hand.
pub fn citation(project: &Project, document: &Document, span: Span) -> Citation {
    let (start, end) = CharIndex::new(&document.text).chars(span);
    Citation {
        project_id: project.id.clone(),
        doc_id: project.doc_id.clone(),
        title: project.title.clone(),
        year: project.year,
        start,
        end,
        quote: span.slice(&document.text).to_owned(),
    }
}

#[cfg(test)]
impl Holdings {
    /// Projects `P-0`, `P-1`, … by words alone, each of these weighed terms; nothing else is known of them.
    pub(super) fn of_terms(projects: Vec<Vec<(u32, f32)>>) -> Holdings {
        let institutes = Institutes::new(&[]);
        let mut all = Vec::new();
        for (i, terms) in projects.into_iter().enumerate() {
            let plain = Document::plain(&format!("P-{i}"), format!("Project {i}"));
            all.push(Holding {
                project: Project::read(&Document { id: format!("{i:016}"), ..plain }, &institutes),
                meaning: Meaning { terms: Terms::unit(terms), vector: None },
                has_results: false,
                aim: None,
                result: None,
                content: 0,
            });
        }
        let scale = scale(&all);
        let (words, concepts) = (HashMap::new(), HashMap::new());
        Holdings { all, words, concepts, access: Access::Public, scale, weak: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::GlossaryRow;

    #[test]
    fn all_projects_of_an_institute_name_it_by_its_most_frequent_spelling() {
        let institutes = Institutes::new(&[]);
        let mut holdings = Holdings::of_terms(vec![Vec::new(); 6]);
        let spellings = ["Northgate Cell Works Inc.", "northgate cell works", "northgate cell works", "B Ltd.", "b"];
        for (holding, written) in holdings.all.iter_mut().zip(spellings) {
            holding.project.institute = Some(institutes.find(written));
        }
        name_alike(&mut holdings.all);
        let shown: Vec<Option<&str>> =
            holdings.all.iter().map(|h| h.project.institute.as_ref().map(|i| i.name.as_str())).collect();
        let northgate = Some("northgate cell works");
        assert_eq!(shown, [northgate, northgate, northgate, Some("B Ltd."), Some("B Ltd."), None]);
        let asked = institutes.find("Northgate Cell Works, Inc.");
        assert_eq!(holdings.institute(&asked.key).map(|i| i.name.as_str()), northgate);
        assert_eq!(holdings.institute("nobody"), None);
    }

    #[test]
    fn another_title_text_first_year_or_group_is_another_content() {
        let institutes = Institutes::new(&[]);
        let of = |year: Option<i32>, institute: &str, person: &str| Project {
            year,
            institute: Some(institutes.find(institute)),
            people: vec![person.to_owned()],
            ..Project::read(&Document::plain("p", String::new()), &institutes)
        };
        let project = of(Some(2021), "Orvik", "Nora Lind");
        let same = content("Rain erosion", "Blades wear.", &project);
        assert_eq!(content("Rain erosion", "Blades wear.", &of(Some(2021), "Orvik", "Nora Lind")), same);
        for other in [
            content("Rain", "erosionBlades wear.", &project),
            content("Rain erosion", "Blades wear out.", &project),
            content("Rain erosion", "Blades wear.", &of(Some(2022), "Orvik", "Nora Lind")),
            content("Rain erosion", "Blades wear.", &of(None, "Orvik", "Nora Lind")),
            content("Rain erosion", "Blades wear.", &of(Some(2021), "Calder", "Nora Lind")),
            content("Rain erosion", "Blades wear.", &of(Some(2021), "Orvik", "Ida Moss")),
        ] {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn a_label_names_one_thing_once() {
        let row = |terms: &[&str]| GlossaryRow { terms: terms.iter().map(|t| (*t).to_owned()).collect() };
        let glossary = Glossary::new(&[row(&["블레이드", "날개", "blade"]), row(&["서리", "rime ice"])]);
        let mut forms = HashMap::new();
        count_forms("날개 블레이드 서리 ice", &mut forms);
        let mut holdings = Holdings::of_terms(Vec::new());
        holdings.words = forms.into_iter().filter_map(|(d, f)| Some((d, f.into_keys().next()?))).collect();
        holdings.concepts = concepts(&glossary, &holdings.words);
        let dimension = |word: &str| bm25::dimension(&analyse(word)[0].text);
        let heavy = [("날개", 4.0), ("블레이드", 3.0), ("서리", 2.0), ("ice", 1.0)];
        let mut terms: Vec<(u32, f32)> = heavy.iter().map(|(word, weight)| (dimension(word), *weight)).collect();
        terms.sort_unstable_by_key(|t| t.0);
        assert_eq!(holdings.label(&Terms::unit(terms), 3), ["날개", "서리", "ice"]);
    }
}
