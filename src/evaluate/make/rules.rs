//! One rule a kind of evidence: a document in, proposals out.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::super::dataset::Gold;
use super::Proposal;
use crate::document::{Document, Language, Section};
use crate::portfolio::facet::{Facet, facets};
use crate::text::{money, rows, sentences};

static FIGURE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+(?:[.,]\d+)*").expect("constant pattern"));
/// `A muon is a …`; `The target is the …` names a value, it defines nothing.
static DEFINED_EN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^((?:An?\s)?[A-Za-z][\w-]+(?:\s[a-z][\w-]+){0,2}) is an? (\w+)").expect("constant pattern")
});
/// `X란 …이다`, or `X는 … 장치이다`: a kind of thing must follow, else the sentence says something of X.
static DEFINED_KO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^([가-힣A-Za-z0-9-]+(?:\s[가-힣A-Za-z0-9-]+){0,2}?)(?:",
        r"(?:이란|란)\s.{8,}(?:다|말함|것)|",
        r"(?:은|는)\s.{8,}(?:(?:뜻|말|의미)한다|(?:장치|물질|재료|소재|기술|방법|기법|공정|시험|설비|기준|지표|현상|반응|성질|구조|부품|단위|비율|과정|시스템|용매|화합물|용어|제도|조직|기관)(?:이다|다|를 말한다))",
        r")\.?$"
    ))
    .expect("constant pattern")
});
/// What can be measured, then its figure: `두께 90 µm`, `찌름강도는 280 gf`.
static MEASURED_KO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"((?:[가-힣]+\s)?[가-힣]*(?:률|효율|수율|온도|밀도|강도|농도|속도|두께|너비|길이|높이|깊이|넓이|용량|함량|유량|중량|무게|질량|부하|전압|전류|압력|전력|출력|저항|비용|단가|가격|예산|사업비|연구비|인건비|장비비|재료비|간접비|기간|수명|주기|면적|부피|크기|지름|직경|에너지))(?:은|는|이|가)?\s({VALUE_KO})"
    ))
    .expect("constant pattern")
});
/// `a thickness of 90 µm`, `the yield was 93 %`.
static MEASURED_EN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)\b((?:[a-z][\w-]+\s)?(?:capacity|efficiency|density|temperature|pressure|thickness|voltage|current|yield|cost|price|budget|rate|speed|diameter|width|length|weight|volume|content|loading|retention|conductivity|porosity|energy|power|duration|concentration|flow|loss|strength|resistance|ratio|accuracy|area|mass|height|depth|lifetime))\s(?:of|was|were|is|are|reached|reaches|=)\s(?:about\s|around\s|up to\s)?({VALUE_EN})"
    ))
    .expect("constant pattern")
});
/// A figure with what it is counted in. Korean endings follow a Latin unit without a gap.
const VALUE_KO: &str = r"-?\d+(?:[.,]\d+)*\s?(?:%|℃|°C|[µμ]?[A-Za-zΩ]{1,4}(?:/[A-Za-z0-9²³]+)?|백만\s?원|억\s?원|만\s?원|원|개월|년|일|시간|분|초|회|배|톤|명|개|건)";
const VALUE_EN: &str = r"-?\d+(?:[.,]\d+)*\s?(?:%|°C|[µμ]?[A-Za-zΩ]{1,9}(?:/[A-Za-z0-9²³]+)?\b)";
/// A heading longer than this is a paragraph that a reader took for one.
const LONGEST_HEADING: usize = 60;

/// Kinds whose answer is a sentence: a right answer need not repeat it.
const SENTENCES: [&str; 3] = ["fact", "heading", "outcome"];
/// Confidence of a sentence that is asked for as a project's result.
const SURE: f32 = 0.5;

/// Everything that can be asked of `document` by rule.
pub(super) fn of(document: &Document) -> Vec<Proposal> {
    // The rules know two languages.
    if document.language == Language::Other {
        return Vec::new();
    }
    let mut out = record(document);
    out.extend(outcome(document));
    out.extend(tables(document));
    for section in &document.sections {
        out.extend(heading(document, section));
        out.extend(definition(document, section));
        out.extend(finding(document, section));
    }
    out
}

