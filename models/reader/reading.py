"""Questions made out of real text's own sentences (after Lewis et al. 2019, unsupervised question answering by cloze translation).

`cloze(rng, texts, most, longest)` gives (task, prompt, answer) or None where the drawn text has nothing to ask for; `texts` is a list of
(title, text). A number, a name or a noun phrase is taken out of a sentence and an asking word put in; words are dropped, reordered and
replaced by near ones, so that the question does not repeat its sentence. Sentences that give a reason or can be asked for yes or no are answered
whole. Passages beside it come from the same text or another. What cannot be answered (the sentence is not there, or the question names
something else) gets the abstention sentence.
"""

import random
import re

from korean import PAIRS, particle
from phrasings import ABSTENTION

SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"(가-힣0-9])")
NAME = re.compile(r"[A-Z][\w-]+(?: (?:of |the |and )?[A-Z][\w-]+)*")
NUMBER = re.compile(r"(?:[$€£] ?)?\d[\d,.]*\d?(?: ?(?:%|percent|million|billion|[°µ]?[A-Za-z]{1,4}\b|억 원|만원|백만원|년|명|개|회|일|월|시간|분|가지|번|배))?")
PHRASE = re.compile(r"\b(?:the|a|an|its|their|of|in|with|by|from|for|using|called|and|as|into|on|to|including|between|through) ((?:[a-z][a-z-]+ ){0,3}[a-z][a-z-]{2,})(?=(?: (?:of|in|for|and|is|are|was|were|to|with|by|on|from|that|which|can|will|has|have|as|at|or)\b|[,.;)]))")
KOREAN_PHRASE = re.compile(r"[가-힣A-Za-z0-9]{2,}(?: [가-힣A-Za-z0-9]{2,}){0,2}(?=(?:은|는|이|가|을|를|의|에|에서|으로|로|와|과|라고|이라고|이다|입니다)(?:\s|\.))")
STOP = set("the a an its their his her our this that these those of in with by from for using and as into on to or is are was were be been being can could will would may might must shall should has have had do does did not it they we he she which who whom whose where when what how why there than then also such both between through during at but if so".split())
AUXILIARY = "is are was were can could will would has have may must should".split()
SYNONYMS = {
    "en": [s.split() for s in """use employ;uses employs;used employed;show demonstrate;shows demonstrates;showed demonstrated;large big;improve enhance;improves enhances;improved enhanced;increase rise;
        reduce lower;reduces lowers;reduced lowered;study research;project programme;aim goal;aims seeks;develop create;develops creates;developed created;build construct;built constructed;
        important crucial;main principal;method approach;methods approaches;new novel;begin start;began started;end finish;ended finished;help support;helps supports;give provide;gives provides;
        need require;needs requires;understand grasp;find discover;found discovered;make produce;makes produces;made produced;many numerous;often frequently;about regarding;allow enable;allows enables;
        cause trigger;causes triggers;people persons;problem issue;problems issues;part portion;test examine;tests examines;tested examined;cost expense;lead head;leads heads;led headed;fast quick;
        car vehicle;work operate;works operates;change alter;changes alters;choose select;chosen selected;combine join;predict forecast;students learners;scientists researchers;examine investigate;
        significantly considerably;obtain get;obtained got;situated located;happen occur;contain include;contains includes;investigate explore;purpose objective;total overall;amount quantity;funding money""".replace("\n", "").split(";")],
    "ko": [s.split() for s in """사용하는 쓰는;사용한 쓴;사용하여 써서;이용해 사용해;제공하는 주는;만드는 생성하는;중요한 핵심적인;필요한 요구되는;새로운 신규;변경하는 바꾸는;변경하면 바꾸면;포함하는 담고;
        다양한 여러;방법 방식;문제 이슈;결과 성과;시작하는 개시하는;증가하는 늘어나는;감소하는 줄어드는;큰 커다란;작은 조그마한;모든 전체;경우 때;이후 뒤;이전 앞;때문에 까닭에;계산하는 구하는;
        선택하는 고르는;추가하는 더하는;삭제하는 지우는;나타내는 보이는;의미하는 뜻하는;수행하는 하는;개발한 만든;연구 조사;사람 인물;장소 곳;이름 명칭;크기 규모""".replace("\n", "").split(";")],
}
ALIKE = {language: {**{p[0]: p[1] for p in pairs if len(p) == 2}, **{p[1]: p[0] for p in pairs if len(p) == 2}} for language, pairs in SYNONYMS.items()}


