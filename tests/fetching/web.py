"""A web server on the loopback interface that behaves, or misbehaves, as it is told."""

import http.server
import re
import threading


class Server:
    """Answers each path with its next scripted reply (the last one is repeated), or hosts a file there.

    Attributes
    ----------
    requests : list of (str, dict)
        Path and headers of all requests so far.
    """

    def __init__(self):
        self.script, self.files, self.requests = {}, {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                path = self.path.partition("?")[0]
                if self.path not in outer.script and path in outer.files:
                    status, body, headers = outer.files[path].reply(self.headers)
                else:
                    replies = outer.script.get(self.path, [(404, b"", {})])
                    status, body, headers = replies.pop(0) if len(replies) > 1 else replies[0]
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.httpd.server_port}"

    def serve(self, path, *replies):
        """Script (status, body, headers) replies and return the address."""
        self.script[path] = [(*reply, {})[:3] for reply in replies]
        return self.address + path

    def host(self, path, body, **options):
        """Host a file as a good server does, with ranges and conditions; return the address."""
        self.files[path] = File(body, **options)
        return self.address + path

    def count(self, path):
        return sum(asked.partition("?")[0] == path for asked, _ in self.requests)

    def ranges(self, path):
        """Return the ranges that were asked for; None for the whole file."""
        return [headers.get("Range") for asked, headers in self.requests if asked.partition("?")[0] == path]

    def close(self):
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


class File:
    """A hosted file; the k-th answer breaks off after ``cuts[k]`` bytes."""

    def __init__(self, body, *, etag='"1"', ranges=True, cuts=()):
        self.body, self.etag, self.ranges, self.cuts = body, etag, ranges, list(cuts)

    def reply(self, headers):
        start, status, more = 0, 200, {"ETag": self.etag} if self.etag else {}
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        same = headers.get("If-Range", self.etag) == self.etag
        if asked and self.ranges and same:
            start, status = int(asked[1]), 206
            if start >= len(self.body):
                return 416, b"", {"Content-Range": f"bytes */{len(self.body)}"}
            more["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        sent = self.body[start:]
        more["Content-Length"] = str(len(sent))
        return status, sent[: self.cuts.pop(0)] if self.cuts else sent, more