/// Institution, year and budget of a record.
fn record(document: &Document) -> Vec<Proposal> {
    if !document.source.contains('#') {
        return Vec::new();
    }
    let (m, title, ko) = (&document.metadata, &document.title, document.language == Language::Ko);
    let ask = |korean: &str, english: &str, answer: Option<String>| {
        let question =
            if ko { format!("‘{title}’ 과제{korean}") } else { format!("{english} the project “{title}”?") };
        answer.map(|a| proposal(document, question, "record", a.clone(), a))
    };
    // As the record writes it: the number counts in the currency's base unit, the text in the column's.
    let budget = m.budget.and_then(|b| money::of_fields(&m.fields, b)).map(|(written, _)| written.to_owned());
    [
        ask("를 수행한 기관은 어디인가?", "Which institution carried out", m.institution.clone()),
        ask("는 몇 년의 과제인가?", "Of which year is", m.year.map(|y| y.to_string())),
        ask("의 예산은 얼마였나?", "What was the budget of", budget),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a record's project reached: the sentence that most surely states a result.
fn outcome(document: &Document) -> Option<Proposal> {
    if !document.source.contains('#') {
        return None;
    }
    let told = facets(&document.text);
    // Of several that are as sure, the first: limits and side results tend to follow.
    let results = told.iter().rev().filter(|s| s.facet == Facet::Result && s.confidence >= SURE);
    let result = results.max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
    let sentence = result.span.slice(&document.text).trim();
    let title = &document.title;
    let question = match document.language == Language::Ko {
        true => format!("‘{title}’ 과제는 어떤 결과를 얻었나?"),
        false => format!("What was the outcome of the project “{title}”?"),
    };
    is_sentence(sentence).then(|| proposal(document, question, "outcome", sentence.to_owned(), sentence.to_owned()))
}

/// What stands under a heading: the section's first sentence, as an answer to what it says on its subject.
fn heading(document: &Document, section: &Section) -> Option<Proposal> {
    // A record's headings are names of its fields.
    let last = section.path.last().filter(|_| !document.source.contains('#'))?;
    let subject = last.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | ' ' | '-')).trim();
    // `Introduction` or `결론` names a place, two words name a subject.
    if *last == document.title || !is_name(subject) || subject.split_whitespace().count() < 2 {
        return None;
    }
    let text = section.span.slice(&document.text);
    let told = sentences(text).into_iter().map(|s| s.slice(text).trim());
    let sentence = told.filter(|s| *s != last && !s.starts_with(['#', '|', '-', '*'])).find(|s| is_sentence(s))?;
    let title = &document.title;
    let question = match document.language == Language::Ko {
        true => format!("‘{title}’에서 ‘{subject}’에 대해 무엇을 말하는가?"),
        false => format!("What does “{title}” say about “{subject}”?"),
    };
    Some(proposal(document, question, "heading", sentence.to_owned(), sentence.to_owned()))
}

/// Long enough to say something, short enough to be one answer, and ended.
fn is_sentence(text: &str) -> bool {
    (30..300).contains(&text.chars().count()) && text.ends_with(['.', '!', '。']) && !text.contains('\n')
}

/// The value of a row in a column that holds figures.
fn tables(document: &Document) -> Vec<Proposal> {
    let ko = document.language == Language::Ko;
    let lines: Vec<&str> = document.text.lines().map(str::trim).collect();
    let cells = |row: &str| rows::cells(row).map(str::to_owned).collect::<Vec<String>>();
    let mut rows_of: HashMap<&str, usize> = HashMap::new();
    for label in lines.iter().filter(|l| l.starts_with('|')).filter_map(|l| rows::cells(l).next()) {
        *rows_of.entry(label).or_default() += 1;
    }
    let mut out = Vec::new();
    let mut head: Option<Vec<String>> = None;
    for (i, row) in lines.iter().enumerate() {
        let next = lines.get(i + 1).copied().unwrap_or_default();
        if row.starts_with('|') && rows::is_rule(next) {
            head = Some(cells(row));
        } else if !row.starts_with('|') {
            head = None;
        } else if let Some(names) = head.as_ref().filter(|_| !rows::is_rule(row)) {
            let values = cells(row);
            let Some(label) = values.first().filter(|l| is_name(l)) else { continue };
            // A label that stands in two rows does not say which is meant.
            let same = rows_of.get(label.as_str()).copied().unwrap_or_default();
            // One column a row: the first with a figure and a name.
            let found = values.iter().zip(names).skip(1).find(|(v, n)| is_value(v) && is_name(n));
            if let (1, Some((value, name))) = (same, found) {
                let title = &document.title;
                let question = if ko {
                    format!("‘{title}’의 표에서 ‘{label}’의 ‘{name}’ 값은 얼마인가?")
                } else {
                    format!("In the table of “{title}”, what is the value of “{name}” for “{label}”?")
                };
                out.push(proposal(document, question, "table", value.clone(), values.join(" | ")));
            }
        }
    }
    out
}