def sentences(text):
    return [s.strip() for s in SENTENCE.split(text) if s.strip()]


def language_of(text):
    hangul = sum("가" <= c <= "힣" for c in text)
    return "ko" if hangul * 3 > len(text.replace(" ", "")) else "en"


def held_out(rows, key, share):
    """Rows to learn from, and those that never are: so large a share, by what they say under `key`."""
    hidden = lambda r: random.Random(r[key]).random() < share
    return [r for r in rows if not hidden(r)], [r for r in rows if hidden(r)]


def cited(text, n):
    return f"{text.rstrip('.')} [{n}]."


def prompt(asked, passages, numbers=None):
    body = "\n\n".join(f"[{n}] {head}\n{text}" for n, (head, text) in zip(numbers or range(1, len(passages) + 1), passages))
    return f"{asked}\n\n{body}\n\n{asked}"


def cloze(rng, texts, most=4, longest=500):
    place = rng.randrange(len(texts))
    title, text = texts[place]
    parts = sentences(text)
    first, own = window(rng, parts, longest)
    candidates = [i for i, s in enumerate(own) if 40 < len(s) < 300 and s[-1] in ".!)"]
    if not candidates:
        return None
    at = rng.choice(candidates)
    chosen = own[at]
    language = language_of(chosen)
    made = (asked_en if language == "en" else asked_ko)(rng, chosen)
    if not made:
        return None
    question, answer = made
    form = rng.random()
    if form < 0.12:
        own = [s for i, s in enumerate(own) if i != at]
        if not own or (answer != chosen and answer in " ".join(own)):
            return None
    elif form < 0.2:
        question = swapped(rng, question, sentences(rng.choice(texts)[1]), text, language)
        if not question:
            return None
    abstains = form < 0.2
    passages = [(title, " ".join(own), True)]
    rest = parts[:first] + parts[first + len(own) + (form < 0.12):]
    for _ in range(rng.randint(1, most) - 1):
        if len(rest) > 2 and rng.random() < 0.4:
            # Another part of the same text, which does not hold the answer.
            body = " ".join(window(rng, rest, longest)[1])
            if answer not in body and all(body != b for _, b, _ in passages):
                passages.append((title, body, False))
        else:
            t, body = rng.choice(texts)
            if t != title:
                passages.append((t, " ".join(window(rng, sentences(body), longest)[1]), False))
    rng.shuffle(passages)
    n = next(n for n, p in enumerate(passages, 1) if p[2])
    shown = prompt(question, [(t, b) for t, b, _ in passages])
    return f"answer {language}", shown, ABSTENTION[language] if abstains else cited(answer, n)


def window(rng, parts, longest):
    """Where a run of whole sentences of about `longest` characters begins, and the run."""
    start = rng.randrange(max(1, len(parts) - 2))
    out, size = [], 0
    for part in parts[start:]:
        if out and size + len(part) > longest:
            break
        out.append(part[:longest])
        size += len(part)
    return start, out


def swapped(rng, question, others, text, language):
    """The question with a number or a long word of it exchanged for one that the text does not have."""
    wanted = re.compile(r"\d[\d,.]*" if rng.random() < 0.3 else NAME if language == "en" and rng.random() < 0.5 else r"[가-힣]{3,}|[a-z]{5,}")
    there = [m for m in wanted.finditer(question) if m.start() > 3 and m.group().lower() not in STOP]
    new = [w for s in others for w in wanted.findall(s) if w not in text and w.lower() not in STOP]
    if not there or not new:
        return None
    m = rng.choice(there)
    return question[: m.start()] + rng.choice(new) + question[m.end():]


def thin(rng, words, keep, language):
    """Some words left out, some replaced by near ones; names and numbers stay more often."""
    out = []
    for word in words:
        bare = word.strip(".,;:()\"")
        if not bare or rng.random() > (keep if not (bare[0].isupper() or bare[0].isdigit() or bare in STOP) else (2 + keep) / 3):
            continue
        near = ALIKE[language].get(bare)
        out.append(near if near and rng.random() < 0.5 else bare)
    return out


