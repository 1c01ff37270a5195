use serde::{Deserialize, Serialize};

/// Main language of a text, as far as this program treats languages differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
    /// Anything else, or too little text to say.
    #[default]
    Other,
}

impl Language {
    /// Every one.
    pub const ALL: [Language; 3] = [Language::Ko, Language::En, Language::Other];

    /// By script: Hangul syllables against Latin letters, codes (`NCM811`, `KIST`) not counted. Korean
    /// prose is full of Latin names, so Korean wins from a fifth of the letters on.
    pub fn detect(text: &str) -> Language {
        let (mut hangul, mut latin, mut other) = (0usize, 0usize, 0usize);
        for c in words(text).flat_map(str::chars).filter(|c| c.is_alphabetic()).take(4000) {
            match c {
                '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}' => hangul += 1,
                _ if c.is_ascii_alphabetic() => latin += 1,
                _ => other += 1,
            }
        }
        let letters = hangul + latin + other;
        if letters == 0 {
            Language::Other
        } else if hangul * 5 >= letters {
            Language::Ko
        } else if latin * 2 >= letters {
            Language::En
        } else {
            Language::Other
        }
    }

    /// `ko`, `en` or `other`.
    pub fn name(self) -> &'static str {
        match self {
            Language::Ko => "ko",
            Language::En => "en",
            Language::Other => "other",
        }
    }
}

/// Words that are not codes: runs of alphanumerics without an ASCII digit that are not all capitals.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let code = |w: &str| {
        let ascii: Vec<u8> = w.bytes().filter(u8::is_ascii_alphanumeric).collect();
        w.is_ascii()
            && (ascii.iter().any(u8::is_ascii_digit) || (w.len() > 1 && ascii.iter().all(u8::is_ascii_uppercase)))
    };
    text.split(|c: char| !c.is_alphanumeric()).filter(move |w| !w.is_empty() && !code(w))
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn korean_with_latin_names_is_korean() {
        assert_eq!(Language::detect("NCM811 양극재의 용량 유지율은?"), Language::Ko);
        assert_eq!(Language::detect("LiNi0.8Co0.1Mn0.1O2 전고체 KIST"), Language::Ko);
        assert_eq!(Language::detect("What is the capacity retention?"), Language::En);
        assert_eq!(Language::detect("Where is KIST?"), Language::En);
        assert_eq!(Language::detect("12.5 %"), Language::Other);
        assert_eq!(Language::detect("これは電池です"), Language::Other);
    }
}
