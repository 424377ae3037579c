import sys

import uvicorn

HEAD = {"type": "http.response.start", "status": 200,
        "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")]}
BODY = {"type": "http.response.body", "body": b"hello, world\n"}
NOT_FOUND = {"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]}
NOTHING = {"type": "http.response.body"}


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("ready", flush=True)


async def hello(scope, receive, send):
    is_found = scope["method"] == "GET" and scope["path"] == "/"
    await send(HEAD if is_found else NOT_FOUND)
    await send(BODY if is_found else NOTHING)


Server(uvicorn.Config(hello, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off",
                      backlog=4096, timeout_keep_alive=75, access_log=False, log_level="error")).run()