def asked_en(rng, sentence):
    whole = whole_en(rng, sentence) if rng.random() < 0.25 else None
    if whole:
        return whole, sentence
    kinds = [[("number", m.start(), m.end()) for m in NUMBER.finditer(sentence)],
             [("name", m.start(), m.end()) for m in NAME.finditer(sentence) if m.start() > 0],
             [("phrase", m.start(1), m.end(1)) for m in PHRASE.finditer(sentence)]]
    kinds = [k for k in kinds if k]
    if not kinds:
        return None
    kind, start, end = rng.choice(rng.choice(kinds))
    span = sentence[start:end].rstrip(".,")
    if not 1 < len(span) < 60 and not span.isdigit():
        return None
    before, after = sentence[:start].split(), sentence[end:].strip(" .,;").split()
    # The clause that holds the span, or the whole sentence.
    if rng.random() < 0.5:
        cut = max((i + 1 for i, w in enumerate(before) if w[-1] in ",;:"), default=0)
        stop = min((i + 1 for i, w in enumerate(after) if w[-1] in ",;:"), default=len(after))
        if len(before) - cut + stop >= 4:
            before, after = before[cut:], after[:stop]
    if before and before[-1].lower() in ("the", "a", "an", "its", "their"):
        before.pop()
    preposition = before[-1].lower() if before and before[-1].lower() in ("in", "at", "on", "by", "from", "with", "for", "of", "to") else None
    asks, head = "what", span.split()[-1]
    if re.fullmatch(r"(?:19|20)\d\d", span):
        asks = rng.choice(("when", "in which year", "what year", "in what year"))
        if preposition:
            before.pop()
    elif kind == "number":
        if span[0] in "$€£" or "million" in span or "billion" in span:
            asks = rng.choice(("how much", "how much money", "what amount"))
        elif "%" in span or "percent" in span:
            asks = rng.choice(("what percentage", "how much", "what share"))
        elif after and after[0].isalpha() and after[0].lower() not in STOP:
            asks = rng.choice(("how many ", "how many ", "what number of ")) + after.pop(0)
        else:
            asks = rng.choice(("how many", "how much", "what"))
    elif kind == "name":
        if preposition in ("in", "at") and rng.random() < 0.6:
            asks = "where"
            before.pop()
        else:
            asks = rng.choice(("who", "what", "which", "what is the name"))
    elif " " in span and rng.random() < 0.35:
        asks = rng.choice(("which ", "what ", "what kind of ", "what type of ")) + head
    if asks.startswith(("what", "which", "who")) and preposition and before and before[-1].lower() == preposition and rng.random() < 0.4:
        asks = before.pop().lower() + " " + asks
    keep = rng.uniform(0.55, 1.0)
    lower = [w if NAME.fullmatch(w) and i else w[:1].lower() + w[1:] for i, w in enumerate(before)]
    helper = next((i for i, w in enumerate(lower) if w in AUXILIARY and 0 < i < 10), None)
    past = next((i for i, w in enumerate(lower) if re.fullmatch(r"[a-z]{3,}ed", w) and 0 < i < 10), None)
    less = lambda words: thin(rng, words, keep, "en")
    if not lower:
        words = [asks, *less(after)]
    elif helper is not None and rng.random() < 0.85:
        words = [asks, lower[helper], *less(lower[:helper]), *less(lower[helper + 1:]), *less(after)]
    elif past is not None and rng.random() < 0.7:
        verb = lower[past]
        verb = verb[:-1] if verb[-3] in "svczugr" else verb[:-2]
        words = [asks, "did", *less(lower[:past]), verb, *less(lower[past + 1:]), *less(after)]
    elif rng.random() < 0.5:
        words = [*less(lower), asks, *less(after)]
    else:
        words = [asks, rng.choice(("did", "does", "is", "was", "")), *less(after), *less(lower)]
    words = [w for w in words if w][:26]
    if sum(w.lower() not in STOP for w in words) < 4:
        return None
    question = " ".join(words)
    return question[0].upper() + question[1:] + "?", span