/// True of a cell that is a figure, perhaps with its unit: a sentence that holds one is no value.
fn is_value(cell: &str) -> bool {
    let starts = cell.trim_start_matches(['-', '+', '~', '<', '>', '±', '$', '€', '₩', ' ']);
    starts.starts_with(|c: char| c.is_ascii_digit()) && cell.chars().count() <= 24
}

/// True of a cell that names a row or a column; `Column 1` and `Header2` are a reader's stopgaps.
fn is_name(cell: &str) -> bool {
    static STOPGAP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:column|col|header|field|row|cell|unnamed)[\s_]*[\d.]*$").expect("constant pattern")
    });
    cell.chars().any(char::is_alphabetic)
        && cell.chars().count() >= 2
        && !cell.starts_with(|c: char| c.is_ascii_digit())
        && cell.chars().count() <= LONGEST_HEADING
        && !STOPGAP.is_match(cell)
}

/// `X is a …`: what is X?
fn definition(document: &Document, section: &Section) -> Option<Proposal> {
    let text = section.span.slice(&document.text);
    let all = sentences(text).into_iter().map(|s| s.slice(text).trim());
    all.filter(|s| !s.starts_with(['#', '|', '*', '-']) && !s.ends_with('?')).find_map(|sentence| {
        let question = if document.language == Language::Ko {
            let term = DEFINED_KO.captures(sentence)?.get(1)?.as_str();
            // "이것은 …이다" defines nothing, and what carries a figure is a value.
            let empty = ["이것", "그것", "이는", "결과", "목표", "목적", "원인", "다음", "본 과제", "값", "이유"];
            if term.chars().count() < 2 || empty.iter().any(|e| term.starts_with(e)) || FIGURE.is_match(sentence) {
                return None;
            }
            format!("‘{term}’{} 무엇인가?", if ends_in_consonant(term) { "이란" } else { "란" })
        } else {
            let found = DEFINED_EN.captures(sentence)?;
            let (term, next) = (found.get(1)?.as_str(), found.get(2)?.as_str());
            let last = term.rsplit(' ').next().unwrap_or(term).to_lowercase();
            let first = term.split(' ').next().unwrap_or(term).to_lowercase();
            let empty = [
                "it", "this", "that", "there", "these", "which", "what", "who", "he", "she", "they", "latter", "the",
                "below", "above", "former", "result", "aim", "goal", "target", "obstacle", "reason", "problem",
                "question", "one", "here", "our", "my", "each",
            ];
            // An opinion ("is a key challenge") is no definition.
            let opinion = [
                "unique",
                "key",
                "major",
                "prominent",
                "important",
                "good",
                "great",
                "new",
                "striking",
                "long",
                "central",
                "critical",
                "big",
                "promising",
                "fundamental",
                "powerful",
                "large",
                "fascinating",
                "innovative",
                "well",
                "dynamic",
                "challenge",
                "problem",
                "must",
                "matter",
            ];
            if empty.contains(&last.as_str()) || empty.contains(&first.as_str()) || opinion.contains(&next) {
                return None;
            }
            format!("What is {}?", lower_article(term))
        };
        Some(proposal(document, question, "fact", sentence.to_owned(), sentence.to_owned()))
    })
}

/// `A muon` within a sentence.
fn lower_article(term: &str) -> String {
    match term.split_once(' ') {
        Some((article @ ("A" | "An"), rest)) => format!("{} {rest}", article.to_lowercase()),
        _ => term.to_owned(),
    }
}

/// True if the last syllable is closed, which decides a particle.
fn ends_in_consonant(word: &str) -> bool {
    let last = word.chars().last().map_or(0, u32::from);
    (0xAC00..=0xD7A3).contains(&last) && !(last - 0xAC00).is_multiple_of(28)
}

