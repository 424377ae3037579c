// <coir/base/error.hpp>: the types of what coir throws, named by what the catcher should do about it.
//
// Failures of the operating system are std::system_error, whose text names the operation and the fd or address.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace coir {

/// Thrown into a fiber whose last handle is dropped: unwind and end. It does not derive from std::exception, so
/// that `catch (const std::exception&)` cannot swallow it. Uncaught it is no error: the parent's switch_to returns a
/// value that holds it.
struct fiber_exit {};

/// Thrown at a suspension of a task that somebody cancelled. Not a std::exception, for the same reason. A body may
/// catch it and go on; a later cancel() is a new one.
struct cancelled {};

/// A time limit ran out: a coir::timeout scope, wait_for, or a limited operation.
class timed_out : public std::runtime_error {
public:
    explicit timed_out(const char* what = "timed out", const void* scope = nullptr)
        : std::runtime_error(what), scope_(scope) {}

    /// The coir::timeout that expired; null for the limit of a single operation. See timeout::owns.
    const void* scope() const noexcept { return scope_; }

private:
    const void* scope_;
};

/// Misuse: the text names the fiber and the remedy. Nothing has changed when it is thrown.
class fiber_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// get() on a task that ended by cancellation: another's cancellation, not one's own.
class task_cancelled : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Sending into a channel that was closed.
class channel_closed : public std::runtime_error {
public:
    explicit channel_closed(const char* what = "the channel is closed") : std::runtime_error(what) {}
};

/// The process that a job ran in is gone: the text says which, how it ended, and what it ran.
class broken_process_pool : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a job threw in another process. what() is the text from there.
class remote_error : public std::runtime_error {
public:
    remote_error(std::string type_name, const std::string& what)
        : std::runtime_error(what), type_name_(std::move(type_name)) {}

    /// "std::out_of_range", say.
    const std::string& type_name() const noexcept { return type_name_; }

private:
    std::string type_name_;
};

/// Nothing in this process can ever end the wait. The text lists every fiber and what it waits for.
class deadlock : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace detail {

/// Throws std::system_error for `code` (an errno value) with a text such as "connect 127.0.0.1:80".
[[noreturn]] void throw_system_error(int code, std::string_view operation);

/// The same with the file descriptor appended: "read fd 7".
[[noreturn]] void throw_system_error(int code, std::string_view operation, int fd);

}  // namespace detail
}  // namespace coir
