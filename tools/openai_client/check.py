#!/usr/bin/env python3
"""Asks a running Sectora through the official `openai` client and checks what comes back.

    python3 -m venv /tmp/openai-client && /tmp/openai-client/bin/pip install -r tools/openai_client/requirements.txt
    sectora serve --port 7878 &
    /tmp/openai-client/bin/python tools/openai_client/check.py --base http://127.0.0.1:7878 [--question TEXT]

Exits 1 at the first thing that is not as it should be. Without an encoder in the index, the
embeddings must be refused as unavailable; with one, they are checked for shape and length.
"""

import argparse
import base64
import json
import struct
import sys
import urllib.parse
import urllib.request

import openai


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:7878", help="address of the server, without /v1")
    parser.add_argument("--question", help="a question the documents answer (default: the sector's first example)")
    arguments = parser.parse_args()

    base = arguments.base.rstrip("/")
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="unused", max_retries=0)
    sector = fetch(f"{base}/v1/sector")
    question = arguments.question or (sector["examples"]["en"] + sector["examples"]["ko"])[0]

    checks = [models, chat, chat_in_korean, streaming, stopping_early, completions, embeddings, wrong_requests]
    for check in checks:
        try:
            print(f"ok    {check.__name__:16} {check(client, base, sector, question)}")
        except (AssertionError, openai.OpenAIError, OSError, KeyError) as problem:
            print(f"FAIL  {check.__name__:16} {type(problem).__name__}: {problem}")
            return 1
    return 0


def models(client, base, sector, question):
    names = [model.id for model in client.models.list()]
    assert sector["model"] in names, names
    assert client.models.retrieve(names[0]).id == names[0]
    return ", ".join(names)


def chat(client, base, sector, question):
    completion = client.chat.completions.create(
        model=sector["model"], messages=[{"role": "user", "content": question}], temperature=0, seed=1
    )
    return checked(base, completion.choices[0].message.content, completion.choices[0].finish_reason, completion.sectora)


def chat_in_korean(client, base, sector, question):
    if not sector["examples"]["ko"]:
        return "no Korean example in this sector"
    completion = client.chat.completions.create(
        model=sector["model"], messages=[{"role": "user", "content": sector["examples"]["ko"][0]}]
    )
    return checked(base, completion.choices[0].message.content, completion.choices[0].finish_reason, completion.sectora)


def streaming(client, base, sector, question):
    plain = client.chat.completions.create(model=sector["model"], messages=[{"role": "user", "content": question}])
    pieces, usage, grounds, finish = [], None, None, None
    for chunk in client.chat.completions.create(
        model=sector["model"],
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        if chunk.choices:
            pieces.append(chunk.choices[0].delta.content or "")
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
        extension = getattr(chunk, "sectora", None)
        grounds = extension if extension and "citations" in extension else grounds
    assert usage is not None and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert "".join(pieces) == plain.choices[0].message.content, "the stream is another text than the plain answer"
    return f"{len(pieces)} chunks; " + checked(base, "".join(pieces), finish, grounds)


def stopping_early(client, base, sector, question):
    with client.chat.completions.create(
        model=sector["model"], messages=[{"role": "user", "content": question}], stream=True
    ) as stream:
        next(iter(stream))
    # The place is free again: the next question is answered.
    client.chat.completions.create(model=sector["model"], messages=[{"role": "user", "content": question}], timeout=60)
    return "left after one chunk, asked again"


def completions(client, base, sector, question):
    completion = client.completions.create(model=sector["model"], prompt=question, max_tokens=200)
    streamed = client.completions.create(model=sector["model"], prompt=question, max_tokens=200, stream=True)
    text = "".join(chunk.choices[0].text for chunk in streamed if chunk.choices)
    assert text == completion.choices[0].text, "the stream is another text than the plain answer"
    return checked(base, completion.choices[0].text, completion.choices[0].finish_reason, completion.sectora)


def embeddings(client, base, sector, question):
    encoder = sector["encoder"]
    if encoder is None:
        error = refused(openai.InternalServerError, lambda: client.embeddings.create(model=sector["model"], input="x"))
        assert error.status_code == 503 and error.code == "no_encoder", error
        return f"no encoder, refused: {error.body['message'][:60]}…"
    texts = ["A cell was tested.", "전지를 시험하였다."]
    floats = client.embeddings.create(model=encoder, input=texts, encoding_format="float").data
    packed = client.with_raw_response.embeddings.create(model=encoder, input=texts, encoding_format="base64")
    packed = [row["embedding"] for row in json.loads(packed.text)["data"]]
    for row, text in zip(floats, packed, strict=True):
        raw = base64.b64decode(text)
        unpacked = struct.unpack(f"<{len(raw) // 4}f", raw)
        assert max(abs(a - b) for a, b in zip(row.embedding, unpacked, strict=True)) < 1e-6
        assert abs(sum(x * x for x in row.embedding) - 1) < 1e-3, "not of unit length"
    # The client's own default is base64, which it unpacks itself.
    assert len(client.embeddings.create(model=encoder, input="x").data[0].embedding) == len(floats[0].embedding)
    error = refused(openai.BadRequestError, lambda: client.embeddings.create(model=encoder, input=[[1, 2, 3]]))
    assert "token numbers" in error.message, error
    return f"{len(floats[0].embedding)} dimensions from {encoder}"


def wrong_requests(client, base, sector, question):
    model, messages = sector["model"], [{"role": "user", "content": question}]
    create = client.chat.completions.create
    error = refused(openai.NotFoundError, lambda: create(model="gpt-4o", messages=messages))
    assert error.code == "model_not_found" and error.param == "model", error
    for wrong, param in [
        ({"temperature": 3}, "temperature"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"extra_body": {"sectora": {"filters": {"yearfrom": 1}}}}, "sectora.filters.yearfrom"),
    ]:
        error = refused(openai.BadRequestError, lambda wrong=wrong: create(model=model, messages=messages, **wrong))
        assert error.param == param, (wrong, error)
    error = refused(openai.BadRequestError, lambda: create(model=model, messages=[]))
    assert error.param == "messages", error
    return f"8 refused, last: {error.body['message']}"


def checked(base, text, finish, grounds):
    """The citations of an answer hold: every quote is the document's text at its offsets."""
    assert text and finish in ("stop", "length"), (text, finish)
    assert grounds["generator"] and isinstance(grounds["abstained"], bool)
    if not grounds["abstained"]:
        assert grounds["citations"], "an answer without citations"
    for citation in grounds["citations"]:
        assert f"[{citation['n']}]" in text, f"[{citation['n']}] is not in the answer"
        document = fetch(f"{base}/v1/documents/{urllib.parse.quote(citation['doc_id'])}")
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"], citation
    kind = "abstained" if grounds["abstained"] else f"{len(grounds['citations'])} quotes hold"
    return f"{kind} ({grounds['generator']}): {' '.join(text.split())[:70]}"


def refused(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, but the request was accepted")


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main())
