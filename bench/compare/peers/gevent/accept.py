import sys

import gevent.server


def greet(connection, address):
    try:
        connection.sendall(b"hello\n")
    except OSError:
        pass  # the connection has gone


server = gevent.server.StreamServer(("127.0.0.1", int(sys.argv[1])), greet, backlog=4096)
server.start()
print("ready", flush=True)
server.serve_forever()