/// A quantity with its figure: how much was it?
fn finding(document: &Document, section: &Section) -> Option<Proposal> {
    let heading = section.path.last().filter(|h| **h != document.title && h.chars().count() <= LONGEST_HEADING);
    let text = section.span.slice(&document.text);
    let ko = document.language == Language::Ko;
    let measured = if ko { &MEASURED_KO } else { &MEASURED_EN };
    let stated = sentences(text).into_iter().map(|s| s.slice(text).trim());
    let (sentence, quantity, value) =
        stated.filter(|s| !s.starts_with(['#', '|']) && s.chars().count() < 300).find_map(|s| {
            // A quantity that is stated twice leaves open which figure is asked for.
            let mut all = measured.captures_iter(s);
            let one = all.next()?;
            let (quantity, value) = (one.get(1)?.as_str(), one.get(2)?.as_str());
            let again = all.any(|c| c.get(1).is_some_and(|q| q.as_str() == quantity));
            // `25 or 40` and `3D` are no values.
            let unit = value.trim_start_matches(|c: char| !c.is_alphabetic()).to_lowercase();
            if ["or", "for", "and", "to", "in", "of", "at", "the", "by", "with", "d", "as", "on", "per", "from"]
                .contains(&unit.as_str())
            {
                return None;
            }
            // The word before is part of the name only if it is no verb and carries no particle.
            let loose =
                ["면", "서", "고", "며", "는", "은", "을", "를", "에", "이", "가", "로", "과", "와", "도", "한", "된"];
            let quantity = match quantity.split_once(' ') {
                Some((before, name)) if ko && loose.iter().any(|l| before.ends_with(l)) => name,
                _ => quantity,
            };
            let bare = ["The ", "the ", "A ", "a ", "An ", "an "].iter().find_map(|a| quantity.strip_prefix(a));
            (!again).then(|| (s, bare.unwrap_or(quantity).to_owned(), value.trim().to_owned()))
        })?;
    let title = &document.title;
    // A record's headings are names of its fields, which nobody who asks knows.
    let place = heading.filter(|_| !document.source.contains('#'));
    let question = match (ko, place) {
        (true, Some(heading)) => format!("‘{title}’의 ‘{heading}’에 따르면 {quantity}{} 얼마인가?", topic(&quantity)),
        (true, None) => format!("‘{title}’에서 {quantity}{} 얼마인가?", topic(&quantity)),
        (false, Some(heading)) => format!("According to “{heading}” in “{title}”, what is the {quantity}?"),
        (false, None) => format!("In “{title}”, what is the {quantity}?"),
    };
    let figure = FIGURE.find(&value).map(|m| m.as_str().to_owned());
    let mut made = proposal(document, question, "number", value, sentence.to_owned());
    made.must_include = figure.into_iter().collect();
    Some(made)
}

fn topic(word: &str) -> &'static str {
    if ends_in_consonant(word) { "은" } else { "는" }
}

