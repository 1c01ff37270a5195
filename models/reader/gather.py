#!/usr/bin/env python3
"""Openly licensed text for the reader: what the tokenizer learns from and what it reads besides invented projects.

    gather.py SHARED_DATA MIRROR OUT.jsonl      MIRROR/<owner>+<name>/repo are bare git directories

One JSON object a line: {"title", "text", "language", "source"}, and for Korean sections whose English original is there too
"english": [title, text]. SOURCES and REPOSITORIES state the licence of each; nothing marked NC, ND or AGPL, no
evaluation set and none of the held-out translation pairs is among them. A source that is not there is named and left out.
Names of persons in the records are not read, e-mail addresses and links are dropped.
"""

import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys

# name -> (licence, where): JSON lines of the shared data with the fields of title and text, or a repository and its files.
SOURCES = {
    "nsf": ("US Government work, public domain", "rnd/nsf_fy2026/nsf_fy2026.jsonl", "title_clean", "abstract"),
    "erc": ("CC BY 4.0 (Commission decision 2011/833/EU)", "rnd/erc_h2020/erc_h2020.jsonl", "project", "details_project"),
    "eu-calls": ("CC BY 4.0 (Commission re-use decision)", "rnd/eu_open_calls/eu_calls.jsonl", "title", "description"),
    "sbir": ("MIT (award texts: US Government data)", "rnd/sbir_sample/sbir_awards.jsonl", "title", "abstract"),
}
# name -> (licence, Korean files, the repository and path of a file's English original).
REPOSITORIES = {
    "tensorflow+docs-l10n": ("Apache-2.0 (text CC BY 4.0)", r"^site/ko/.*\.(md|ipynb)$", ("tensorflow+docs-l10n", "^site/ko/", "site/en-snapshot/")),
    "d2l-ai+d2l-ko": ("CC BY-SA 4.0", r"^chapter.*(?<!_origin)\.md$", ("d2l-ai+d2l-ko", r"\.md$", "_origin.md")),
    "reactjs+ko.react.dev": ("CC BY 4.0", r"^src/content/.*\.md$", ("reactjs+react.dev", "^", "")),
    "UniversalDependencies+UD_Korean-Kaist": ("CC BY-SA 4.0", r"\.conllu$", None),
}
NOTICE = re.compile(r"Note: 이 문서는 텐서플로 커뮤니티.*")  # of its translators, at the head of many files
EMAIL = re.compile(r"\S+@\S+|https?://\S+")


def clean(text):
    text = re.sub(r"<[^>]{1,200}>|!\[[^\]]*\]\([^)]*\)|\{[^}]{0,80}\}|:(?:label|eqref|numref|citet?):`[^`]*`", " ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\s+", " ", EMAIL.sub(" ", re.sub(r"[`*_]{1,3}", "", text))).strip()


def language_of(text):
    hangul = sum("가" <= c <= "힣" for c in text)
    return "ko" if hangul * 3 > len(text) else "en"


def sections(markdown):
    """Heading and prose of every section; code, tables and formulas are left out."""
    markdown = re.sub(r"```.*?```|\$\$.*?\$\$", "", markdown, flags=re.S)
    title, lines = "", []
    for line in markdown.splitlines() + ["# "]:
        if line.startswith("#"):
            yield title, clean(" ".join(lines))[:4000]
            title, lines = clean(re.sub(r"\{[^}]*\}", "", line.lstrip("# "))), []
        elif not re.match(r"\s*(\||<|import |---|:)|    ", line):
            lines.append(NOTICE.sub("", line))


def files(git, pattern):
    """Path and text of the files of HEAD whose path matches."""
    listing = subprocess.run(["git", "-C", git, "ls-tree", "-r", "--name-only", "HEAD"], capture_output=True, text=True, check=True).stdout
    for path in listing.splitlines():
        if re.search(pattern, path) and (text := blob(git, path)) is not None:
            yield path, text


def blob(git, path):
    found = subprocess.run(["git", "-C", git, "cat-file", "blob", f"HEAD:{path}"], capture_output=True)
    return found.stdout.decode("utf-8", "replace") if found.returncode == 0 else None


def originals(mirror, where, path, parts):
    """The English sections that stand beside the Korean `parts`: those of the same place, if both files have as many; else none."""
    if not where or (text := blob(mirror / where[0] / "repo", re.sub(where[1], where[2], path))) is None:
        return [None] * len(parts)
    english = list(of_file(path, text))
    alike = lambda ko, en: language_of(en[1]) == "en" and min(len(ko[1]), len(en[1])) > 60 and 0.2 < len(ko[1]) / len(en[1]) < 1.2
    return [en if alike(ko, en) else None for ko, en in zip(parts, english)] if len(english) == len(parts) else [None] * len(parts)


def of_file(path, text):
    if path.endswith(".conllu"):
        found = [line[9:] for line in text.splitlines() if line.startswith("# text = ")]
        for i in range(0, len(found), 8):
            yield " ".join(found[i].split()[:5]), " ".join(found[i: i + 8])
    elif path.endswith(".ipynb"):
        try:
            cells = json.loads(text).get("cells", [])
        except ValueError:
            return
        yield from sections("\n".join("".join(c.get("source", "")) for c in cells if c.get("cell_type") == "markdown"))
    else:
        yield from sections(text)


def main():
    shared, mirror, out = map(pathlib.Path, sys.argv[1:4])
    seen, counts, pairs, missing = set(), collections.Counter(), collections.Counter(), []
    with out.open("w", encoding="utf-8") as file:

        def add(source, title, text, english=None):
            title, text = clean(title or "")[:150], clean(text or "")[:6000]
            key = hashlib.sha1(text[:300].encode()).digest()
            if len(text) < 150 or not title or key in seen:
                return
            seen.add(key)
            counts[source] += len(text.encode())
            row = {"title": title, "text": text, "language": language_of(text), "source": source}
            if english:
                row["english"] = english
                pairs[source] += 1
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

        for source, (_, path, title, text) in SOURCES.items():
            if not (shared / path).exists():
                missing.append(source)
                continue
            for line in (shared / path).open(encoding="utf-8"):
                row = json.loads(line)
                add(source, row.get(title), row.get(text))
        for source, (_, pattern, where) in REPOSITORIES.items():
            git = mirror / source / "repo"
            if not git.exists():
                missing.append(source)
                continue
            for path, content in files(git, pattern):
                parts = list(of_file(path, content))
                for (title, text), english in zip(parts, originals(mirror, where, path, parts)):
                    if language_of(text) == "ko":
                        add(source, title, text, english)
    print(json.dumps({"bytes": counts, "pairs": pairs, "not there": missing}, indent=1))


if __name__ == "__main__":
    main()
