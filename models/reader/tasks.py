"""Examples for the reader: what it is told to do, what it reads, what it should write.

`example(rng, most)` invents one `(task, prompt, answer)` over at most `most` passages; `reading.py` makes them out of real text. The same `rng` gives the same example. The prompt's layout is the one of prompts/reader.jinja:

    QUESTION

    [1] HEADING
    TEXT

    [2] …

    QUESTION

The question stands before and after the passages: a small causal model marks what answers while it reads.
An answer is a span copied from a passage and its number, `32억 원 [2].`; a question why or for what gets the whole sentence.
"""

from korean import fill
from phrasings import ABSTENTION, APART, FILLERS, FOLLOW, KINDS, OLDER, OPENERS, ORDERS, PRONOUNS, SAME
from reading import cited, prompt
from world import World

LANGUAGES = ("ko", "en")


class Project:
    """A name, an institute, a year, and facts by kind."""

    def __init__(self, world, rng, kinds):
        self.name, self.organisation, self.year = world.project(), world.organisation(), rng.randrange(2010, 2027)
        self.facts = {kind: {"n": rng.randrange(99), **world.value(KINDS[kind]["value"])} for kind in kinds}


def side(slots, language):
    return {k: v[LANGUAGES.index(language)] for k, v in slots.items() if isinstance(v, tuple)}


def sentence(rng, project, kind, language, subject=None):
    """A fact told in one sentence; `subject` replaces the project's name."""
    says = KINDS[kind][language]["say"]
    said = says[project.facts[kind]["n"] % len(says)] if KINDS[kind][language].get("paired") else rng.choice(says)
    slots = side(project.facts[kind], language) | {"s": subject or project.name[LANGUAGES.index(language)]}
    opener, text = rng.choice(OPENERS[language]), fill(said, slots)
    if opener and text.split(" ")[0] in ("The", "In", "After", "Although", "By", "Outside", "Funding", "Work", "Among", "When", "Tests", "Measurements", "Owing", "Bringing"):
        text = text[0].lower() + text[1:]
    text = opener + text
    return text[0].upper() + text[1:]


def question(rng, project, kind, language):
    asks = KINDS[kind][language]["ask"]
    asked = asks[project.facts[kind]["n"] % len(asks)] if KINDS[kind][language].get("paired") else rng.choice(asks)
    slots = side(project.facts[kind], language) | {"s": project.name[LANGUAGES.index(language)]}
    text = fill(asked, slots)
    return text[0].upper() + text[1:]


def heading(rng, project, language):
    i = LANGUAGES.index(language)
    name = project.name[i]
    parts = [name[0].upper() + name[1:]]
    if rng.random() < 0.6:
        parts.append(project.organisation[i])
    parts.append(str(project.year))
    return " | ".join(parts)


def passage(rng, world, project, language, kinds, fillers=1, order=None):
    """Heading and text about one project; the sentence of each kind by kind."""
    i = LANGUAGES.index(language)
    fields = [k for k in kinds if KINDS[k][language]["field"]]
    told = {}
    if len(fields) == len(kinds) and len(kinds) > 1 and rng.random() < 0.35:
        cells = [(k, rng.choice(KINDS[k][language]["field"]), project.facts[k]["v"][i]) for k in kinds]
        told = {k: f"{field}: {value}" for k, field, value in cells}
        if rng.random() < 0.5:
            text = " | ".join(told[k] for k in kinds)
        else:
            text = "\n".join(f"| {field} | {value} |" for _, field, value in cells)
            told = {k: f"{field} | {value}" for k, field, value in cells}
        return heading(rng, project, language), text, told
    lines = []
    for place, kind in enumerate(kinds):
        subject = rng.choice(PRONOUNS[language]) if place and rng.random() < 0.7 else None
        told[kind] = sentence(rng, project, kind, language, subject)
        lines.append(told[kind])
    for _ in range(rng.randint(0, fillers)):
        lines.insert(rng.randint(0, len(lines)), fill(rng.choice(FILLERS[language]), {"t": world.term()[i], "u": world.term()[i]}))
    if order:
        lines.insert(rng.randint(0, len(lines)), order)
    lines = [line[0].upper() + line[1:] for line in lines]
    return heading(rng, project, language), " ".join(lines), told


def answer_of(project, kind, language, told):
    """What answers: the value as the passage writes it, or the whole sentence."""
    if KINDS[kind].get("clause"):
        return told[kind]
    value = project.facts[kind]["v"][LANGUAGES.index(language)]
    return value if value in told[kind] else value[0].upper() + value[1:]


def example(rng, most=6, sizes=(2, 4)):
    kind = rng.random()
    world = World(rng)
    if kind < 0.04:
        return condense(rng, world)
    if kind < 0.08:
        return facets(rng, world)
    if kind < 0.11:
        return compare(rng, world)
    return read(rng, world, most, sizes)


