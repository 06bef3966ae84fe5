"""An application that knows nothing of traces: it asks another for each request, and answers what that says."""

import http.server
import os
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    """One call for each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with urllib.request.urlopen(f"http://paced:9080{self.path}", timeout=20) as answer:
            content = answer.read()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
