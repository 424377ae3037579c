import socket
import sys

import gevent.pywsgi
import gevent.socket


def hello(environment, start_response):
    if environment["REQUEST_METHOD"] != "GET" or environment["PATH_INFO"] != "/":
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"hello, world\n"]


listener = gevent.socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
listener.setblocking(False)  # a plain socket, which is accepted from until there is none
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted inherits it
server = gevent.pywsgi.WSGIServer(listener, hello, log=None)
server.start()
print("ready", flush=True)
server.serve_forever()
