//! Every place of a text that names or describes a person.

use std::borrow::Cow;

use super::{Label, names, numbers, places, whose};
use crate::document::Span;
use crate::text::width::narrowed;

/// One place, what stands there, and how that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where (bytes).
    pub span: Span,
    /// What.
    pub label: Label,
    /// Which rule saw it.
    pub rule: &'static str,
    /// How sure the rule is, 0 to 1: set by hand from what the rule needs to see, not a measured probability.
    pub confidence: f64,
}

/// Findings in the order of the text, none inside or across another. Where two rules meet, the surer one stays, then the longer.
/// Full-width characters are read as their ASCII twins.
pub fn find(text: &str) -> Vec<Finding> {
    let narrowed = narrowed(text);
    let mut found = in_order(&narrowed);
    if let Cow::Borrowed(_) = narrowed {
        return found;
    }
    // Where each character begins there, and where in `text`; both have as many.
    let ends = [(narrowed.len(), text.len())];
    let begins = narrowed.char_indices().zip(text.char_indices()).map(|((here, _), (at, _))| (here, at));
    let begins: Vec<(usize, usize)> = begins.chain(ends).collect();
    let there = |at: usize| begins[begins.partition_point(|(here, _)| *here < at).min(begins.len() - 1)].1;
    found.iter_mut().for_each(|f| f.span = Span { start: there(f.span.start), end: there(f.span.end) });
    found
}

fn in_order(text: &str) -> Vec<Finding> {
    let mut found = numbers::find(text);
    found.extend(places::find(text));
    found.extend(names::find(text));
    whose::keep_personal(text, &mut found);
    found.retain(|f| !f.span.is_empty());
    found.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(b.span.len().cmp(&a.span.len()))
            .then(a.span.start.cmp(&b.span.start))
    });
    let mut kept: Vec<Finding> = Vec::new();
    for finding in found {
        let at = kept.partition_point(|k| k.span.start < finding.span.start);
        let free = (at == 0 || kept[at - 1].span.end <= finding.span.start)
            && kept.get(at).is_none_or(|next| finding.span.end <= next.span.start);
        if free {
            kept.insert(at, finding);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in `text`, as `LABEL:words`.
    pub(crate) fn said(text: &str) -> Vec<String> {
        find(text).iter().map(|f| format!("{}:{}", f.label.name(), f.span.slice(text))).collect()
    }

    #[test]
    fn a_form_is_read_field_by_field() {
        let text = "성명: 김하늘\n주민등록번호: 850203-2234567\n주소: 가람특별시 서구 큰길로 12, 101동 502호 (우 30113)\n연락처: 010-2345-6789 / haneul.kim@lab.example\n여권번호 M12345678, 운전면허 11-22-123456-01\n계좌: 다온은행 301-22-445566 (예금주 김하늘)";
        assert_eq!(
            said(text),
            [
                "PERSON:김하늘",
                "RRN:850203-2234567",
                "ADDRESS:가람특별시 서구 큰길로 12, 101동 502호",
                "POSTAL_CODE:30113",
                "PHONE:010-2345-6789",
                "EMAIL:haneul.kim@lab.example",
                "PASSPORT:M12345678",
                "DRIVER_LICENSE:11-22-123456-01",
                "ACCOUNT:301-22-445566",
                "PERSON:김하늘",
            ]
        );
    }

    #[test]
    fn a_particle_behind_a_name_in_latin_letters_is_none_of_it() {
        assert_eq!(said("연구책임자는 Dr. Erik Lindqvist이다."), ["PERSON:Erik Lindqvist"]);
        assert_eq!(said("Contact: Anna Müller에게 묻는다."), ["PERSON:Anna Müller"]);
    }

    #[test]
    fn an_amount_is_nobody_and_a_passport_number_may_hold_letters() {
        assert_eq!(said("예산 1,450,000천원은 변동이 없습니다."), Vec::<String>::new());
        assert_eq!(said("His passport number is C01X00T47."), ["PASSPORT:C01X00T47"]);
        assert_eq!(said("The passport office is in BUILDING1."), Vec::<String>::new());
    }

    #[test]
    fn full_width_figures_and_letters_are_read_and_shown_as_they_stand() {
        assert_eq!(
            said("성명：김하늘, 연락처： ０１０－２３４５－６７８９ / ｈ．ｋｉｍ＠ｌａｂ．ｅｘａｍｐｌｅ"),
            ["PERSON:김하늘", "PHONE:０１０－２３４５－６７８９", "EMAIL:ｈ．ｋｉｍ＠ｌａｂ．ｅｘａｍｐｌｅ"]
        );
        assert_eq!(said("SSN: ０７８-０５-１１２０"), ["SSN:０７８-０５-１１２０"]);
        assert_eq!(said("078-٠5-1120"), Vec::<String>::new());
    }

    #[test]
    fn what_a_report_measures_is_nobody() {
        for text in [
            "과제번호 20213030040590의 2단계는 2024. 3. 1.에 시작하였다. 출원번호 10-2021-0012345.",
            "The cell kept 83.2 % after 500 cycles at 45 °C and 4.35 V; doi 10.1016/j.jpowsour.2020.228950.",
            "LiNi0.8Co0.1Mn0.1O2 (NCM811) 분말 1,200 kg을 6204-2RS 베어링 시험기에서 시험하였다.",
            "이상 반응은 없었고 정상화 공정은 안정성이 높았다. 신재생 에너지의 고도화와 전문화가 필요하다.",
            "Version 1.2.3.4 of the firmware ran on IEC 62619:2022 test benches in Section 4.1.2.",
        ] {
            assert_eq!(said(text), Vec::<String>::new(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn findings_are_ordered_disjoint_and_on_characters(text in ".{0,200}") {
            let mut at = 0;
            for finding in find(&text) {
                proptest::prop_assert!(finding.span.start >= at && text.get(finding.span.start..finding.span.end).is_some());
                at = finding.span.end;
            }
        }
    }
}