fn proposal(document: &Document, question: String, kind: &str, answer: String, quote: String) -> Proposal {
    Proposal {
        id: String::new(),
        question,
        language: document.language,
        answerable: true,
        kind: kind.into(),
        must_include: if SENTENCES.contains(&kind) { Vec::new() } else { vec![answer.clone()] },
        answer,
        gold: vec![Gold { document: document.source.clone(), quote }],
        without: Vec::new(),
        access: document.metadata.access,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, Metadata, Span};

    fn document(source: &str, text: &str, path: &[&str]) -> Document {
        Document {
            id: "d".into(),
            source: source.into(),
            format: Format::Markdown,
            title: "Cell report".into(),
            language: Language::detect(text),
            metadata: Metadata { institution: Some("Hanbit".into()), year: Some(2021), ..Metadata::default() },
            text: text.into(),
            units: vec![],
            sections: vec![Section {
                path: path.iter().map(|s| (*s).to_owned()).collect(),
                span: Span { start: 0, end: text.len() },
            }],
        }
    }

    #[test]
    fn records_give_their_fields_and_files_do_not() {
        let text = "A silicon anode was coated and tested in many cells of the plant.";
        let made = record(&document("p.jsonl#7", text, &[]));
        assert_eq!(made.iter().map(|p| p.answer.as_str()).collect::<Vec<_>>(), ["Hanbit", "2021"]);
        assert!(record(&document("a.md", text, &[])).is_empty());
        let mut funded = document("p.jsonl#8", text, &[]);
        funded.metadata.budget = Some(2.35e9);
        funded.metadata.fields.insert("budget_mkrw".into(), "2350".into());
        assert_eq!(record(&funded).last().unwrap().answer, "2350");
    }

    #[test]
    fn tables_definitions_and_findings_are_asked_for_with_their_evidence() {
        let text = "A pouch cell is a battery in soft foil.\n\n| Cell | Loss (%) |\n|---|---|\n| A12 | 3.5 |\n\nThe loss was 3.5 % after 500 cycles.";
        let made = of(&document("a.md", text, &["Cell report", "Ageing"]));
        let of_kind = |k: &str| made.iter().find(|p| p.kind == k).unwrap();
        assert_eq!((of_kind("table").answer.as_str(), of_kind("table").gold[0].quote.as_str()), ("3.5", "A12 | 3.5"));
        assert_eq!(of_kind("fact").question, "What is a pouch cell?");
        assert_eq!(
            (of_kind("number").answer.as_str(), &of_kind("number").must_include),
            ("3.5 %", &vec!["3.5".to_owned()])
        );
        assert_eq!(of_kind("number").question, "According to “Ageing” in “Cell report”, what is the loss?");
    }

    #[test]
    fn the_last_row_of_a_text_is_asked_for_like_the_others() {
        let rows: String = (1..=30_000).map(|i| format!("\n| Kiln {i}a | {i} |")).collect();
        let made = tables(&document("a.md", &format!("| Kiln | Loss (%) |\n|---|---|{rows}"), &[]));
        assert_eq!((made.len(), made.last().map(|p| p.answer.as_str())), (30_000, Some("30000")));
    }

    #[test]
    fn sections_are_asked_for_by_their_subject_and_records_by_their_outcome() {
        let text = "Calendering makes the coat dense and smooth for a while. It costs energy.";
        let made = of(&document("a.md", text, &["Cell report", "3.2 Pressing dry films"]));
        let asked = made.iter().find(|p| p.kind == "heading").unwrap();
        assert_eq!(asked.question, "What does “Cell report” say about “Pressing dry films”?");
        assert_eq!(asked.answer, "Calendering makes the coat dense and smooth for a while.");
        assert!(asked.must_include.is_empty());
        for named_by_place in [&["Cell report"][..], &["Cell report", "2. Introduction"]] {
            assert!(of(&document("a.md", text, named_by_place)).iter().all(|p| p.kind != "heading"));
        }
        let text = "We want to coat silicon without solvent. As a result, the cells kept 91 % of their capacity after 800 cycles.";
        let outcome = of(&document("p.jsonl#7", text, &[])).into_iter().find(|p| p.kind == "outcome").unwrap();
        assert_eq!(outcome.question, "What was the outcome of the project “Cell report”?");
        assert!(outcome.answer.starts_with("As a result"), "{}", outcome.answer);
        assert!(of(&document("a.md", text, &[])).iter().all(|p| p.kind != "outcome"));
    }

    #[test]
    fn what_nobody_would_ask_is_not_proposed() {
        let none = |text: &str| {
            let made = of(&document("a.md", text, &["Cell report", "Ageing"]));
            assert!(made.is_empty(), "{text}: {made:?}");
        };
        none("The target is the pouch cell of next year. What is a good cell?");
        none("The latter is a long standing problem. It is a cell. Central Italy is a unique test site.");
        none("처리비는 톤당 9만 2천원이다. 지그 강성은 0.4, 2, 8, 30 kN/mm이다.");
        none("| Column 1 | Header2 |\n|---|---|\n| Row 4 | 4.3 |\n");
        none("| Cell | Loss |\n|---|---|\n| AA | 4.3 |\n| AA | 4.4 |\n");
        none("| Cell | Remark |\n|---|---|\n| AA | It lasted 43 days in the oven and was then taken out |\n");
        none("اميدنامه پذيرش در بازار اصلی 20300");
    }

    #[test]
    fn korean_quantities_and_definitions_are_asked_for_with_the_right_particle() {
        let made = of(&document(
            "a.md",
            "가압치구란 셀을 눌러 두는 틀을 말한다. 구리 폼의 두께는 90 µm였다.",
            &["보고서", "방법"],
        ));
        let questions: Vec<&str> = made.iter().map(|p| p.question.as_str()).collect();
        assert_eq!(questions, ["‘가압치구’란 무엇인가?", "‘Cell report’의 ‘방법’에 따르면 폼의 두께는 얼마인가?"]);
        assert_eq!(made[1].answer, "90 µm");
    }
}
