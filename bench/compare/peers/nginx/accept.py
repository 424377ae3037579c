"""Starts nginx on PORT with a folder of its own, and becomes it: accept.py FOLDER PORT

nginx takes over the listening socket as it does in an upgrade without interruption, so that "ready" is true when it
is said, and a signal to this process is one to nginx.
"""
import os
import pathlib
import socket
import sys

CONFIGURATION = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; multi_accept on; }}
stream {{
    access_log off;
    server {{ listen 127.0.0.1:{port} backlog=4096; return "hello\\n"; }}
}}
"""


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(4096)
    listener.set_inheritable(True)
    return listener


def main():
    folder, port = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    listener = listen(port)
    print("ready", flush=True)
    environment = {**os.environ, "NGINX": f"{listener.fileno()};"}
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    os.execve("/usr/sbin/nginx", command, environment)


main()
