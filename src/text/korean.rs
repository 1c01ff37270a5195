//! Korean words to stems, without a dictionary: particles and endings come off by rule.
//!
//! A particle agrees with the sound before it (은/을/이/과 follow a final consonant, 는/를/가/와 a
//! vowel), which alone keeps most nouns that merely end like a particle (`평가`, `차이`) whole.
//! What is left of the ambiguity does not hurt much: both sides of a search are cut alike, and
//! syllable bigrams stand beside the stem.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Precomposed Hangul syllables.
pub(super) fn is_syllable(c: char) -> bool {
    ('\u{AC00}'..='\u{D7A3}').contains(&c)
}

/// What a suffix demands of the syllable before it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    Any,
    Consonant,
    Vowel,
    /// A vowel or ㄹ, as 로 does.
    VowelOrRieul,
}

impl After {
    fn allows(self, syllable: char) -> bool {
        let final_consonant = (syllable as u32).wrapping_sub(0xAC00) % 28;
        match self {
            After::Any => true,
            After::Consonant => final_consonant != 0,
            After::Vowel => final_consonant == 0,
            After::VowelOrRieul => matches!(final_consonant, 0 | 8),
        }
    }
}

struct Suffix {
    syllables: Vec<char>,
    after: After,
    /// Syllables that must remain.
    keep: usize,
}

/// Suffixes by their last syllable, longest first.
type Suffixes = HashMap<char, Vec<Suffix>>;

/// Case particles, topic markers and the compounds they form, with what they follow.
const PARTICLES: &[(After, usize, &str)] = &[
    (After::Consonant, 1, "은 을"),
    (After::Vowel, 1, "는 를"),
    (After::Any, 1, "에 에서 에게 부터 까지 에는 에서는 에서의"),
    (After::Consonant, 2, "이 과 으로 으로써 으로서 으로는 으로도 으로의 으로부터 이나 이라도 이든 과의 과는 과도"),
    (After::Vowel, 2, "가 와 나 라도 든 와의 와는 와도"),
    (After::VowelOrRieul, 2, "로 로써 로서 로는 로도 로의 로부터"),
    (
        After::Any,
        2,
        "의 도 만 에도 에서도 에의 에서부터 에게서 에게는 께서 부터는 부터의 까지는 까지의 까지도 처럼 보다 보다는 마다 조차 마저 \
         밖에 뿐 뿐만 대로 만큼 만의 만을 만이 만으로 한테 이랑",
    ),
];

/// Endings that make a word of a noun: the light verbs 하다, 되다, 시키다, the copula, -적.
static ENDINGS: LazyLock<Suffixes> = LazyLock::new(|| {
    let mut table = Vec::new();
    // The forms of a light verb: plain, -ㄴ, -ㄹ, -ㅁ, -ㅂ, infinitive, past.
    let verbs: [([&str; 5], &[&str], &[&str]); 3] = [
        (["하", "한", "할", "함", "합"], &["해", "하여"], &["했", "하였"]),
        (["되", "된", "될", "됨", "됩"], &["돼", "되어"], &["됐", "되었"]),
        (["시키", "시킨", "시킬", "시킴", "시킵"], &["시켜"], &["시켰", "시키었"]),
    ];
    let plain = "다 는 고 며 면 지 기 게 던 도록 거나 므로 려 려는 려고 자 면서 지만 지는 는가 는지 는데 는데도 십시오 시오 세요 느냐 나";
    let past = "다 다고 다는 다며 으며 으면 고 던 음 으나 는데 는데도 습니다 습니까 지만 는가 는지 을 으므로 기 었다 었던 나 느냐";
    for ([base, n, l, m, b], infinitives, pasts) in verbs {
        add(&mut table, After::Any, 2, base, plain);
        add(&mut table, After::Any, 2, n, "- 다 다고 다는 다며 다면 지 가 데");
        add(&mut table, After::Any, 2, l, "- 수록 까 지");
        add(&mut table, After::Any, 2, m, "- 으로써 으로서");
        add(&mut table, After::Any, 2, b, "니다 니까");
        for infinitive in infinitives {
            add(&mut table, After::Any, 2, infinitive, "- 서 야 도 왔다 온 야만 졌다 진");
        }
        for stem in pasts {
            add(&mut table, After::Any, 2, stem, past);
        }
    }
    add(
        &mut table,
        After::Any,
        2,
        "",
        "인가 인지 인데 이다 이며 이고 이었다 이었으며 이었던 입니다 입니까 이지만 이란 이라는 이라고 이라 적 적인 적으로",
    );
    add(&mut table, After::Vowel, 2, "", "였다 였으며 였던 였고 란 라는 라고 며");
    // Predicates of their own: the tense and what follows it.
    for past_stem in ["었", "았"] {
        add(&mut table, After::Any, 1, past_stem, past);
    }
    add(&mut table, After::Consonant, 1, "", "습니다 으며 으면 으므로 으면서");
    add(&mut table, After::Any, 2, "", "지만 거나 도록 면서 는데 는가 는지 지는 지도");
    index(table)
});

static PARTICLE_TABLE: LazyLock<Suffixes> = LazyLock::new(|| {
    let mut table = Vec::new();
    for &(after, keep, suffixes) in PARTICLES {
        add(&mut table, after, keep, "", suffixes);
    }
    index(table)
});

