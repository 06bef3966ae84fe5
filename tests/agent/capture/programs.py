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
