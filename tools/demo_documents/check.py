#!/usr/bin/env python3
"""Checks the demonstration sectors and their questions; prints what is wrong and exits 1, or prints the counts.

Standard library only. Quotes from PDF, Office and HWPX files are looked up in the committed source text that
make.py renders; when pdftotext is installed, quotes from PDF files must also stand on one line of its output.
"""
import collections
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MINIMUM = {  # sector: what the demonstration promises
    "battery": {"documents": 64, "questions": 48, "unanswerable share": 0.20, "glossary": 60, "done already": 5, "done already across languages": 2, "related": 3},
    "desalination": {"documents": 14, "questions": 15, "unanswerable": 3},
}
RENDERED = {".pdf", ".docx", ".hwpx", ".pptx", ".xlsx"}
problems = []


def main():
    for sector, minimum in MINIMUM.items():
        documents, languages = read_documents(sector)
        counts = {"documents": len(documents), "Korean documents": languages["ko"]}
        counts |= check_manifest(sector, documents)
        counts |= check_questions(sector, documents, "questions")
        for name in ("reworded", "development"):
            check_questions(sector, documents, name)
        counts |= check_repeats(sector, documents)
        for name, least in minimum.items():
            need(counts.get(name, 0) >= least, f"{sector}: {name} is {counts.get(name, 0)}, promised {least}")
        need(0.4 <= languages["ko"] / len(documents) <= 0.6, f"{sector}: {languages['ko']} of {len(documents)} documents are Korean")
        print(sector, json.dumps(counts, ensure_ascii=False))
    check_rendered()
    size = sum(path.stat().st_size for path in (ROOT / "sectors").rglob("*") if path.is_file())
    need(size < 3_000_000, f"sectors/ holds {size} bytes")
    for problem in problems:
        print("WRONG:", problem, file=sys.stderr)
    return 1 if problems else 0


def need(condition, message):
    if not condition:
        problems.append(message)


# ---- documents ---------------------------------------------------------------------------------

def check_rendered():
    for line in (HERE / "rendered.sha256").read_text(encoding="utf-8").splitlines():
        source_sum, target_sum, target, source = line.split(" ")
        for digest, name in ((source_sum, source), (target_sum, target)):
            need(hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, f"{name} changed since make.py ran: run it")


def read_documents(sector):
    """{name: text}, languages; a record is named projects.jsonl#<project_id>."""
    folder, texts, languages = ROOT / "sectors" / sector / "documents", {}, collections.Counter()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        if name == "projects.jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                key = f"{name}#{record['project_id']}"
                need(key not in texts, f"{sector}: {key} occurs twice")
                need(record["start"] < record["end"] and record["end"].startswith(str(record["year"])), f"{sector}: {key} has odd dates")
                texts[key] = "\n".join(str(value) for value in record.values())
                hangul = re.search("[가-힣]", record["title"]) is not None
                need(hangul == (record["language"] == "ko"), f"{sector}: {key} language")
                languages[record["language"]] += 1
        else:
            texts[name] = text_of(sector, path, name)
            languages["ko" if len(re.findall("[가-힣]", texts[name])) > len(texts[name]) * 0.1 else "en"] += 1
    return texts, languages


def text_of(sector, path, name):
    if path.suffix in RENDERED:
        if path.suffix == ".hwpx":
            first = zipfile.ZipFile(path).infolist()[0]
            need((first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED), f"{sector}: {name} does not begin with a stored mimetype")
        return (HERE / "sources" / sector / f"{name}.md").read_text(encoding="utf-8")
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp949")


# ---- manifest, questions, repeats ----------------------------------------------------------------

def check_manifest(sector, documents):
    manifest = tomllib.loads((ROOT / "sectors" / sector / "sector.toml").read_text(encoding="utf-8"))
    overrides = [entry["path"] for entry in manifest["documents_override"]]
    files = {name for name in documents if "#" not in name}
    need(set(overrides) == files and len(overrides) == len(files), f"{sector}: overrides and files differ: {sorted(set(overrides) ^ files)}")
    for entry in manifest["documents_override"]:
        need(entry["doc_type"] in {"report", "patent", "call", "paper", "notice", "memo", "record"}, f"{sector}: {entry['path']} doc_type")
    terms = collections.Counter(term for row in manifest["glossary"] for term in row["terms"])
    need(max(terms.values()) == 1, f"{sector}: glossary terms in two rows: {[t for t, n in terms.items() if n > 1]}")
    return {"glossary": len(manifest["glossary"]), "internal": sum(entry.get("access") == "internal" for entry in manifest["documents_override"])}


def check_questions(sector, documents, name):
    rows = read_jsonl(ROOT / "eval" / sector / f"{name}.jsonl")
    need(len({row["id"] for row in rows}) == len(rows), f"{sector}: {name} ids repeat")
    need(len({row["question"] for row in rows}) == len(rows), f"{sector}: {name} repeat")
    for row in rows:
        where = f"{sector} {row['id']}"
        need(row["answerable"] == bool(row.get("gold")) == bool(row.get("answer")), f"{where}: answerable, gold and answer disagree")
        need(name != "questions" or row["answerable"] == (row["type"] != "unanswerable"), f"{where}: type")
        need((re.search("[가-힣]", row["question"]) is not None) == (row["language"] == "ko"), f"{where}: language")
        for gold in row.get("gold", []):
            text = documents.get(gold["document"])
            need(text is not None, f"{where}: no document {gold['document']}")
            if text is not None:
                text = text.replace(",", " | ") if gold["document"].endswith(".csv") else text
                need("\n" not in gold["quote"] and flat(gold["quote"]) in flat(text), f"{where}: {gold['quote']!r} is not in {gold['document']}")
                check_pdf(sector, where, gold)
        for part in row.get("must_include", []):
            evidence = "\n".join(documents.get(gold["document"], "") for gold in row["gold"])
            need(part in row["answer"] or part in evidence, f"{where}: {part!r} is neither in the answer nor in the evidence")
    unanswerable = sum(not row["answerable"] for row in rows)
    return {"questions": len(rows), "Korean questions": sum(row["language"] == "ko" for row in rows), "unanswerable": unanswerable,
            "unanswerable share": round(unanswerable / len(rows), 3), "types": dict(collections.Counter(row["type"] for row in rows))}


def check_pdf(sector, where, gold):
    if not gold["document"].endswith(".pdf") or " | " in gold["quote"] or not shutil.which("pdftotext"):
        return
    path = ROOT / "sectors" / sector / "documents" / gold["document"]
    shown = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    need(any(gold["quote"] in line for line in shown.splitlines()), f"{where}: {gold['quote']!r} is not on one line of {gold['document']}")


def check_repeats(sector, documents):
    path = ROOT / "eval" / sector / "repeats.jsonl"
    rows = read_jsonl(path) if path.exists() else []
    for row in rows:
        for end in ("proposal", "prior"):
            need(row[end] in documents, f"{sector} repeats: no document {row[end]}")
    done = [row for row in rows if row["kind"] == "done already"]
    return {"done already": len(done), "done already across languages": sum(row["languages"] in ("ko-en", "en-ko") for row in done),
            "related": sum(row["kind"] == "related" for row in rows)}


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def flat(text):
    """Table bars and runs of white space do not count; make.py and the readers render tables in their own ways."""
    text = re.sub(r"</?t[dhr]>", " ", text)
    return " ".join(text.replace("|", " ").split())


if __name__ == "__main__":
    sys.exit(main())
