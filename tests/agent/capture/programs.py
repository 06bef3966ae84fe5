"""Small programs that know nothing of a mesh, for ``python -c``."""

SAYS = """
import socket, sys
port, word = int(sys.argv[1]), sys.argv[2]
server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, peer = server.accept()
    connection.sendall((word + " from " + peer[0].removeprefix("::ffff:") + "\\n").encode())
    connection.close()
"""
"""Listens on a port and says a word to whoever connects."""

HEARS = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as connection:
    connection.settimeout(3)
    print(connection.recv(200).decode().strip())
"""
"""Connects and prints what it hears."""

KNOCKS = """
import collections, json, socket, sys, time
address, port, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
heard = collections.Counter()
while True:
    try:
        with socket.create_connection((address, port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(b"GET / HTTP/1.1\\r\\nhost: knock\\r\\n\\r\\n")
            said = connection.recv(200)
            heard["answered " + said[:7].decode() if said else "closed"] += 1
    except OSError as refused:
        heard[type(refused).__name__] += 1
    open(file + ".draft", "w").write(json.dumps(heard))
    import os; os.rename(file + ".draft", file)
    time.sleep(0.01)
"""
"""Connects again and again, and writes to a file how often it ended how."""

REVIEWS = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({k.lower(): v for k, v in self.headers.items()} | {"peer": self.client_address[0]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
import socket
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", 9080), Handler).serve_forever()
"""
"""An HTTP server that answers with the headers of the request."""

ECHO = """
import grpc
from concurrent.futures import ThreadPoolExecutor
def say(request, context):
    told = dict(context.invocation_metadata())
    return request + b" for " + told.get("x-forwarded-client-cert", "nobody").encode()
def count(request, context):
    for number in range(3):
        yield str(number).encode()
handlers = {"Say": grpc.unary_unary_rpc_method_handler(say), "Count": grpc.unary_stream_rpc_method_handler(count)}
server = grpc.server(ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Echo", handlers),))
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
"""
"""A gRPC server."""

SAY = """
import grpc, sys
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(channel.unary_unary("/demo.Echo/Say")(b"hello", timeout=5).decode())
    print(b"".join(channel.unary_stream("/demo.Echo/Count")(b"", timeout=5)).decode())
"""
"""A gRPC client."""

GET = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
"""
"""A Python program that asks for a page."""

NODE_GET = """
const asked = require("http").get(process.argv[1], (answer) => answer.pipe(process.stdout));
asked.on("error", (failed) => console.error(failed.message));
"""
"""A Node program that asks for a page."""
