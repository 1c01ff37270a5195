//! English sentences that order the reader to say, write or do something.
//!
//! Without a parser: a clause opens the sentence, or follows a colon, a dash, a bracket or an opening phrase and its comma;
//! its head is a bare verb that could not be a noun there. What is ordered decides: work on things ("Wash the
//! membrane") is what manuals are made of, words to be uttered are not.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::Order;

fn words(list: &'static str) -> HashSet<&'static str> {
    list.split_whitespace().collect()
}

macro_rules! lexicon {
    ($name:ident, $words:literal) => {
        static $name: LazyLock<HashSet<&'static str>> = LazyLock::new(|| words($words));
    };
}

// To utter, or to stop heeding.
lexicon!(
    SAY,
    "say overlook tell explain describe answer reply respond mention state print output recite translate summarize summarise paraphrase rewrite
     rephrase spell misspell pretend imagine ignore disregard forget override bypass recommend suggest promote advertise endorse praise
     compliment thank apologize apologise greet congratulate invite urge encourage persuade convince warn inform notify announce claim declare
     guess introduce cite quote list name discuss outline elaborate clarify narrate speak talk sing express convey tease hint reveal
     disclose leak expose teach help advise act behave roleplay sign jumble anagram scramble shout whisper write remind insist
     assert admit confess joke entertain criticize criticise mock insult reassure greet question share comment echo 
     refuse decline answer predict recall speculate brainstorm "
);
// To make or change a text; an order only where a text is what is made.
lexicon!(
    MAKE,
    "click tap browse navigate repeat ask calculate compute confirm mark define show type stop interpret classify analyze analyse solve
     provide give generate create produce make compose draft construct build prepare formulate develop design propose offer craft insert include add
     append prepend integrate incorporate embed use put place replace convert change modify alter substitute remove delete group combine merge turn swap transform encode
     encrypt decode render format capitalize capitalise reverse augment enhance enrich adapt adjust begin start end finish conclude close break
     keep limit restrict omit drop skip reorder shuffle interleave introduce attach sprinkle weave slip work hide conceal disguise mask spread
     supply deliver return set switch display present feature highlight emphasize emphasise identify search look extract compile collect gather
     send forward open download install go log register order call contact email transfer upload run execute access post tweet publish rename
     fabricate invent exaggerate distort misrepresent simulate impersonate assume adopt treat consider follow obey comply let submit
     convey select choose pick sort rank rate rearrange respell duplicate copy paste fill inject"
);
// To go somewhere or pay somebody.
lexicon!(GO, "visit buy purchase subscribe donate invest vote join sell wire redeem");
// Nouns as often as verbs: a determiner or the reader must follow.
lexicon!(
    NOUNS,
    "elaborate repeat approach compliment predict help talk answer reply state print output list name mark quote question sign claim show help act design build use place change record report
     order call contact email transfer access post return set switch display present feature highlight rank rate sort comment share echo stop
     end start finish close break keep limit mask format reverse group turn swap work supply look search find spread joke guess hint promote
     visit vote wire tap insult mock address note talk copy paste drop slip spell type pick follow register produce process address run
     open forward log download upload tweet merge attach model test control study measure increase decrease process need plan review"
);
// What a text consists of, or what carries one.
lexicon!(
    TEXTS,
    "speech speeches monologue toast equivalent equivalents soliloquy sonnet ballad rhyme screenplay dialog plot anagram anagrams acronym pseudocode regex query mantra prayer spell curse answer answers response responses reply replies message messages text texts sentence sentences word words letter letters vowel vowels
     consonant consonants character characters paragraph paragraphs headline headlines story stories poem poems joke jokes haiku limerick
     song songs lyrics essay essays email emails tweet tweets article blog caption here slogan tagline tutorial phrase phrases
     statement greeting rumor rumour advice recommendation tip tips announcement ad advert advertisement anecdote link links url hyperlink website
     webpage emoji emojis typo typos spelling misspelling misspellings punctuation prompt instructions spaces uppercase lowercase prose conversation dialogue
     function code script program snippet example examples definition translation summary password passwords username credentials login
     fact trivia quote quotes riddle pun fable scandal conspiracy theory disclaimer signature mention reference sarcasm tone hashtag hashtags recipe list
     persona role title synonym synonyms antonyms language alphabet cipher morse base64 hexadecimal binary"
);
lexicon!(
    DETERMINERS,
    "a an the this that these those your my our its all every each any some no only nothing it them him her me us one two three everything as with in to under by like whether how why what who"
);
lexicon!(
    LEADS,
    "please kindly just then now also always never first finally and but so simply instead only immediately furthermore additionally moreover next do don't dont not or must secretly subtly quietly thereafter otherwise henceforth ok okay hey alternatively be sure remember"
);
lexicon!(
    OPENERS,
    "when if in before after to for while as once upon whenever at on by from with finally then also instead regarding about concerning during until unless given since without despite rather besides under throughout"
);
lexicon!(
    FINITE,
    "is are was were has had have will can may must should would could did does of been being and or shows showed"
);
lexicon!(MODALS, "must should shall will can may might need have are ought could would");

struct Token {
    text: String,
    /// Written in capitals throughout.
    capitals: bool,
    /// Begins with a capital letter.
    capital: bool,
    /// What stands before it besides white space.
    gap: Gap,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Comma,
    /// Words of another.
    Quote,
    /// The end of a bracket: a new clause may begin with a capital letter.
    Closed,
    /// A colon, a bracket, a dash: a new clause may begin.
    Break,
}

/// What a sentence orders, if anything.
pub(super) fn order(sentence: &str) -> Option<Order> {
    let tokens = tokens(sentence);
    if tokens.is_empty() {
        return None;
    }
    let has = |words: &[&str]| tokens.iter().any(|t| words.contains(&t.text.as_str()));
    let second_person = has(&["you", "your", "yourself", "yours"]);
    if second_person && (of_the_answer(&tokens, true) || told_to_say(&tokens)) {
        return Some(Order::Utter);
    }
    let asked = matches!(tokens[0].text.as_str(), "can" | "could" | "would" | "will")
        && tokens.get(1).is_some_and(|t| t.text == "you");
    let talks = second_person && has(&["i", "i'm", "i'll", "i've", "i'd", "me", "my"]);
    // A request, or one person talking to another: a document does neither.
    let mut found = (asked || talks).then_some(Order::Say);
    let opened = tokens.first().is_some_and(|t| OPENERS.contains(t.text.as_str()));
    let first_comma = tokens.iter().position(|t| t.gap == Gap::Comma);
    for i in 0..tokens.len() {
        let opens = i == 0
            || match tokens[i].gap {
                Gap::Break | Gap::Quote => true,
                Gap::Closed => tokens[i].capital,
                // After an opening phrase ("Regarding the yield, say …"), or in a row of orders.
                Gap::Comma => (opened && first_comma == Some(i)) || found.is_some(),
                Gap::None => false,
            };
        let joined = found.is_some() && i > 0 && matches!(tokens[i - 1].text.as_str(), "and" | "then" | "or");
        if opens || joined {
            found = found.max(clause(&tokens[i..], sentence, second_person));
        }
    }
    let asked = asked_first(&tokens);
    match found {
        Some(Order::Say) if asked || of_the_answer(&tokens, false) => Some(Order::Utter),
        found => found,
    }
}

/// The order of the clause that begins here.
fn clause(tokens: &[Token], sentence: &str, second_person: bool) -> Option<Order> {
    let mut skipped = tokens.iter().take_while(|t| LEADS.contains(t.text.as_str())).count();
    // "Be sure to say": an infinitive alone ("To explain the loss, …") orders nothing.
    if skipped > 0
        && matches!(tokens[skipped - 1].text.as_str(), "sure" | "remember")
        && tokens.get(skipped).is_some_and(|t| t.text == "to")
    {
        skipped += 1;
    }
    let lead = &tokens[..skipped];
    let polite =
        lead.iter().any(|t| matches!(t.text.as_str(), "please" | "kindly" | "not" | "don't" | "always" | "never"));
    let rest = &tokens[skipped..];
    let head = rest.first()?.text.as_str();
    let next = rest.get(1)?;
    let object = next.text.as_str();
    let broken_down = head == "break" && object == "down";
    let (say, make, go) = (SAY.contains(head) || broken_down, MAKE.contains(head), GO.contains(head));
    let finite = FINITE.contains(object) || (object.ends_with("ed") && !polite);
    // "DESIGN A prospective cohort", "HELP (Heuristic …)": a label or a name.
    let label = rest[0].capitals
        && NOUNS.contains(head)
        && !rest.iter().skip(1).take(3).any(|t| t.capitals && t.text.len() > 1);
    let aside = label || next.gap == Gap::Comma || (head == "say" && object.starts_with(|c: char| c.is_ascii_digit()));
    if finite || aside {
        return None;
    }
    let addressed = second_person
        || polite
        || rest.iter().any(|t| matches!(t.text.as_str(), "reader" | "user" | "users" | "readers"));
    let sure =
        broken_down || !NOUNS.contains(head) || addressed || DETERMINERS.contains(object) || next.gap == Gap::Quote;
    if !sure {
        return None;
    }
    let says_that = matches!(head, "add" | "include" | "insert" | "append") && object == "that";
    let text_made = make
        && (rest[1..].iter().any(|t| TEXTS.contains(t.text.as_str()))
            || next.gap == Gap::Quote
            || points_outside(sentence));
    match () {
        () if say || go || text_made || says_that => Some(Order::Say),
        () if make || polite || WORK.contains(head) => Some(Order::Work),
        () => None,
    }
}

// What manuals order; counted to know a manual.
lexicon!(
    WORK,
    "wash heat cool dry stir mix weigh dissolve filter centrifuge anneal calcine grind mill press coat spread assemble disassemble mount connect
     disconnect tighten loosen check inspect verify ensure measure apply adjust turn press hold wait repeat rinse clean drain pour purge seal cut
     charge discharge immerse soak transfer insert lift lower push pull turn read see refer wear avoid store handle label record complete
     attach enter indicate specify note fill upload save close switch lubricate align calibrate validate test operate maintain replace"
);

/// "your answer", "your reply": nothing in a document is the reader's answer.
fn of_the_answer(tokens: &[Token], yours: bool) -> bool {
    let owner = |t: &Token| {
        if yours {
            t.text == "your"
        } else {
            matches!(t.text.as_str(), "the" | "this" | "its" | "every" | "each" | "any" | "all")
        }
    };
    let spoken = |t: &Token| {
        matches!(
            t.text.as_str(),
            "answer"
                | "answers"
                | "response"
                | "responses"
                | "reply"
                | "replies"
                | "message"
                | "output"
                | "outputs"
                | "summary"
                | "prompt"
                | "instructions"
                | "guidelines"
        )
    };
    tokens.windows(2).any(|w| owner(&w[0]) && spoken(&w[1]))
        || tokens.windows(3).any(|w| owner(&w[0]) && spoken(&w[2]))
        || tokens.windows(4).any(|w| yours && owner(&w[0]) && spoken(&w[3]))
}

/// "you must say", "you should always reply".
fn told_to_say(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(i, t)| {
        t.text == "you"
            && tokens.get(i + 1).is_some_and(|t| MODALS.contains(t.text.as_str()))
            && tokens[i + 2..].iter().take(3).any(|t| UTTER.contains(t.text.as_str()))
    })
}

