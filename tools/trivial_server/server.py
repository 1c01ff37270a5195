#!/usr/bin/env python3
"""server.py PORT: the smallest OpenAI-compatible server, to have a second side in a comparison; it knows nothing.

It repeats the question with a made-up figure, and every third time says that it does not know. See `sectora eval all --server`.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.reply({"object": "list", "data": [{"id": "trivial", "object": "model"}]})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = request["messages"][-1]["content"]
        text = "I don't know." if len(question) % 3 == 0 else "The answer is 42 %: " + question
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.reply({"id": "x", "object": "chat.completion", "model": "trivial", "choices": [choice]})


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
