"""Starts nginx on PORT with a folder of its own, and becomes it: serve.py WORK FOLDER PORT

nginx takes over the listening socket as it does in an upgrade without interruption, so that "ready" is true when it
is said, and a signal to this process is one to nginx.
"""
import os
import pathlib
import socket
import sys

CONFIGURATION = """
{modules}
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; multi_accept on; }}
"""
ACCEPT = """
stream {{
    access_log off;
    server {{ listen 127.0.0.1:{port} backlog=4096; return "hello\\n"; }}
}}
"""
# A worker that has answered so many requests on a connection would close it.
HTTP = """
http {{
    access_log off;
    default_type text/plain;
    keepalive_timeout 75;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = / {{ return 200 "hello, world\\n"; }}
    }}
}}
"""
STREAM_MODULE = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;"
WORKS = {"accept": (STREAM_MODULE, ACCEPT), "http": ("", HTTP)}


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(4096)
    listener.setblocking(False)  # nginx leaves what it inherits as it is, and accepts until there is none
    listener.set_inheritable(True)
    return listener


def main():
    (modules, server), folder, port = WORKS[sys.argv[1]], pathlib.Path(sys.argv[2]).resolve(), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    text = (CONFIGURATION + server).format(modules=modules, folder=folder, port=port)
    (folder / "nginx.conf").write_text(text)
    listener = listen(port)
    print("ready", flush=True)
    environment = {**os.environ, "NGINX": f"{listener.fileno()};"}
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    os.execve("/usr/sbin/nginx", command, environment)


main()
