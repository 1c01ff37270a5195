//! What a cosine of an encoder is worth: how near texts lie that have nothing to do with each other, within a language and across.
//!
//! Encoders differ: unrelated texts have a cosine of 0.05 in one model and of 0.78 in another, and lie nearer in one language than
//! in two. In: an encoder. Out: for a question's vector, by how many standard deviations a cosine exceeds that of
//! [`SENTENCES`], which speak of sixteen different things and say the same in Korean and in English. They also tell whether
//! the encoder joins the two languages at all.

use super::{EmbedError, Embedder, Side, dot, normalise};
use crate::document::Language;

/// One thing each, in both languages.
const SENTENCES: [[&str; 2]; 16] = [
    [
        "김치찌개는 묵은지를 넣고 오래 끓여야 맛이 난다.",
        "Kimchi stew tastes best when old kimchi simmers in it for a long time.",
    ],
    [
        "심사위원회는 접수된 과제를 두 차례에 걸쳐 평가하였다.",
        "The review panel assessed the submitted projects in two rounds.",
    ],
    [
        "환자의 혈압은 약을 바꾼 뒤 사흘 만에 내려갔다.",
        "The patient's blood pressure fell three days after the drug was changed.",
    ],
    [
        "교량 상판의 균열은 겨울철 염화칼슘 때문에 커졌다.",
        "Cracks in the bridge deck grew because of road salt in winter.",
    ],
    ["중앙은행은 기준금리를 0.25 %포인트 올렸다.", "The central bank raised its base rate by 0.25 percentage points."],
    [
        "이 알고리즘은 정렬된 배열에서 원소를 빠르게 찾는다.",
        "This algorithm finds an element of a sorted array quickly.",
    ],
    ["조선 후기의 시장은 닷새마다 열렸다.", "Markets of the late Joseon period were held every five days."],
    [
        "철새 수천 마리가 가을마다 이 갯벌에 머문다.",
        "Thousands of migrating birds rest on this tidal flat every autumn.",
    ],
    ["위성은 두 시간마다 지구를 한 바퀴 돈다.", "The satellite circles the Earth once every two hours."],
    ["소설의 주인공은 고향으로 돌아가지 못한다.", "The hero of the novel cannot return to his home town."],
    [
        "알루미늄 합금은 열처리 온도에 따라 강도가 달라진다.",
        "The strength of the aluminium alloy depends on the temperature of its heat treatment.",
    ],
    ["우리 팀은 후반전에 두 골을 넣어 이겼다.", "Our team won with two goals in the second half."],
    [
        "법원은 계약이 처음부터 무효라고 판단하였다.",
        "The court held that the contract had been void from the beginning.",
    ],
    ["벼는 물을 댄 논에서 여름 내내 자란다.", "Rice grows all summer in flooded fields."],
    ["학생들은 방학 동안 도서관에서 자원봉사를 했다.", "The students volunteered at the library during the holidays."],
    ["플라스틱 쓰레기는 해류를 따라 먼바다로 흘러간다.", "Plastic waste drifts into the open sea with the currents."],
];
/// An encoder joins the languages if at least so many of the sentences find their translation first, either way.
const JOINED: usize = 14;

/// The sentences in an encoder's space.
pub struct Background {
    /// Korean, English.
    texts: [Vec<Vec<f32>>; 2],
    /// Standard deviation of the cosines of a question in one language to unrelated texts in one.
    spread: [[f32; 2]; 2],
}

impl Background {
    /// Measures an encoder; `None` if it does not join the two languages.
    pub fn of(encoder: &dyn Embedder) -> Result<Option<Background>, EmbedError> {
        let encode = |side: Side| -> Result<[Vec<Vec<f32>>; 2], EmbedError> {
            let one = |i: usize| encoder.embed(&SENTENCES.map(|pair| pair[i]), side);
            let mut both = [one(0)?, one(1)?];
            both.iter_mut().flatten().for_each(|vector| normalise(vector));
            Ok(both)
        };
        let (questions, texts) = (encode(Side::Query)?, encode(Side::Document)?);
        let cosines = |from: usize, to: usize| -> Vec<Vec<f32>> {
            questions[from].iter().map(|q| texts[to].iter().map(|t| dot(q, t)).collect()).collect()
        };
        let finds = |table: &[Vec<f32>]| {
            let first = |(i, row): &(usize, &Vec<f32>)| row.iter().all(|cosine| *cosine <= row[*i]);
            table.iter().enumerate().filter(first).count()
        };
        let joined = [cosines(0, 1), cosines(1, 0)].iter().all(|table| finds(table) >= JOINED);
        let spread = [0, 1].map(|from| [0, 1].map(|to| spread(&cosines(from, to))));
        Ok((joined && spread.iter().flatten().all(|s| *s > 1e-6)).then_some(Background { texts, spread }))
    }

    /// For a question in `asked`: the cosine by chance to a text in `answered`, and how far such cosines spread.
    pub fn by_chance(&self, question: &[f32], asked: Language, answered: Language) -> (f32, f32) {
        let place = |language: Language| usize::from(language != Language::Ko);
        let texts = &self.texts[place(answered)];
        let length = dot(question, question).sqrt().max(f32::MIN_POSITIVE);
        let mean = texts.iter().map(|t| dot(question, t)).sum::<f32>() / (texts.len() as f32 * length);
        (mean, self.spread[place(asked)][place(answered)])
    }
}

/// Standard deviation of what lies off the diagonal, around the mean of its row.
fn spread(table: &[Vec<f32>]) -> f32 {
    let mut sum = 0.0;
    for (i, row) in table.iter().enumerate() {
        let others = || row.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, cosine)| *cosine);
        let mean = others().sum::<f32>() / (row.len() - 1) as f32;
        sum += others().map(|cosine| (cosine - mean).powi(2)).sum::<f32>() / (row.len() - 1) as f32;
    }
    (sum / table.len() as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::StaticModel;

    /// Knows its language only: a text is a place of its own, whatever it means.
    struct Apart;

    impl Embedder for Apart {
        fn id(&self) -> &str {
            "apart"
        }

        fn dim(&self) -> usize {
            64
        }

        fn embed(&self, texts: &[&str], _side: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
            let place = |text: &&str| text.bytes().fold(0usize, |sum, b| sum * 31 + usize::from(b)) % 64;
            Ok(texts.iter().map(|text| (0..64).map(|i| f32::from(u8::from(i == place(text)))).collect()).collect())
        }
    }

    #[test]
    fn an_encoder_that_joins_the_languages_has_one_and_another_has_none() {
        assert!(Background::of(&StaticModel::embedded().unwrap()).unwrap().is_some());
        assert!(Background::of(&Apart).unwrap().is_none());
    }

    #[test]
    fn a_related_text_exceeds_chance_in_either_language() {
        let model = StaticModel::embedded().unwrap();
        let background = Background::of(&model).unwrap().unwrap();
        let question = model.vector("전해질의 이온 전도도");
        for (text, language) in
            [("고체 전해질의 이온 전도도 측정", Language::Ko), ("ionic conductivity of the electrolyte", Language::En)]
        {
            let (mean, spread) = background.by_chance(&question, Language::Ko, language);
            let lift = (dot(&question, &model.vector(text)) - mean) / spread;
            assert!(lift > 2.0, "{text}: {lift}");
        }
    }
}
