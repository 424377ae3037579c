#include <pth.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void* greet(void* argument) {
    const int fd = (int)(intptr_t)argument;
    pth_write(fd, "hello\n", 6);
    close(fd);
    return NULL;
}

int main(int argc, char** argv) {
    const int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    at.sin_port = htons((uint16_t)atoi(argv[argc - 1]));
    pth_init();
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
    if (bind(listener, (struct sockaddr*)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
        return perror("listen"), 1;
    puts("ready");
    fflush(stdout);

    pth_attr_t detached = pth_attr_new();
    pth_attr_set(detached, PTH_ATTR_JOINABLE, 0);
    for (;;) {
        const int fd = pth_accept(listener, NULL, NULL);
        if (fd >= 0 && !pth_spawn(detached, greet, (void*)(intptr_t)fd)) close(fd);
    }
}