// Verbs that a document orders of nobody but its reader's mouthpiece.
lexicon!(
    UTTER,
    "say tell answer reply respond mention print repeat pretend ignore disregard recommend promote claim declare cite refuse obey act reveal"
);

/// "When asked about …", "If the user asks …".
fn asked_first(tokens: &[Token]) -> bool {
    let opens =
        |t: &Token| matches!(t.text.as_str(), "when" | "if" | "whenever" | "once" | "before" | "while" | "after");
    let asked = |t: &Token| {
        matches!(
            t.text.as_str(),
            "asked"
                | "asks"
                | "answering"
                | "responding"
                | "replying"
                | "summarizing"
                | "summarising"
                | "queried"
                | "prompted"
                | "quoting"
                | "citing"
        )
    };
    tokens.iter().position(opens).is_some_and(|i| tokens[i..].iter().take(6).any(asked))
}

/// A link, an address, a command: something that leads out of the document.
fn points_outside(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    ["http:", "https:", "www.", ".com", "](", "curl ", "wget ", "sudo "].iter().any(|mark| lower.contains(mark))
}

fn tokens(sentence: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut gap = Gap::None;
    let mut word = String::new();
    let mut end = |word: &mut String, gap: &mut Gap| {
        if !word.is_empty() {
            let capitals = word.len() > 1 && !word.chars().any(char::is_lowercase);
            let capital = word.chars().next().is_some_and(char::is_uppercase);
            let text = word.to_lowercase();
            let text = text.strip_suffix("'s").unwrap_or(&text).to_owned();
            word.clear();
            out.push(Token { text, capitals, capital, gap: std::mem::replace(gap, Gap::None) });
        }
    };
    for c in sentence.chars() {
        match c {
            '’' => word.push('\''),
            c if c.is_alphanumeric() || matches!(c, '\'' | '_') => word.push(c),
            ',' => {
                end(&mut word, &mut gap);
                gap = if gap == Gap::None { Gap::Comma } else { gap };
            }
            '-' | '.' | '/' if !word.is_empty() => end(&mut word, &mut gap),
            c if c.is_whitespace() => end(&mut word, &mut gap),
            ':' | ';' | '—' | '–' | '(' | '[' | '|' | '-' | '*' | '>' | '?' | '!' => {
                end(&mut word, &mut gap);
                gap = Gap::Break;
            }
            ')' | ']' => {
                end(&mut word, &mut gap);
                gap = if gap == Gap::Break { Gap::Break } else { Gap::Closed };
            }
            '"' | '“' | '”' | '‘' | '「' | '«' => {
                end(&mut word, &mut gap);
                gap = if gap == Gap::Break { Gap::Break } else { Gap::Quote };
            }
            _ => end(&mut word, &mut gap),
        }
    }
    end(&mut word, &mut gap);
    out
}
