#!/usr/bin/env python3
"""From snapshots of public repositories to training pairs (see DATA.md for licences and commits).

    make_data.py MIRROR OUT      MIRROR/<owner>+<name>/repo[/.git] are bare or plain git directories

Writes OUT/pairs.jsonl ({"ko", "en", "source"}), OUT/english.jsonl ({"a", "b", "source"}) and OUT/sources.json
(pairs and commit of each source). Only files of the newest commit are read. Nothing here is an evaluation set:
the sentences named in `--held-out` files (jsonl with "ko" and "en") are removed from what is written.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import unicodedata

HANGUL = re.compile(r"[가-힣]")
LATIN = re.compile(r"[A-Za-z]")

# ko path -> en path, by repository pair. Same path in two repositories, or two folders of one.
TREES = [
    ("tensorflow+docs-l10n", r"^site/ko/(.*\.(?:md|ipynb))$", "tensorflow+docs-l10n", r"site/en-snapshot/\1"),
    ("huggingface+diffusers", r"^docs/source/ko/(.*\.md)$", "huggingface+diffusers", r"docs/source/en/\1"),
    ("huggingface+course", r"^chapters/ko/(.*\.mdx)$", "huggingface+course", r"chapters/en/\1"),
    ("huggingface+agents-course", r"^units/ko/(.*\.mdx)$", "huggingface+agents-course", r"units/en/\1"),
    ("microsoft+IoT-For-Beginners", r"^translations/ko/(.*\.md)$", "microsoft+IoT-For-Beginners", r"\1"),
    ("microsoft+edgeai-for-beginners", r"^translations/ko/(.*\.md)$", "microsoft+edgeai-for-beginners", r"\1"),
    ("microsoft+Security-101", r"^translations/ko/(.*\.md)$", "microsoft+Security-101", r"\1"),
    ("microsoft+xr-development-for-beginners", r"^translations/ko/(.*\.md)$", "microsoft+xr-development-for-beginners", r"\1"),
    ("cncf+glossary", r"^content/ko/(.*\.md)$", "cncf+glossary", r"content/en/\1"),
    ("helm+helm-www", r"^i18n/ko/docusaurus-plugin-content-docs/version-3/(.*\.mdx?)$", "helm+helm-www", r"versioned_docs/version-3/\1"),
    ("klaytn+klaytn-docs", r"^i18n/ko/docusaurus-plugin-content-docs/current/(.*\.md)$", "klaytn+klaytn-docs", r"docs/\1"),
    ("OWASP+Top10", r"^(\d{4})/docs/ko/(.*\.md)$", "OWASP+Top10", r"\1/docs/en/\2"),
    ("microsoft+TypeScript-Website-Localizations", r"^docs/documentation/ko/(.*\.md)$", "microsoft+TypeScript-Website", r"packages/documentation/copy/en/\1"),
    ("microsoft+TypeScript-Website-Localizations", r"^docs/tsconfig/ko/(.*\.md)$", "microsoft+TypeScript-Website", r"packages/tsconfig-reference/copy/en/\1"),
    ("reactjs+ko.react.dev", r"^(src/content/.*\.md)$", "reactjs+react.dev", r"\1"),
    ("vuejs-translations+docs-ko", r"^(src/.*\.md)$", "vuejs+docs", r"\1"),
    ("rust-kr+doc.rust-kr.org", r"^(src/.*\.md)$", "rust-lang+book", r"\1"),
    ("d2l-ai+d2l-ko", r"^(.*)\.md$", "d2l-ai+d2l-ko", r"\1_origin.md"),
    ("MicrosoftDocs+quantum-docs-pr.ko-KR", r"^(articles/.*\.md)$", "MicrosoftDocs+quantum-docs", r"\1"),
    ("MicrosoftDocs+cpp-docs.ko-kr", r"^(docs/.*\.md)$", "MicrosoftDocs+cpp-docs", r"\1"),
    ("MicrosoftDocs+powerShell-Docs.ko-kr", r"^(reference/(?:docs-conceptual|5\.1|7\.1|7\.0|6)/.*\.md)$", "MicrosoftDocs+PowerShell-Docs", r"\1"),
]

PO = [
    ("python+python-docs-ko", "refs/heads/3.13", r"\.po$"),
    ("godotengine+godot-editor-l10n", "HEAD", r"(editor|properties|extractable)/ko\.po$"),
    ("jupyterlab+language-packs", "HEAD", r"ko_KR/.*\.po$"),
    ("openstack+horizon", "HEAD", r"locale/ko_KR/.*\.po$"),
]


class Mirror:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.lists = {}

    def git(self, repo, *arguments):
        folder = self.root / repo / "repo"
        folder = folder / ".git" if (folder / ".git").exists() else folder
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def commit(self, repo, ref="HEAD"):
        return (self.git(repo, "rev-parse", ref) or b"absent").decode().strip()

    def paths(self, repo, ref="HEAD"):
        """path -> blob, of files whose content the snapshot holds (larger ones are listed as BAD)."""
        if (repo, ref) not in self.lists:
            listing = (self.git(repo, "ls-tree", "-r", "-l", "-z", ref) or b"").decode("utf-8", "replace")
            files = {}
            for line in filter(None, listing.split("\0")):
                facts, path = line.split("\t", 1)
                _, kind, blob, size = facts.split()
                if kind == "blob" and size != "BAD":
                    files[path] = blob
            self.lists[repo, ref] = files
        return self.lists[repo, ref]

    def read_many(self, repo, blobs):
        """blob -> text, through one `git cat-file --batch`."""
        folder = self.root / repo / "repo"
        folder = folder / ".git" if (folder / ".git").exists() else folder
        blobs = sorted(set(blobs))
        if not blobs:  # a repository that the mirror lacks gives nothing
            return {}
        done = subprocess.run(["git", "-C", folder, "cat-file", "--batch"], input="\n".join(blobs).encode(), capture_output=True, check=True).stdout
        texts, at = {}, 0
        for blob in blobs:
            end = done.index(b"\n", at)
            head = done[at:end].split()
            if head[1] == b"missing":
                at = end + 1
                continue
            size = int(head[2])
            texts[blob] = done[end + 1 : end + 1 + size].decode("utf-8", "replace")
            at = end + 1 + size + 1
        return texts

    def read(self, repo, path, ref="HEAD"):
        return self.git(repo, "show", f"{ref}:{path}").decode("utf-8", "replace")


def clean(text):
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"<!--.*?-->|\{#.*?#?\}|\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.S)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\[[^\]]*\]", r"\1", text)
    text = re.sub(r":(?:ref|doc|class|func|meth|mod|term|pep|ref|attr|exc|keyword|option|data|c:\w+|envvar|program|dfn|source|rfc|mailheader|mimetype|file|samp|guilabel|kbd):`([^`<]*)(?:<[^`]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]+)<[^`]*>`_+", r"\1", text)
    text = re.sub(r"<[^>]{1,200}>", " ", text)
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"[`*_~#|\\$]+", " ", text)
    return re.sub(r"\s+", " ", text).strip(" -:>")


def blocks(text, path):
    """Markdown or a notebook -> (kind, text) of headings, paragraphs, list items."""
    if path.endswith(".ipynb"):
        try:
            cells = json.loads(text).get("cells", [])
        except (ValueError, AttributeError):
            return []
        text = "\n\n".join("".join(c.get("source", [])) for c in cells if c.get("cell_type") == "markdown")
    text = re.sub(r"\A---\n.*?\n---\n", "", text.replace("\r", ""), flags=re.S)
    text = re.sub(r"^[ \t]*(```|~~~).*?^[ \t]*\1[ \t]*$", "\n", text, flags=re.S | re.M)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+\.)\s)|\n(?=#)|(?<=#)\n", text):
        lines = block.strip()
        if not lines or lines.startswith((":::", "|", "import ", "<")) and not HANGUL.search(lines) and not lines.startswith("|"):
            continue
        kind = "h" if lines.startswith("#") else "l" if re.match(r"[-*+]|\d+\.", lines) else "p"
        first = lines.split("\n", 1)[0] if kind == "h" else lines
        plain = clean(first if kind == "h" else lines)
        if len(plain) > 1:
            found.append((kind, plain))
    return found


ANCHOR = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{2,}|\d+")


def align(korean, english):
    """Pairs of blocks by dynamic programming: same kind, similar length, shared Latin words and numbers."""
    n, m = len(korean), len(english)
    if not n or not m or n * m > 250_000:
        return []
    ka = [set(w.lower() for w in ANCHOR.findall(t)) for _, t in korean]
    ea = [set(w.lower() for w in ANCHOR.findall(t)) for _, t in english]

    def score(i, j):
        (kind, k), (other, e) = korean[i], english[j]
        if kind != other:
            return -1.0
        ratio = len(k) * 2.1 / max(1, len(e))
        ratio = min(ratio, 1 / ratio)
        shared = len(ka[i] & ea[j]) / max(1, len(ka[i])) if ka[i] else 0.5
        return 0.4 * ratio + 0.8 * shared - 0.35

    band = abs(n - m) + 25
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    step = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(1, n + 1):
        centre = i * m // n
        for j in range(1, m + 1):
            options = (best[i - 1][j], best[i][j - 1])
            way = 1 if options[0] >= options[1] else 2
            value = options[way - 1]
            if abs(j - centre) <= band:
                both = best[i - 1][j - 1] + score(i - 1, j - 1)
                if both > value:
                    value, way = both, 3
            best[i][j], step[i][j] = value, way
    pairs, i, j = [], n, m
    while i and j:
        if step[i][j] == 3:
            if score(i - 1, j - 1) > 0.15:
                pairs.append((korean[i - 1][1], english[j - 1][1]))
            i, j = i - 1, j - 1
        elif step[i][j] == 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def po_pairs(text):
    entry, field = {}, None
    for line in text.split("\n") + [""]:
        line = line.strip()
        if line.startswith(("msgid ", "msgstr ", "msgid_plural ", "msgstr[", "msgctxt ")):
            field, rest = line.split(" ", 1)
            if field == "msgid":
                entry = {}
            entry[field] = unquote(rest)
        elif line.startswith('"') and field:
            entry[field] += unquote(line)
        elif not line:
            en, ko = entry.get("msgid"), entry.get("msgstr") or entry.get("msgstr[0]")
            if en and ko and not entry.get("fuzzy"):
                yield clean(ko), clean(en)
            entry, field = {}, None
        elif line.startswith("#,") and "fuzzy" in line:
            entry["fuzzy"], field = True, None


def unquote(text):
    try:
        return json.loads(text.strip())
    except ValueError:
        return text.strip().strip('"')


SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z가-힣\"'(])")


def split_sentences(ko, en):
    """A paragraph of as many Korean as English sentences also gives its sentences."""
    ks, es = SENTENCE.split(ko), SENTENCE.split(en)
    if len(ks) == len(es) > 1:
        yield from zip(ks, es)


def small_sources(m):
    """Word lists and sentence lists, each in its own format."""
    repo = "jh868+pytorch_study"
    for line in m.read(repo, "kor-eng/kor.txt").splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and "CC-BY 2.0" in parts[2]:
            yield "tatoeba", parts[1], parts[0]
    repo = "jungyeul+korean-parallel-corpora"
    for part in ("dev", "eval"):
        ko = m.read(repo, f"korean-english-jhe/jhe-koen-{part}.ko").splitlines()
        en = m.read(repo, f"korean-english-jhe/jhe-koen-{part}.en").splitlines()
        if len(ko) == len(en):
            for k, e in zip(ko, en):
                yield "jhe", k, e
    repo = "MicrosoftTranslator+NTREX"
    english = next(p for p in m.paths(repo) if re.search(r"newstest2019-src\.eng\.txt$", p))
    for k, e in zip(m.read(repo, "NTREX-128/newstest2019-ref.kor.txt").splitlines(), m.read(repo, english).splitlines()):
        yield "ntrex", k, e
    texts = [re.findall(r"^# sent_id = (\S+)|^# text = (.*)$", m.read(r, f), flags=re.M) for r, f in
             [("UniversalDependencies+UD_Korean-PUD", "ko_pud-ud-test.conllu"), ("UniversalDependencies+UD_English-PUD", "en_pud-ud-test.conllu")]]
    sides = []
    for rows in texts:
        side, current = {}, None
        for sent, text in rows:
            if sent:
                current = sent
            elif current:
                side[current] = text
        sides.append(side)
    for sent, k in sides[0].items():
        if sent in sides[1]:
            yield "pud", k, sides[1][sent]
    repo = "omwn+omw-data"
    for kind in ("wikt", "cldr"):
        words = {}
        for language in ("kor", "eng"):
            for line in m.read(repo, f"wns/{kind}/wn-{kind}-{language}.tab").splitlines():
                parts = line.split("\t")
                if len(parts) >= 3 and parts[1].endswith("lemma"):
                    words.setdefault(parts[0], {}).setdefault(language, []).append(parts[2].replace("_", " "))
        for both in words.values():
            for k in both.get("kor", []):
                for e in both.get("eng", []):
                    yield f"omw-{kind}", k, e
    repo = "openstreetmap+id-tagging-schema"
    flat = []
    for language in ("ko", "en"):
        tree = json.loads(m.read(repo, f"dist/translations/{language}.json"))[language]
        flat.append(dict(leaves(tree)))
    for key, k in flat[0].items():
        if key in flat[1]:
            for a, b in zip(k.split(","), flat[1][key].split(",")) if key.endswith("terms") else [(k, flat[1][key])]:
                yield "id-tagging-schema", a, b
    repo = "unicode-org+cldr-json"
    korean = [p for p in m.paths(repo) if re.search(r"/(?:main|annotations|annotationsDerived)/ko/.*\.json$", p) and re.search("annot|territories|languages|scripts|units|variants|subdivisions", p)]
    for path in korean:
        english = path.replace("/ko/", "/en/")
        if english in m.paths(repo):
            a, b = (dict(leaves(json.loads(m.read(repo, p)))) for p in (path, english))
            for key, k in a.items():
                if key in b and HANGUL.search(k):
                    yield "cldr", k, b[key]
    repo = "dahlia+cjk-compsci-terms"
    for path in m.paths(repo):
        if path.startswith("tables/") and path.endswith(".yaml"):
            for entry in re.split(r"^- ", m.read(repo, path), flags=re.M):
                en = re.search(r"^\s*en:\s*(.*(?:\n\s{4,}.*)*)", entry, flags=re.M)
                ko = re.search(r"^\s*ko:\s*(.*(?:\n\s{4,}.*)*)", entry, flags=re.M)
                if en and ko:
                    e = re.findall(r"[A-Za-z][A-Za-z -]+", re.sub(r"\w+:", " ", en.group(1)))
                    k = re.findall(r"[가-힣][가-힣 ]*", ko.group(1))
                    if e and k:
                        yield "cjk-compsci-terms", k[0], e[0]


def leaves(tree, path=""):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}/{key}")
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from leaves(value, f"{path}/{i}")
    elif isinstance(tree, str):
        yield path, tree


def glossary(folder):
    """The project's own lists of technical terms, Korean TAB English."""
    for path in [folder / "terms.tsv", *sorted((folder / "terms").glob("*.tsv"))]:
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                ko, en = line.split("\t")
                for k in ko.split("|"):
                    for e in en.split("|"):
                        yield k.strip(), e.strip()


