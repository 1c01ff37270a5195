//! Filters that let no passage through: which they are, and what the index has to filter on. And the documents that a
//! filter by year leaves out because they state none.
//!
//! A reader who mistypes a document type must not be told that the documents hold no answer: nobody looked at them.

use super::{Parts, RetrieveError, SearchOptions, filter, holds_word};
use crate::document::{Language, Passage};
use crate::index::{self, Filter};
use crate::text::{figures, may_be_year};

/// Values of a field that are told, the most frequent first; of more only the number is.
const TOLD: usize = 10;

/// Filters that no passage of the index passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmatched {
    fields: Vec<Field>,
    years: [Option<i64>; 2],
    undated: Option<Undated>,
}

/// How many documents state no year, so that a filter by year leaves them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undated(usize);

#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// What it is called: (a value, several) in Korean, then in English.
    names: ([&'static str; 2], [&'static str; 2]),
    asked: Vec<String>,
    known: Vec<String>,
}

/// The filters of `options`, where they let no passage through; `None` where there are none, or one passes. Asks the store for
/// counts, so ask it only where a search found nothing.
pub fn unmatched(parts: &Parts<'_>, options: &SearchOptions) -> Result<Option<Unmatched>, RetrieveError> {
    let language: Vec<String> = options.language.iter().map(|l| l.name().to_owned()).collect();
    let fields = [
        ("doc_type", (["문서 유형", "문서 유형"], ["type", "types"]), &options.doc_types),
        ("institution", (["기관", "기관"], ["institution", "institutions"]), &options.institutions),
        ("language", (["언어", "언어"], ["language", "languages"]), &language),
    ];
    let years = [options.year_from, options.year_to];
    let given = fields.iter().any(|(.., asked)| !asked.is_empty()) || years != [None, None];
    if !given || parts.store.count(Some(&filter(&parts.sector.name, options)))? > 0 {
        return Ok(None);
    }
    // What a reader is not cleared for does not exist for him.
    let seen = Filter::default().sector(&parts.sector.name).access_up_to(options.access);
    let asked = fields.into_iter().filter(|(.., asked)| !asked.is_empty());
    let fields = asked.map(|(key, names, asked)| {
        let known = match key {
            "institution" => index::institutions(parts.store, &seen)?,
            _ => parts.store.facet(key, Some(&seen))?,
        };
        let known = known.into_iter().map(|(value, _)| value).collect();
        Ok(Field { names, asked: asked.clone(), known })
    });
    let fields: Vec<Field> = fields.collect::<Result<_, RetrieveError>>()?;
    Ok(Some(Unmatched { fields, years, undated: undated(parts, options)? }))
}

/// Those that pass the other filters of `options`; `None` where there are none, or no filter by year. Of more documents
/// than a store lists some are not counted. To be asked, too, only where nothing that answers was found.
pub fn undated(parts: &Parts<'_>, options: &SearchOptions) -> Result<Option<Undated>, RetrieveError> {
    if (options.year_from, options.year_to) == (None, None) {
        return Ok(None);
    }
    let others = SearchOptions { year_from: None, year_to: None, ..options.clone() };
    let dated = SearchOptions { year_from: Some(0), ..others.clone() };
    let documents = |options: &SearchOptions| parts.store.facet("doc_id", Some(&filter(&parts.sector.name, options)));
    let number = documents(&others)?.len().saturating_sub(documents(&dated)?.len());
    Ok((number > 0).then_some(Undated(number)))
}

impl Undated {
    /// What a person is told.
    pub fn message(self, language: Language) -> String {
        let Undated(number) = self;
        match language {
            Language::Ko => format!(
                "연도가 적히지 않은 문서 {number}건은 연도 조건 때문에 찾지 않았습니다. 연도는 sector.toml의 \
                 `[records]`에 `year`로, 또는 `[[documents_override]]`로 정할 수 있습니다."
            ),
            Language::En | Language::Other => {
                let documents = if number == 1 { "document" } else { "documents" };
                format!(
                    "The filter by year leaves out {number} {documents} without a year; a year can be given in \
                     sector.toml, by `year` under `[records]` or by `[[documents_override]]`."
                )
            }
        }
    }
}

impl Unmatched {
    /// What a person is told.
    pub fn message(&self, language: Language) -> String {
        let asked: Vec<String> = self.fields.iter().map(|f| f.asked(language)).chain(self.years(language)).collect();
        let asked = asked.join("; ");
        let first = match language {
            Language::Ko => format!("조건에 맞는 문서가 이 분야에 없습니다({asked})."),
            Language::En | Language::Other => format!("No document of this sector passes the filter ({asked})."),
        };
        let known = self.fields.iter().map(|f| f.known(language));
        let undated = self.undated.map(|undated| undated.message(language));
        std::iter::once(first).chain(known).chain(undated).collect::<Vec<_>>().join(" ")
    }

