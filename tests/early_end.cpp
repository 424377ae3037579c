// A program that ends before its tests do, with 0, would read as a success: by a context that returns, say, which ends
// in _exit(0). Normal ends, and forked children, do not come here, or may.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

namespace {

const pid_t program = ::getpid();

}  // namespace

extern "C" void _exit(int status) {
    if (status == 0 && ::getpid() == program) {
        std::fputs("the program ends before its tests do\n", stderr);
        status = 70;
    }
    ::syscall(SYS_exit_group, status);
    __builtin_unreachable();
}