def written(folder):
    """The project's own sentences: translations, and the same in everyday words."""
    for path in sorted((folder / "sentences").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def wordnet(m):
    """Open English WordNet: words of a synset and its definition; words and examples."""
    import yaml

    repo = "globalwordnet+english-wordnet"
    for path in m.paths(repo):
        if re.match(r"src/yaml/(noun|verb|adj|adv)\..*\.yaml$", path):
            for synset in yaml.load(m.read(repo, path), Loader=yaml.CSafeLoader).values():
                words = ", ".join(synset.get("members", []))
                for definition in synset.get("definition", [])[:1]:
                    yield words, definition
                for example in synset.get("example", [])[:1]:
                    if isinstance(example, str):
                        yield words + ": " + synset["definition"][0], example


def normal(text):
    return re.sub(r"\W+", "", text.lower())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mirror")
    parser.add_argument("out")
    parser.add_argument("--held-out", nargs="*", default=[])
    options = parser.parse_args()
    here = pathlib.Path(__file__).parent
    m, out = Mirror(options.mirror), pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    held = set()
    for name in options.held_out:
        for line in open(name, encoding="utf-8"):
            row = json.loads(line)
            held |= {normal(row["ko"]), normal(row["en"])}
    seen, counts, commits, removed = set(), collections.Counter(), {}, 0
    english = []
    with (out / "pairs.jsonl").open("w") as file:

        def add(source, ko, en):
            nonlocal removed
            ko, en = clean(ko), clean(en)
            if not HANGUL.search(ko) or not LATIN.search(en) or HANGUL.search(en) or len(ko) > 1500 or len(en) > 3000:
                return
            if len(HANGUL.findall(ko)) < 0.2 * len(re.sub(r"\s", "", ko)):
                return
            if normal(ko) in held or normal(en) in held:
                removed += 1
                return
            key = (normal(ko), normal(en))
            if key in seen:
                return
            seen.add(key)
            counts[source] += 1
            file.write(json.dumps({"ko": ko, "en": en, "source": source}, ensure_ascii=False) + "\n")

        for source, ko, en in small_sources(m):
            add(source, ko, en)
        for ko, en in glossary(here):
            add("terms", ko, en)
        for row in written(here):
            if row["kind"] == "translation":
                add("sentences", row["ko"], row["en"])
            elif normal(row["a"]) in held or normal(row["b"]) in held:
                removed += 1
            else:
                english.append((row["a"], row["b"], "paraphrases"))
        for repo, ref, pattern in PO:
            commits[repo] = m.commit(repo, ref)
            paths = {p: b for p, b in m.paths(repo, ref).items() if re.search(pattern, p)}
            for text in m.read_many(repo, paths.values()).values():
                for ko, en in po_pairs(text):
                    add(repo, ko, en)
                    for k, e in split_sentences(ko, en):
                        add(repo, k, e)
        for repo, pattern, other, to in TREES:
            commits[repo], commits[other] = m.commit(repo), m.commit(other)
            wanted = {}
            for path, blob in m.paths(repo).items():
                match = re.match(pattern, path)
                if match and (target := match.expand(to)) in m.paths(other) and not path.endswith("_origin.md"):
                    wanted[path] = (blob, m.paths(other)[target])
            kt = m.read_many(repo, [k for k, _ in wanted.values()])
            et = m.read_many(other, [e for _, e in wanted.values()])
            for path, (k, e) in wanted.items():
                if k not in kt or e not in et:
                    continue
                eb = blocks(et[e], path)
                for ko, en in align(blocks(kt[k], path), eb):
                    add(repo, ko, en)
                    for a, b in split_sentences(ko, en):
                        add(repo, a, b)
                heading = ""
                for kind, text in eb:
                    if kind == "h":
                        heading = text
                    elif heading and kind == "p" and len(text) > 80:
                        english.append((heading, text, other))
            print(repo, len(wanted), counts[repo], flush=True)
    english += [(a, b, "globalwordnet+english-wordnet") for a, b in wordnet(m)]
    with (out / "english.jsonl").open("w") as file:
        for a, b, source in dict.fromkeys(english):
            file.write(json.dumps({"a": a, "b": b, "source": source}, ensure_ascii=False) + "\n")
    (out / "sources.json").write_text(json.dumps({"pairs": counts, "commits": commits, "english": len(english), "removed as held out": removed}, indent=1))
    print(json.dumps({"pairs": counts, "english": len(english), "removed as held out": removed}, indent=1))


if __name__ == "__main__":
    main()
