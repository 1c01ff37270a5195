//! Filters that let no passage through: which they are, and what the index has to filter on.
//!
//! A reader who mistypes a document type must not be told that the documents hold no answer: nobody looked at them.

use super::{Parts, RetrieveError, SearchOptions, filter};
use crate::document::Language;
use crate::index::Filter;

/// Values of a field that are told, the most frequent first; of more only the number is.
const TOLD: usize = 10;

/// Filters that no passage of the index passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmatched {
    fields: Vec<Field>,
    years: [Option<i64>; 2],
}

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
        let known = parts.store.facet(key, Some(&seen))?.into_iter().map(|(value, _)| value).collect();
        Ok(Field { names, asked: asked.clone(), known })
    });
    Ok(Some(Unmatched { fields: fields.collect::<Result<_, RetrieveError>>()?, years }))
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
        std::iter::once(first).chain(self.fields.iter().map(|f| f.known(language))).collect::<Vec<_>>().join(" ")
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
    /// What a person is told, a sentence each.
    pub fn messages(&self, language: Language) -> Vec<String> {
        let institutions = (!self.institutions.is_empty()).then(|| self.institutions.join(", "));
        let left = institutions.map(|names| match language {
            Language::Ko => format!("기관: {names}"),
            Language::En | Language::Other => format!("institution: {names}"),
        });
        let left: Vec<String> = left.into_iter().chain(years(self.years, language)).collect();
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
