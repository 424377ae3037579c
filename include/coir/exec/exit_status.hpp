// <coir/exec/exit_status.hpp>: how a process ended.
#pragma once

#include <string>

namespace coir {

/// A value; nothing here suspends. Example: tests/exec/subprocess_test.cpp
class exit_status {
public:
    /// Exited with 0.
    constexpr exit_status() noexcept = default;
    static constexpr exit_status of_code(int code) noexcept { return {false, code}; }
    static constexpr exit_status of_signal(int signal) noexcept { return {true, signal}; }

    /// By exit() or a return from main(), with code().
    constexpr bool exited() const noexcept { return !is_signal_; }
    /// From 0 to 255; -1 when it did not exit.
    constexpr int code() const noexcept { return is_signal_ ? -1 : number_; }
    /// Killed by signal().
    constexpr bool signalled() const noexcept { return is_signal_; }
    /// 0 when it was not killed.
    constexpr int signal() const noexcept { return is_signal_ ? number_ : 0; }
    /// Exited with 0.
    constexpr bool success() const noexcept { return !is_signal_ && number_ == 0; }

    /// "exited with 3", "was killed by signal 9 (Killed)".
    std::string describe() const;

    friend constexpr bool operator==(const exit_status&, const exit_status&) noexcept = default;

private:
    constexpr exit_status(bool is_signal, int number) noexcept : is_signal_(is_signal), number_(number) {}

    bool is_signal_ = false;
    int number_ = 0;
};

}  // namespace coir
