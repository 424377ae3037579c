// The one seam for system calls. All of coir calls the kernel through this table: errors get their context at the
// call, tests make the n-th call of a kind fail by replacing an entry, and a layer that interposes libc's names keeps
// coir on the originals by filling the table with them.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace coir::detail {

// The C library has no names for these, or only lately.
inline int call_pidfd_open(pid_t pid, unsigned flags) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags));
}
inline int call_pidfd_send_signal(int pidfd, int signal, siginfo_t* info, unsigned flags) noexcept {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags));
}

/// On this process's own memory: PIDFD_SELF, which kernels know that have MADV_GUARD_INSTALL, or the next ones.
inline ssize_t call_process_madvise(const iovec* ranges, size_t count, int advice) noexcept {
    constexpr int pidfd_self = -10000;
    return ::syscall(SYS_process_madvise, pidfd_self, ranges, count, advice, 0u);
}

struct system_calls {
    int (*open)(const char*, int, ...) = ::open;
    ssize_t (*read)(int, void*, size_t) = ::read;
    ssize_t (*write)(int, const void*, size_t) = ::write;
    int (*close)(int) = ::close;
    int (*socket)(int, int, int) = ::socket;
    int (*socketpair)(int, int, int, int*) = ::socketpair;
    int (*bind)(int, const sockaddr*, socklen_t) = ::bind;
    int (*listen)(int, int) = ::listen;
    int (*connect)(int, const sockaddr*, socklen_t) = ::connect;
    int (*accept4)(int, sockaddr*, socklen_t*, int) = ::accept4;
    ssize_t (*recv)(int, void*, size_t, int) = ::recv;
    ssize_t (*send)(int, const void*, size_t, int) = ::send;
    ssize_t (*sendmsg)(int, const msghdr*, int) = ::sendmsg;
    ssize_t (*recvmsg)(int, msghdr*, int) = ::recvmsg;
    int (*shutdown)(int, int) = ::shutdown;
    int (*getsockopt)(int, int, int, void*, socklen_t*) = ::getsockopt;
    int (*setsockopt)(int, int, int, const void*, socklen_t) = ::setsockopt;
    int (*poll)(pollfd*, nfds_t, int) = ::poll;
    int (*epoll_create1)(int) = ::epoll_create1;
    int (*epoll_ctl)(int, int, int, epoll_event*) = ::epoll_ctl;
    int (*epoll_pwait2)(int, epoll_event*, int, const timespec*, const sigset_t*) = ::epoll_pwait2;
    int (*eventfd)(unsigned, int) = ::eventfd;
    int (*timerfd_create)(int, int) = ::timerfd_create;
    int (*timerfd_settime)(int, int, const itimerspec*, itimerspec*) = ::timerfd_settime;
    void* (*mmap)(void*, size_t, int, int, int, off_t) = ::mmap;
    int (*munmap)(void*, size_t) = ::munmap;
    int (*mprotect)(void*, size_t, int) = ::mprotect;
    int (*madvise)(void*, size_t, int) = ::madvise;
    ssize_t (*process_madvise)(const iovec*, size_t, int) = call_process_madvise;
    pid_t (*fork)() = ::fork;
    pid_t (*waitpid)(pid_t, int*, int) = ::waitpid;
    int (*kill)(pid_t, int) = ::kill;
    int (*ppoll)(pollfd*, nfds_t, const timespec*, const sigset_t*) = ::ppoll;
    int (*dup3)(int, int, int) = ::dup3;
    void (*closefrom)(int) = ::closefrom;
    int (*prctl)(int, ...) = ::prctl;
    int (*clock_gettime)(clockid_t, timespec*) = ::clock_gettime;
    int (*pipe2)(int*, int) = ::pipe2;
    int (*fcntl)(int, int, ...) = ::fcntl;
    int (*posix_spawnp)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, char* const*,
                        char* const*) = ::posix_spawnp;
    int (*pidfd_open)(pid_t, unsigned) = call_pidfd_open;
    int (*pidfd_send_signal)(int, int, siginfo_t*, unsigned) = call_pidfd_send_signal;
    int (*waitid)(idtype_t, id_t, siginfo_t*, int) = ::waitid;
    int (*pthread_sigmask)(int, const sigset_t*, sigset_t*) = ::pthread_sigmask;
    int (*sigpending)(sigset_t*) = ::sigpending;
    int (*sigtimedwait)(const sigset_t*, siginfo_t*, const timespec*) = ::sigtimedwait;
};

/// Replaced only while no other thread makes calls.
extern constinit system_calls sys;

}  // namespace coir::detail
