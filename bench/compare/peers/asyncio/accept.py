import asyncio

import serving


class Greet(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"hello\n")
        transport.close()


serving.run(Greet)
