//! What kind of thing a question asks for: an amount of money, a figure, a time, or something else.

/// What kind of thing a question asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    Money,
    Figure,
    Time,
    Other,
}

const MONEY: [&str; 11] =
    ["비용", "원가", "단가", "가격", "예산", "연구비", "cost", "price", "budget", "expensive", "funding"];
const TIME: [&str; 8] = ["언제", "몇 년", "연도", "when ", "what year", "which year", "마감일", "deadline"];
const FIGURE: [&str; 12] = [
    "얼마",
    "몇",
    "how much",
    "how many",
    "how high",
    "how large",
    "how thick",
    "how long",
    "what percentage",
    "what share",
    "수치",
    "값은",
];
/// Quantities that are asked for by name alone: `What is the yield of …?`, `…의 수율은?`
const QUANTITY_EN: [&str; 6] = ["rate", "ratio", "yield", "efficiency", "percentage", "share"];
const QUANTITY_KO: [&str; 9] = ["율은", "률은", "비율", "농도는", "온도는", "압력은", "속도는", "두께는", "밀도는"];
/// Signs of an amount of money.
const CURRENCY: [&str; 14] =
    ["원", "krw", "usd", "eur", "$", "€", "₩", "£", "won", "dollar", "euro", "budget", "억", "cost"];

fn names_a_quantity(lower: &str) -> bool {
    let asked = lower.trim_end_matches(['?', '？', '.', ' ']);
    let subject = ["what is the ", "what was the ", "what were the "].iter().find_map(|w| asked.strip_prefix(w));
    // Only the head of the subject: `the recycling rate of lithium`, not `the effect of the rate`.
    let head = subject.map(|s| s.split(" of ").next().unwrap_or(s));
    head.is_some_and(|h| h.split_whitespace().next_back().is_some_and(|w| QUANTITY_EN.contains(&w)))
        || QUANTITY_KO.iter().any(|w| asked.ends_with(w))
}

/// True for a question that a figure answers: an amount, a quantity, a time.
pub(crate) fn asks_for_a_figure(question: &str) -> bool {
    Cue::of(question).is_required()
}

impl Cue {
    pub(super) fn of(question: &str) -> Cue {
        let lower = question.to_lowercase();
        let any = |words: &[&str]| words.iter().any(|w| lower.contains(w));
        if any(&MONEY) && any(&["얼마", "how much", "what ", "몇"]) {
            Cue::Money
        } else if any(&TIME) {
            Cue::Time
        } else if any(&FIGURE) || names_a_quantity(&lower) {
            Cue::Figure
        } else {
            Cue::Other
        }
    }

    pub(super) fn is_required(self) -> bool {
        self != Cue::Other
    }

    pub(super) fn is_met(self, sentence: &str) -> bool {
        // The 2 of CO2 and the 811 of NCM811 are no figures.
        let mut words = sentence.split(|c: char| !c.is_alphanumeric());
        let digits = words.any(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        match self {
            Cue::Figure => digits,
            Cue::Time => {
                digits
                    && (sentence.split(|c: char| !c.is_ascii_digit()).any(|r| r.len() == 4) || sentence.contains('월'))
            }
            Cue::Money => digits && CURRENCY.iter().any(|c| sentence.to_lowercase().contains(c)),
            Cue::Other => false,
        }
    }
}
