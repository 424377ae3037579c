import socket
import sys

import gevent.server


def echo(connection, address):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(2048)
    view = memoryview(buffer)
    try:
        while n := connection.recv_into(buffer):
            connection.sendall(view[:n])
    except OSError:
        pass  # the connection has gone


server = gevent.server.StreamServer(("127.0.0.1", int(sys.argv[1])), echo, backlog=4096)
server.start()
print("ready", flush=True)
server.serve_forever()