def whole_en(rng, sentence):
    """Why, how, or yes and no."""
    keep = rng.uniform(0.6, 1.0)
    less = lambda words: thin(rng, words, keep, "en")
    body = sentence.rstrip(".")
    for mark, asks in ((" because ", "Why"), (" due to ", "Why"), (" in order to ", rng.choice(("Why", "For what purpose"))), (" so that ", "Why"), (" by ", "How")):
        if mark in body and (mark != " by " or re.search(r" by \w+ing ", body)):
            words = body.split(mark)[0].split()[-16:]
            if len(words) > 4:
                words[0] = words[0] if words[0].isupper() else words[0].lower()
                helper = next((i for i, w in enumerate(words) if w in AUXILIARY and 0 < i < 10), None)
                if helper is not None:
                    return " ".join([asks, words[helper], *less(words[:helper]), *less(words[helper + 1:])]) + "?"
                return " ".join([asks, rng.choice(("does", "did", "do")), *less(words)]) + "?"
    words = body.split()[:20]
    helper = next((i for i, w in enumerate(words) if w in AUXILIARY and 0 < i < 10), None)
    if helper is None or len(words) < 6:
        return None
    first = words[0] if words[0].isupper() else words[0].lower()
    return " ".join([words[helper].capitalize(), *less([first, *words[1:helper]]), *less(words[helper + 1:])]) + "?"


ENDINGS = [("습니다", "습니까"), ("니다", "니까"), ("이다", "인가"), ("었다", "었나"), ("았다", "았나"), ("였다", "였나"), ("했다", "했나"), ("된다", "되나"), ("한다", "하나"), ("있다", "있나"), ("다", "는가")]
ADNOMINAL = [("했습니다", "한"), ("되었습니다", "된"), ("됐습니다", "된"), ("합니다", "하는"), ("됩니다", "되는"), ("입니다", "인"), ("있습니다", "있는"), ("없습니다", "없는"), ("하였다", "한"), ("되었다", "된"), ("했다", "한"), ("됐다", "된"),
             ("한다", "하는"), ("된다", "되는"), ("있다", "있는"), ("없다", "없는"), ("이었다", "이었던"), ("이다", "인"), ("었다", "었던"), ("았다", "았던"), ("였다", "였던"), ("는다", "는")]
MARK = re.compile(r"(이라고|라고|으로|은|는|이|가|을|를|의|에서|에|로|와|과)(?=\s|$)")


INNER = re.compile(r"[가-힣](?:은|는|이|가|을|를|에|의|고|로|게|해|인|한|된|할|될|하여|되어|어|아|도|면|며|서|지|기|던|들|히|와|과|만|및|나)$|^(?:수|것|때|및|더|각|이|그|저|다른|모든|여러)$")
INNER_LAST = re.compile(r"(?:않|없|있|하|되|았|었|했|됐|이러한|그러한|다음|경우|때문|수|것)$")


