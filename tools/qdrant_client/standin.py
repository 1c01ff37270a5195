"""Our Qdrant requests, read by Qdrant's own client library.

No Qdrant server can be installed on the development machines. This serves the REST paths that
`src/index/qdrant.rs` uses: each body must be accepted by the official Python client's models (which refuse
unknown fields) and is answered by that client's in-memory implementation, which is not ours.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install 'qdrant-client==1.20.*'
    /tmp/venv/bin/python tools/qdrant_client/standin.py 6333 &
    SECTORA_TEST_QDRANT=http://127.0.0.1:6333 cargo test --release --lib real_server
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from qdrant_client import QdrantClient
from qdrant_client.http import models

client = QdrantClient(":memory:")
one_at_a_time = Lock()


class Refused(Exception):
    def __init__(self, status, what):
        super().__init__(what)
        self.status = status


def collection(method, name, body):
    if method == "GET":
        if not client.collection_exists(name):
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return client.get_collection(name)
    if method == "DELETE":
        if not client.collection_exists(name):
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return client.delete_collection(name)
    parsed = models.CreateCollection.model_validate(body)
    return client.create_collection(
        name, vectors_config=parsed.vectors, sparse_vectors_config=parsed.sparse_vectors
    )


def inside(method, name, rest, body):
    if not client.collection_exists(name):
        raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
    match method, rest:
        case "PUT", "index":
            parsed = models.CreateFieldIndex.model_validate(body)
            return client.create_payload_index(name, parsed.field_name, parsed.field_schema)
        case "PUT", "points":
            parsed = models.PointsList.model_validate(body)
            return client.upsert(name, parsed.points)
        case "POST", "points/delete":
            parsed = models.PointIdsList.model_validate(body)
            return client.delete(name, parsed)
        case "POST", "points/query":
            parsed = models.QueryRequest.model_validate(body)
            return client.query_points(
                name,
                query=parsed.query,
                using=parsed.using,
                prefetch=parsed.prefetch,
                query_filter=parsed.filter,
                limit=parsed.limit,
                search_params=parsed.params,
                with_payload=parsed.with_payload,
            )
        case "POST", "points/count":
            parsed = models.CountRequest.model_validate(body)
            return client.count(name, count_filter=parsed.filter, exact=parsed.exact)
        case "POST", "points/scroll":
            parsed = models.ScrollRequest.model_validate(body)
            points, following = client.scroll(name, limit=parsed.limit, offset=parsed.offset, with_payload=False)
            return {"points": [{"id": p.id} for p in points], "next_page_offset": following}
        case "POST", "facet":
            parsed = models.FacetRequest.model_validate(body)
            return client.facet(name, key=parsed.key, facet_filter=parsed.filter, limit=parsed.limit, exact=parsed.exact)
    raise Refused(404, f"{method} {rest}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path.split("?")[0].strip("/").split("/")
        try:
            if path[0] != "collections" or len(path) < 2:
                raise Refused(404, "no such path")
            with one_at_a_time:
                if len(path) == 2:
                    result = collection(self.command, path[1], body)
                else:
                    result = inside(self.command, path[1], "/".join(path[2:]), body)
            result = result.model_dump(mode="json") if hasattr(result, "model_dump") else result
            status, answer = 200, {"result": result, "status": "ok", "time": 0.0}
        except Refused as refused:
            status, answer = refused.status, {"status": {"error": str(refused)}, "time": 0.0}
        except Exception as error:  # Whatever the client library objects to is the answer.
            status, answer = 400, {"status": {"error": f"{type(error).__name__}: {error}"}, "time": 0.0}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