/// Function words, question words and empty predicates, as stems.
const STOP_WORDS: &str = "것 것이 것이다 것으로 것인가 수 등 및 또 또는 그 이 저 더 때 중 즉 각 약 위 후 그리고 그러나 하지만 따라서 때문 대한 대해 대하여 \
     위한 위해 위하여 통한 통해 통하여 의한 의해 의하여 관한 관해 관하여 따른 따라 인한 인해 한 한다 할 함 해 된 된다 될 됨 돼 인 인가 인지 \
     입니다 입니까 합니까 됩니까 한가 같은 같이 이러한 그러한 이런 그런 이는 그는 모든 여러 다른 가장 매우 무엇 무엇인 무엇인가 무엇인지 무엇이 뭐 \
     누구 누구인가 누가 어디 어디인가 언제 언제인가 어느 어떤 어떻게 왜 얼마 얼마나 얼마인가 몇 무슨 알려 알려줘 설명해줘 우리 본";

/// Predicates that are stop words in every form: 있다, 없다, 하다, 되다, 이다, 아니다, and their past.
const EMPTY_PREDICATES: [&str; 16] =
    ["있", "없", "하", "되", "이", "아니", "있었", "없었", "하였", "되었", "이었", "아니었", "했", "됐", "였", "않"];
const ENDINGS_OF_PREDICATES: &str = "- 다 는 고 며 면 은 을 던 기 지 게 도록 거나 는가 는지 는데 나 나요 었 었다 었는가 었는지 으며 으면 으나 었던 다고 다는 습니까 습니다 어 어서 여";

static STOP: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let predicates = EMPTY_PREDICATES.iter().flat_map(|base| {
        let endings = ENDINGS_OF_PREDICATES.split_whitespace();
        endings.map(move |ending| format!("{base}{}", ending.trim_start_matches('-')))
    });
    STOP_WORDS.split_whitespace().map(str::to_owned).chain(predicates).collect()
});

/// True for a stem that carries no subject.
pub(super) fn is_stop_word(stem: &str) -> bool {
    STOP.contains(stem)
}

/// How many syllables of `word` are its stem.
pub(super) fn stem_len(word: &[char]) -> usize {
    // 개발하는 ends in 하는 before it ends in 는.
    let verbal = strip(&ENDINGS, word);
    if verbal < word.len() {
        return verbal;
    }
    let mut len = strip(&PARTICLE_TABLE, word);
    if len >= 3 && word[len - 1] == '들' {
        len -= 1;
    }
    strip(&ENDINGS, &word[..len])
}

/// True when all of `word` is a particle, as 을 in `NCM811을`, whatever stood before it.
pub(super) fn is_particle(word: &[char]) -> bool {
    let Some(last) = word.last() else { return false };
    [&*PARTICLE_TABLE, &*ENDINGS].iter().any(|t| t.get(last).is_some_and(|s| s.iter().any(|s| s.syllables == word)))
}

fn strip(suffixes: &Suffixes, word: &[char]) -> usize {
    let Some(candidates) = word.last().and_then(|last| suffixes.get(last)) else { return word.len() };
    for suffix in candidates {
        if let Some(stem) = word.strip_suffix(suffix.syllables.as_slice())
            && stem.len() >= suffix.keep
            && suffix.after.allows(stem[stem.len() - 1])
        {
            return stem.len();
        }
    }
    word.len()
}

/// Adds `prefix` + each of `suffixes` (white space between them, `-` for none).
fn add(table: &mut Vec<Suffix>, after: After, keep: usize, prefix: &str, suffixes: &str) {
    for suffix in suffixes.split_whitespace() {
        let suffix = if suffix == "-" { "" } else { suffix };
        table.push(Suffix { syllables: prefix.chars().chain(suffix.chars()).collect(), after, keep });
    }
}

fn index(table: Vec<Suffix>) -> Suffixes {
    let mut suffixes = Suffixes::new();
    for suffix in table {
        if let Some(&last) = suffix.syllables.last() {
            suffixes.entry(last).or_default().push(suffix);
        }
    }
    for list in suffixes.values_mut() {
        list.sort_by_key(|s| std::cmp::Reverse(s.syllables.len()));
    }
    suffixes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(word: &str) -> String {
        let syllables: Vec<char> = word.chars().collect();
        syllables[..stem_len(&syllables)].iter().collect()
    }

    #[test]
    fn particles_come_off() {
        for word in
            ["전해질은", "전해질을", "전해질이", "전해질의", "전해질에서", "전해질으로부터", "전해질들은", "전해질까지"]
        {
            assert_eq!(stem(word), "전해질", "{word}");
        }
        assert_eq!(stem("배터리를"), "배터리");
        assert_eq!(stem("값을"), "값");
    }

    #[test]
    fn a_noun_that_ends_like_a_particle_stays_whole() {
        for word in ["평가", "차이", "효과", "온도", "도로", "주의", "가을", "회의", "결과"] {
            assert_eq!(stem(word), word);
        }
    }

    #[test]
    fn endings_come_off_nouns() {
        for word in [
            "개발하였다",
            "개발된",
            "개발되었으며",
            "개발함",
            "개발하는",
            "개발하기",
            "개발했습니다",
            "개발함으로써",
            "개발시킨",
            "개발이다",
        ] {
            assert_eq!(stem(word), "개발", "{word}");
        }
        assert_eq!(stem("전기화학적으로"), "전기화학");
        assert_eq!(stem("높았으며"), "높");
    }

    #[test]
    fn a_particle_alone_is_recognised() {
        assert!(is_particle(&['을']) && is_particle(&['에', '서', '는']) && is_particle(&['이', '다']));
        assert!(!is_particle(&['화', '학']));
    }
}
