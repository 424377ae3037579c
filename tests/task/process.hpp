// What tests share that look at the whole process: its threads, and children that it forks.
#pragma once

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

namespace task_tests {

#ifdef __SANITIZE_THREAD__
inline constexpr bool is_tsan = true;
#else
inline constexpr bool is_tsan = false;
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int share = 20;  // of what a plain build does
#else
inline constexpr int share = 1;
#endif

/// The kernel's count of this process's threads.
inline int threads_alive() {
    std::ifstream status("/proc/self/status");
    std::string word;
    int count = -1;
    while (status >> word) {
        if (word == "Threads:") status >> count;
    }
    return count;
}

/// A joined thread may be counted a moment longer.
inline void until_threads_are(int count) {
    while (threads_alive() != count) ::sched_yield();
}

/// ThreadSanitizer starts one of its own with the first thread of the program.
inline int threads_to_begin_with() {
    if (!is_tsan) return threads_alive();
    std::thread([] {}).join();
    until_threads_are(2);
    return 2;
}

inline void spin_until(const std::atomic<bool>& flag) {
    while (!flag) ::sched_yield();
}

/// What `body` returns in a child of this process; 99 for an exception; 128 and the signal's number if one ends it:
/// SIGALRM after 20 s.
inline int in_child(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(20);
        int rc = 99;
        try {
            rc = body();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "in the child: %s\n", e.what());
        } catch (...) {
        }
        ::_exit(rc);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace task_tests