def read(rng, world, most, sizes):
    """A question over numbered passages: one fact, two facts, two that disagree, or none."""
    language = rng.choice(LANGUAGES)
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    count = rng.randint(min(2, most), most)
    asked, *more = rng.sample(list(KINDS), 4)
    form = rng.random()
    target = Project(world, rng, [asked, *more])
    across = rng.random() < 0.15
    spoken = other if across else language
    text = question(rng, target, asked, language)
    passages, found = [], None
    kinds = [asked, *rng.sample(more, rng.randint(sizes[0], sizes[1]) - 1 if sizes[1] <= 4 else 2)]
    wanted = [asked]
    missing, twice, disagree = form < 0.14, 0.14 <= form < 0.22, 0.22 <= form < 0.29
    if missing:
        kinds = [k for k in kinds if k != asked] or more[:1]
    if twice and len(kinds) > 1:
        wanted.append(kinds[1])
        joint = {"ko": " 그리고 ", "en": " And "}[language]
        text += joint + question(rng, target, kinds[1], language)
    rng.shuffle(kinds)
    order = None
    if rng.random() < 0.06:
        c = world.code()
        order = fill(rng.choice(ORDERS[spoken]), {"c": c})
    if missing and "x" in target.facts[asked] and rng.random() < 0.4:
        # The same kind of fact about something else is no answer.
        other_fact = world.value(KINDS[asked]["value"])
        if other_fact["x"] != target.facts[asked]["x"]:
            target.facts[asked] = target.facts[asked] | other_fact
            kinds.append(asked)
    passages.append(("target", *passage(rng, world, target, spoken, kinds, order=order)))
    newer = target
    if disagree and not KINDS[asked].get("clause"):
        older = Project(world, rng, [asked])
        older.name, older.organisation, older.year = target.name, target.organisation, target.year - rng.randint(1, 5)
        fact = world.value(KINDS[asked]["value"], target.facts[asked].get("x"))
        older.facts[asked] = target.facts[asked] | {"v": fact["v"]}
        if older.facts[asked]["v"] != target.facts[asked]["v"]:
            passages.append(("older", *passage(rng, world, older, spoken, [asked])))
            newer = older
    while len(passages) < count:
        # Another project with the same kind of fact, or the same project with other facts.
        if rng.random() < 0.25:
            rest = [k for k in KINDS if k not in target.facts]
            again = Project(world, rng, rng.sample(rest, rng.randint(1, 3)))
            again.name, again.organisation, again.year = target.name, target.organisation, target.year
            chosen = again
        else:
            kinds_there = [asked] if rng.random() < 0.8 else []
            chosen = Project(world, rng, kinds_there + rng.sample([k for k in KINDS if k != asked], rng.randint(1, sizes[1] - 1)))
            if "x" in target.facts[asked] and asked in chosen.facts and rng.random() < 0.7:
                chosen.facts[asked] |= world.value(KINDS[asked]["value"], target.facts[asked]["x"])
        there = list(chosen.facts)
        rng.shuffle(there)
        passages.append(("other", *passage(rng, world, chosen, spoken, there)))
    rng.shuffle(passages)
    place = {who: n for n, (who, *_) in enumerate(passages, 1) if who != "other"}
    shown = prompt(text, [(head, body) for _, head, body, _ in passages])
    if missing:
        return f"answer {language}", shown, ABSTENTION[language]
    told = next(t for who, _, _, t in passages if who == "target")
    parts = [cited(answer_of(target, k, spoken, told), place["target"]) for k in wanted]
    if "older" in place:
        value = answer_of(newer, asked, spoken, next(t for who, _, _, t in passages if who == "older"))
        parts.append(fill(rng.choice(OLDER[language]), {"y": str(newer.year), "v": value, "n": str(place["older"])}))
    return f"answer {language}", shown, " ".join(parts)


def condense(rng, world):
    """A follow-up question made to stand alone; one that stands alone is copied."""
    language = rng.choice(LANGUAGES)
    i = LANGUAGES.index(language)
    kinds = [k for k in KINDS if KINDS[k][language]["field"]]
    first, second = rng.sample(kinds, 2)
    project = Project(world, rng, [first, second])
    asked = question(rng, project, first, language)
    value = cited(project.facts[first]["v"][i], rng.randint(1, 6))
    field = rng.choice(KINDS[second][language]["field"])
    if rng.random() < 0.25:
        follow = alone = question(rng, Project(world, rng, [second]), second, language)
    else:
        follow = fill(rng.choice([f for f in FOLLOW[language] if "{q}" not in f]), {"f": field})
        alone = {"ko": f"{project.name[0]}의 {field}?", "en": f"What is the {field} of {project.name[1]}?"}[language]
    return f"condense {language}", f"- {asked}\n- {value}\n- {follow}", alone


def facets(rng, world):
    """Which sentence states the aim, which the method, which the result of a project."""
    language = rng.choice(LANGUAGES)
    project = Project(world, rng, ["aim", "method", "result", *rng.sample(("budget", "site", "staff", "samples", "partner"), 2)])
    kinds = list(project.facts)
    rng.shuffle(kinds)
    head, text, told = passage(rng, world, project, language, kinds)
    names = {"ko": ("목적", "방법", "결과"), "en": ("Aim", "Method", "Result")}[language]
    parts = [f"{name}: {told[k]}" for name, k in zip(names, ("aim", "method", "result"))]
    return f"facets {language}", f"{head}\n{text}", "\n".join(parts)


def compare(rng, world):
    """Two projects in one sentence: what they share, or that they differ."""
    language = rng.choice(LANGUAGES)
    i = LANGUAGES.index(language)
    a, b = Project(world, rng, ["material", "method", "budget"]), Project(world, rng, ["material", "method", "site"])
    same = rng.random() < 0.5
    if same:
        b.facts["material"] = a.facts["material"]
    parts = [passage(rng, world, p, language, rng.sample(list(p.facts), 3)) for p in (a, b)]
    slots = {"a": a.name[i], "b": b.name[i], "x": a.facts["material"]["v"][i], "y": b.facts["material"]["v"][i], "v": a.facts["method"]["v"][i], "w": b.facts["method"]["v"][i]}
    text = fill((SAME if same else APART)[language], slots)
    body = "\n\n".join(f"[{n}] {head}\n{text_}" for n, (head, text_, _) in enumerate(parts, 1))
    return f"compare {language}", body, text[0].upper() + text[1:]