    fn years(&self, language: Language) -> Option<String> {
        years(self.years, language)
    }
}

/// What a question says of years and institutions that no document matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetAside {
    /// Of the index, but of no document that the other restrictions let through.
    pub(super) institutions: Vec<String>,
    pub(super) years: [Option<i64>; 2],
    /// Institutes that none of the passages found names.
    pub(super) unnamed: Vec<String>,
}

impl SetAside {
    /// Without the years and institutions that one of these passages states in its text, while no field of its document states any: no
    /// filter lets it through, and it matches all the same. Of an open span of years all that are stated must lie in it: a goal for
    /// 2050 is not of a project since 2021.
    pub fn unless_said(mut self, cited: &[&Passage]) -> SetAside {
        let text = |p: &&Passage| format!("{}\n{}\n{}", p.title, p.path.join("\n"), p.text);
        let mut undated = cited.iter().filter(|p| p.metadata.year.is_none()).map(text);
        let [from, to] = self.years;
        let is_within = |year: i64| from.is_none_or(|from| from <= year) && to.is_none_or(|to| year <= to);
        let is_open = from.is_none() || to.is_none();
        let is_stated = |text: String| {
            let years = years_in(&text);
            years.iter().copied().any(is_within) && (!is_open || years.iter().copied().all(is_within))
        };
        if undated.any(is_stated) {
            self.years = [None, None];
        }
        let nobodys: Vec<String> = cited.iter().filter(|p| p.metadata.institution.is_none()).map(text).collect();
        self.institutions.retain(|name| !nobodys.iter().any(|text| holds_word(text, name)));
        self
    }

    /// What a person is told, a sentence each.
    pub fn messages(&self, language: Language) -> Vec<String> {
        let left = restricted_to(language, &self.institutions, self.years);
        let left = (!left.is_empty()).then(|| left.join("; ")).map(|left| match language {
            Language::Ko => format!("질문의 조건({left})에 맞는 문서가 없어, 이 조건 없이 찾았습니다."),
            Language::En | Language::Other => {
                format!("No document matches what the question restricts itself to ({left}); it was searched without.")
            }
        });
        let unnamed = self.unnamed.iter().map(|name| match language {
            Language::Ko => format!("찾은 문서에는 ‘{name}’(이)라는 이름이 없습니다."),
            Language::En | Language::Other => format!("None of the documents found names “{name}”."),
        });
        left.into_iter().chain(unnamed).collect()
    }
}

/// The years that a text names.
fn years_in(text: &str) -> Vec<i64> {
    let plain = figures(text).into_iter().filter(|f| matches!(f.unit.as_str(), "" | "년"));
    plain.filter(|f| may_be_year(&f.digits)).filter_map(|f| f.digits.parse().ok()).collect()
}

/// The institutions and years that something is restricted to, as a reader is told them.
pub fn restricted_to(language: Language, institutions: &[String], span: [Option<i64>; 2]) -> Vec<String> {
    let names = (!institutions.is_empty()).then(|| institutions.join(", "));
    let names = names.map(|names| match language {
        Language::Ko => format!("기관: {names}"),
        Language::En | Language::Other => format!("institution: {names}"),
    });
    names.into_iter().chain(years(span, language)).collect()
}

fn years(years: [Option<i64>; 2], language: Language) -> Option<String> {
    match (language, years) {
        (_, [None, None]) => None,
        (Language::Ko, [Some(from), None]) => Some(format!("연도: {from}년부터")),
        (Language::Ko, [None, Some(to)]) => Some(format!("연도: {to}년까지")),
        (Language::Ko, [Some(from), Some(to)]) => Some(format!("연도: {from}년부터 {to}년까지")),
        (Language::En | Language::Other, [Some(from), None]) => Some(format!("years: from {from}")),
        (Language::En | Language::Other, [None, Some(to)]) => Some(format!("years: up to {to}")),
        (Language::En | Language::Other, [Some(from), Some(to)]) => Some(format!("years: {from} to {to}")),
    }
}

impl Field {
    fn names(&self, language: Language) -> [&'static str; 2] {
        match language {
            Language::Ko => self.names.0,
            Language::En | Language::Other => self.names.1,
        }
    }

