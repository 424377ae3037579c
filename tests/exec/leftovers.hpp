// What the tests of this floor share: the proof at the end of each that also no child and no signal is left over.
#pragma once

#include "base/syscall.hpp"
#include "task/leftovers.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace exec_tests {

inline bool is_sigpipe_blocked() {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, SIGPIPE) == 1;
}

inline bool is_sigpipe_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGPIPE) == 1;
}

/// Each test with this fixture ends with the proof that it left no child, not even a zombie, no signal blocked or
/// pending, no action of a signal changed, and no seam open.
class clean_test : public task_tests::clean_test {
public:
    clean_test() : calls_(coir::detail::sys), on_child_(action_of(SIGCHLD)), on_pipe_(action_of(SIGPIPE)) {}
    ~clean_test() override {
        coir::detail::sys = calls_;
        errno = 0;
        EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left over";
        EXPECT_EQ(errno, ECHILD);
        EXPECT_FALSE(is_sigpipe_blocked());
        EXPECT_FALSE(is_sigpipe_pending());
        EXPECT_EQ(action_of(SIGCHLD), on_child_);
        EXPECT_EQ(action_of(SIGPIPE), on_pipe_);
    }

private:
    using handler = void (*)(int);
    static handler action_of(int number) {
        struct sigaction action {};
        ::sigaction(number, nullptr, &action);
        return action.sa_handler;
    }

    coir::detail::system_calls calls_;
    handler on_child_;
    handler on_pipe_;
};

/// The code of the std::system_error that `call` throws; empty when it throws none.
template <class Call>
std::error_code failure_of(Call call) {
    try {
        call();
    } catch (const std::system_error& e) {
        return e.code();
    }
    return {};
}

/// The text of what `call` throws; empty when it throws nothing.
template <class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (const std::exception& e) {
        return e.what();
    }
    return {};
}

/// No pattern that a lost or doubled block would hide in.
inline std::string noise(std::size_t n) {
    std::string bytes(n, '\0');
    std::uint64_t state = 1;
    for (char& c : bytes) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        c = static_cast<char>(state >> 56);
    }
    return bytes;
}

inline constexpr std::size_t ten_megabytes = 10'000'000;

}  // namespace exec_tests
