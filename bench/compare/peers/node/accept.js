"use strict";
const net = require("net");

const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("hello\n");
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 }, () => console.log("ready"));
