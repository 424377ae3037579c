// The one seam for system calls. All of coir calls the kernel through this table: errors get their context at the
// call, tests make the n-th call of a kind fail by replacing an entry, and a layer that interposes libc's names keeps
// coir on the originals by filling the table with them.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

namespace coir::detail {

struct system_calls {
    ssize_t (*read)(int, void*, size_t) = ::read;
    ssize_t (*write)(int, const void*, size_t) = ::write;
    int (*close)(int) = ::close;
    int (*socket)(int, int, int) = ::socket;
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
    int (*clock_gettime)(clockid_t, timespec*) = ::clock_gettime;
};

/// Replaced only while no other thread makes calls.
extern constinit system_calls sys;

}  // namespace coir::detail