    fn asked(&self, language: Language) -> String {
        let [one, several] = self.names(language);
        format!("{}: {}", if self.asked.len() == 1 { one } else { several }, self.asked.join(", "))
    }

    fn known(&self, language: Language) -> String {
        let [one, several] = self.names(language);
        let told = self.known.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = self.known.len().saturating_sub(TOLD);
        match language {
            Language::Ko if told.is_empty() => format!("이 색인에는 {several} 정보가 없습니다."),
            Language::Ko if more > 0 => format!("이 색인의 {several}: {told} 외 {more}개."),
            Language::Ko => format!("이 색인의 {several}: {told}."),
            Language::En | Language::Other if told.is_empty() => {
                format!("No document of the index states its {one}.")
            }
            Language::En | Language::Other if more > 0 => {
                format!("The index has these {several}: {told}, and {more} more.")
            }
            Language::En | Language::Other => format!("The index has these {several}: {told}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_values_are_told_and_the_rest_is_counted() {
        let known = |n: usize| (0..n).map(|i| format!("t{i}")).collect();
        let names = (["문서 유형", "문서 유형"], ["type", "types"]);
        let of = |n| Unmatched {
            fields: vec![Field { names, asked: vec!["x".into(), "y".into()], known: known(n) }],
            years: [Some(1990), Some(1999)],
            undated: None,
        };
        let said = of(12).message(Language::En);
        assert!(said.starts_with("No document of this sector passes the filter (types: x, y; years: 1990 to 1999)."));
        assert!(
            said.ends_with("The index has these types: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, and 2 more."),
            "{said}"
        );
        assert!(of(12).message(Language::Ko).ends_with("t8, t9 외 2개."));
        assert!(of(2).message(Language::En).ends_with("types: t0, t1."));
        assert!(of(0).message(Language::Ko).ends_with("이 색인에는 문서 유형 정보가 없습니다."));
    }

    #[test]
    fn documents_without_a_year_are_counted_beside_a_filter_by_year() {
        let unmatched = Unmatched { fields: Vec::new(), years: [Some(2021), None], undated: Some(Undated(1)) };
        let en = unmatched.message(Language::En);
        assert!(en.starts_with("No document of this sector passes the filter (years: from 2021). The filter"), "{en}");
        assert!(en.contains("leaves out 1 document without a year") && en.contains("`[[documents_override]]`"), "{en}");
        let ko = unmatched.message(Language::Ko);
        assert!(ko.contains("연도가 적히지 않은 문서 1건은"), "{ko}");
        assert!(Undated(3).message(Language::En).contains("3 documents without"));
    }

    #[test]
    fn what_a_cited_text_states_was_not_left_aside() {
        let aside = || SetAside { institutions: vec!["한빛".into()], years: [Some(2021), None], unnamed: Vec::new() };
        let cited = Passage::whole(1, "Seals", "한빛 carried it out in 2022.");
        assert_eq!(aside().unless_said(&[&cited]), SetAside::default());
        let earlier = Passage::whole(1, "Seals", "It was carried out in 2019 at 2022 A.");
        assert_eq!(aside().unless_said(&[&earlier]), aside());
        let planned = Passage::whole(1, "Seals", "달한빛 carried it out in 2019, and 2050 is the goal.");
        assert_eq!(aside().unless_said(&[&planned]), aside());
        let closed = || SetAside { years: [Some(2019), Some(2019)], ..aside() };
        assert_eq!(closed().unless_said(&[&planned]), SetAside { years: [None, None], ..aside() });
        let mut other = cited.clone();
        (other.metadata.year, other.metadata.institution) = (Some(2019), Some("Dawon".into()));
        assert_eq!(aside().unless_said(&[&other]), aside(), "its fields say otherwise");
    }

    #[test]
    fn what_was_left_aside_of_a_question_is_said_in_both_languages() {
        let aside = SetAside {
            institutions: vec!["한빛".into()],
            years: [Some(2030), None],
            unnamed: vec!["대한수소연구원".into()],
        };
        let ko = aside.messages(Language::Ko);
        assert_eq!(ko[0], "질문의 조건(기관: 한빛; 연도: 2030년부터)에 맞는 문서가 없어, 이 조건 없이 찾았습니다.");
        assert_eq!(ko[1], "찾은 문서에는 ‘대한수소연구원’(이)라는 이름이 없습니다.");
        let en = aside.messages(Language::En);
        assert!(en[0].contains("(institution: 한빛; years: from 2030); it was searched without."), "{}", en[0]);
        assert!(SetAside::default().messages(Language::En).is_empty());
    }
}
