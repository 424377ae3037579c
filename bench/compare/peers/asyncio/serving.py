"""What both programs share: the loop, which is uvloop's when that is asked for, and the server."""
import asyncio
import os
import sys


async def _serve(protocol):
    loop = asyncio.get_running_loop()
    # Both loops set TCP_NODELAY on what they accept.
    server = await loop.create_server(protocol, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


def run(protocol):
    if os.environ.get("EVENT_LOOP") == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(_serve(protocol))
