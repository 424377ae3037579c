"use strict";
const http = require("http");

const body = "hello, world\n";
const head = { "Content-Type": "text/plain", "Content-Length": body.length };

const server = http.createServer({ noDelay: true, keepAliveTimeout: 75000 }, (request, response) => {
    if (request.method !== "GET" || request.url !== "/") {
        response.writeHead(404).end();
        return;
    }
    response.writeHead(200, head).end(body);
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 }, () => console.log("ready"));
