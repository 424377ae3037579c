// What process_pool::submit refuses, one mistake at a time: a test compiles each and reads the message.
#include <coir/exec/process_pool.hpp>

#include <utility>

struct socket {
    explicit socket(int n) : fd(n) {}
    int fd;
};

void use(coir::process_pool& pool) {
    [[maybe_unused]] int n = 3;
#if MISTAKE == 0
    (void)pool.submit([](int m) { return m; }, n);
#elif MISTAKE == 1
    (void)pool.submit([n] { return n; });
#elif MISTAKE == 2
    (void)pool.submit([](const socket& s) { return s.fd; }, socket(n));
#elif MISTAKE == 3
    (void)pool.submit([](int* m) { ++*m; }, &n);
#elif MISTAKE == 4
    (void)pool.submit([] { return socket(1); });
#elif MISTAKE == 5
    (void)pool.submit([](int& m) { ++m; }, n);
#elif MISTAKE == 6
    (void)pool.submit([](const char*) {}, "text");
#elif MISTAKE == 7
    (void)pool.submit(&std::string::size, std::string());
#endif
}
