// What tests share that look at the whole process: its threads, and children that it forks.
#pragma once

#include <gtest/gtest.h>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <filesystem>
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

/// As /proc tells it; S, for asleep, also if it has ended.
inline char state_of(const std::filesystem::path& thread) {
    std::ifstream stat(thread / "stat");
    std::string line;
    std::getline(stat, line);
    const auto end_of_name = line.rfind(')');
    return end_of_name == std::string::npos ? 'S' : line.at(end_of_name + 2);
}

/// Until no thread but this one runs. Of those that never sleep it sees enough after a while.
inline void let_others_sleep() {
    const std::string own = std::to_string(::gettid());
    for (int looks = 0; looks < 1000; ++looks) {
        bool all_sleep = true;
        for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
            all_sleep &= thread.path().filename() == own || state_of(thread) == 'S';
        }
        if (all_sleep) return;
        ::sched_yield();
    }
}

/// What `body` returns in a child of this process; 99 for an exception; 128 and the signal's number if one ends it:
/// SIGALRM after 20 s.
inline int in_child(const std::function<int()>& body) {
#ifdef __SANITIZE_ADDRESS__
    let_others_sleep();  // the sanitizer's allocator does not wait at the fork for the locks that they hold in it
#endif
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