def asked_ko(rng, sentence):
    if rng.random() < 0.2:
        m = re.search(r"(때문에|위해|위하여|위해서|덕분에|므로|으로써) ", sentence)
        if m and len(sentence[m.end():].split()) > 3:
            rest = thin(rng, sentence[m.end():].split()[-14:], rng.uniform(0.6, 1), "ko")
            if len(rest) > 2:
                why = rng.choice(("왜", "왜", "무엇을 위해", "어째서")) if "위" in m.group() else "왜"
                return ended(f"{why} " + " ".join(rest)), sentence
    numbers = [("number", m.start(), m.end()) for m in NUMBER.finditer(sentence)]
    names = [("phrase", m.start(), m.end()) for m in KOREAN_PHRASE.finditer(sentence)]
    kinds = [k for k in (numbers, names, names) if k]
    if not kinds:
        return None
    kind, start, end = rng.choice(rng.choice(kinds))
    span = sentence[start:end].strip(" .,")
    if kind == "phrase":
        # Words before that end like particles or verbs are no part of it.
        words = span.split()
        while len(words) > 1 and (any(INNER.search(w) for w in words[:-1]) or rng.random() < 0.2):
            words = words[1:]
        span = " ".join(words)
        if INNER_LAST.search(span):
            return None
        start = end - len(span)
    if not span or len(span) > 50 or (len(span) < 2 and not span.isdigit()):
        return None
    before, rest = sentence[:start].split(), sentence[end:].strip(" .,")
    mark = ""
    if found := MARK.match(sentence[end:]):
        mark, rest = found.group(), sentence[end + found.end():].strip(" .,")
    after = rest.split()
    if rng.random() < 0.5:
        cut = max((i + 1 for i, w in enumerate(before) if w[-1] in ",;:" or w.endswith(("지만", "으며", "하고", "면서"))), default=0)
        if len(before) - cut + len(after) >= 3:
            before = before[cut:]
    keep = rng.uniform(0.55, 1.0)
    less = lambda words: thin(rng, words, keep, "ko")
    before, last = less(before)[-14:], [after[-1].strip(".")] if after else []
    after = less(after[:-1])[-10:] + last
    if len(before) + len(after) < 3:
        return None
    unit = re.search(r"[가-힣%A-Za-z]+ ?[가-힣]*$", span) if kind == "number" else None
    asks = "무엇"
    if re.fullmatch(r"(?:19|20)\d\d년?", span):
        asks = rng.choice(("언제", "몇 년", "어느 해"))
    elif kind == "number":
        asks = rng.choice((f"몇 {unit.group()}", "얼마")) if unit else rng.choice(("얼마", "몇"))
    if kind == "phrase" and " " in span and rng.random() < 0.5:
        asks = rng.choice(("어떤 ", "무슨 ")) + span.split()[-1]
    text = " ".join([*before, *after])
    if after and (mark in ("은", "는", "이", "가", "을", "를", "로", "으로", "에서") or not mark) and rng.random() < 0.5:
        # The one that …: asked at the end.
        for said, turned in ADNOMINAL:
            if text.endswith(said):
                thing = asks.split()[-1] if asks.startswith(("어떤", "무슨")) else rng.choice(("해", "년도")) if asks in ("몇 년", "어느 해") else "것"
                tail = rng.choice((" 무엇인가?", "?", " 무엇인가요?", " 무엇입니까?")) if asks == "무엇" or thing not in ("것", "해", "년도") else f" {asks}인가?" if rng.random() < 0.7 else "?"
                return topic(rng, text[: -len(said)] + turned) + " " + thing + particle(thing, "은") + tail, span
    mark = {"은": "이", "는": "이"}.get(mark, mark)
    return ended(" ".join([*before, asks + (particle(asks, mark) if mark in PAIRS else mark), *after])), span


def topic(rng, text):
    """A topic is a subject in a subordinate clause."""
    m = re.match(r"(\S+?[가-힣A-Za-z0-9])(은|는) ", text)
    return f"{m.group(1)}{particle(m.group(1), '이')} {text[m.end():]}" if m and rng.random() < 0.7 else text


def ended(text):
    for said, asks in ENDINGS:
        if text.endswith(said):
            return text[: -len(said)] + asks + "?"
    return text.rstrip("?.") + "?"


def selected(rng, texts, most=4, longest=400):
    """Title to text: which passage is about this title; the answer is its first sentence."""
    chosen = rng.sample(texts, rng.randint(2, most))
    bodies = [" ".join(window(rng, sentences(text), longest)[1]) for _, text in chosen]
    n = rng.randrange(len(chosen))
    first = sentences(bodies[n])[:1]
    if not first or len(first[0]) < 20:
        return None
    language = language_of(chosen[n][0])
    asked = {"ko": f"{chosen[n][0]}에 관한 자료는?", "en": f"Which passage is about {chosen[n][0]}?"}[language]
    return f"answer {language}", prompt(asked, [("", body) for body in bodies]), cited(first[0], n + 1)


def paired(rng, pairs, most=4, longest=400):
    """Across languages: which passage says what the question says; the answer is that passage's first sentence.

    `pairs` is a list of ((title, text), (title, text)), Korean and English, section by section translations of each other."""
    chosen = rng.sample(pairs, rng.randint(2, most))
    asks, says = rng.choice(((0, 1), (1, 0)))
    n = rng.randrange(len(chosen))
    title, text = chosen[n][asks]
    asked = title if rng.random() < 0.3 else sentences(text)[0]
    # From the first sentence on: there the translations run side by side.
    bodies = [" ".join(window(rng, sentences(pair[says][1])[:2], longest)[1]) for pair in chosen]
    first = sentences(bodies[n])[0]
    if min(len(first), len(asked)) < 10 or max(len(first), len(asked)) > 300:
        return None
    language = ("ko", "en")[asks]
    question = {"ko": f"다음을 말하는 자료는? {asked}", "en": f"Which passage says this? {asked}"}[language]
    return f"answer {language}", prompt(question, [("", body) for body in bodies]), cited(first, n + 1)
