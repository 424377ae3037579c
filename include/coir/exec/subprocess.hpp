// <coir/exec/subprocess.hpp>: other programs as children of this one: run them, talk to them, wait for their end.
//
// Nothing here needs SIGCHLD or installs a handler: each child is held, and waited for, by a pidfd of its own. Who
// reaps it behind coir's back (wait(-1), SIGCHLD ignored) takes its status away: waiting then throws ECHILD.
//
// The child gets the descriptors 0, 1 and 2 and no other, an empty signal mask, and the default action for every
// signal. Starting it blocks the thread until the program has been found and begun, which is about a millisecond.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/exec/exit_status.hpp>
#include <coir/exec/pipe.hpp>

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coir {

namespace detail {
class child;
}

/// What one of the child's descriptors 0, 1, 2 is. See subprocess::pipe and its neighbours.
class redirection {
public:
    enum class kind : unsigned char { inherit, pipe, null, merge, fd };
    constexpr redirection() noexcept = default;
    constexpr explicit redirection(kind what, int number = -1) noexcept : kind_(what), fd_(number) {}
    constexpr kind what() const noexcept { return kind_; }
    constexpr int fd() const noexcept { return fd_; }

private:
    kind kind_ = kind::inherit;
    int fd_ = -1;
};

struct subprocess_options {
    redirection in = {};
    redirection out = {};
    redirection err = {};
    /// On top of this process's environment: "NAME=value" sets, "NAME" alone takes away.
    std::vector<std::string> env = {};
    /// Begin with an empty environment instead.
    bool clear_env = false;
    /// Where the child begins; a relative name of the program is looked up from there. Empty: where this process is.
    std::string cwd = {};
    /// The child leads a process group of its own: a Ctrl-C at the terminal is not for it.
    bool new_group = false;
};

struct subprocess_run_options {
    /// What the child reads from its stdin; then, or if it is empty, the end. Must live until run() returns.
    std::string_view input = {};
    /// For all of it.
    time_span timeout = time_span::forever();
    /// How many bytes of out, and of err, are taken.
    std::size_t max_output = std::string::npos;
    /// Collect in out, in the order of writing, what the child writes to stderr.
    bool merge_err = false;
    // As in subprocess_options.
    std::vector<std::string> env = {};
    bool clear_env = false;
    std::string cwd = {};
    bool new_group = false;
};

struct subprocess_result {
    exit_status status;
    std::string out;
    std::string err;
};

/// A child process. Moved, not copied. One that still runs when its subprocess goes is killed and reaped, so that no
/// zombie is ever left: that destructor suspends, shielded, and throws nothing. Only the child is killed, not what it
/// has started itself; and one that may not be killed, since it runs as somebody else by now, is waited for.
/// `coir::subprocess p({"cat"}, {.in = coir::subprocess::pipe, .out = coir::subprocess::pipe});`
///
/// Any thread may call; a plain thread that waits makes a hub. Example: tests/exec/subprocess_test.cpp
class subprocess {
public:
    /// The same as this process's. The default.
    static constexpr redirection inherit{};
    /// A new pipe, whose other end is in(), out() or err().
    static constexpr redirection pipe{redirection::kind::pipe};
    /// /dev/null.
    static constexpr redirection null{redirection::kind::null};
    /// For err: wherever out goes.
    static constexpr redirection merge{redirection::kind::merge};
    /// An open descriptor, which stays the caller's.
    static constexpr redirection fd(int number) noexcept { return redirection{redirection::kind::fd, number}; }

    /// Runs a program to its end, feeding it and collecting what it writes, both at once:
    /// `auto r = coir::subprocess::run({"sort", "-r"}, {.input = text, .timeout = 2s}); use(r.out);`
    ///
    /// Suspends until the child has ended and all who hold its stdout and stderr have closed them, also processes that
    /// it has left behind. Input that it does not read is no error, nor is its status. Throws as the constructor does;
    /// timed_out when the time is over; output_too_long. Before anything is thrown, `cancelled` included, the child
    /// is killed and reaped.
    static subprocess_result run(const std::vector<std::string>& argv, const subprocess_run_options& options = {});

    /// No process; only assignment and `explicit operator bool` make sense.
    subprocess() noexcept = default;
    /// Starts `argv[0]`, looked up in the PATH of this process unless it contains a slash, with the arguments `argv`.
    /// Does not suspend. Throws std::system_error, whose text names the program, when it cannot be started (ENOENT,
    /// EACCES, EMFILE, ...), and fiber_error for what can be no program: an empty argv, a NUL inside an argument.
    /// Nothing is left open or running then.
    explicit subprocess(const std::vector<std::string>& argv, const subprocess_options& options = {});
    subprocess(subprocess&&) noexcept = default;
    subprocess& operator=(subprocess&& other) noexcept;
    ~subprocess();

    explicit operator bool() const noexcept { return static_cast<bool>(child_); }
    pid_t pid() const;

    /// This process's ends of the pipes; fiber_error where there is none. Close in() to let the child read the end.
    pipe_writer& in();
    pipe_reader& out();
    pipe_reader& err();

    /// Suspends until it has ended. Any number of fibers, of any threads, may wait, again and again: all get the same.
    /// A cancellation point; the child goes on. Throws std::system_error with ECHILD when somebody else has reaped it.
    /// Does not read the pipes: a child that fills one, and is not read from, never ends.
    exit_status wait() const { return *wait_until(deadline::never()); }
    /// Nothing when the limit was first.
    std::optional<exit_status> wait_for(time_span limit) const { return wait_until(deadline::after(limit)); }
    std::optional<exit_status> wait_until(deadline limit) const;
    /// Nothing while it runs. Never suspends.
    std::optional<exit_status> try_wait() const;

    /// Sends it a signal; nothing when it has ended, and never to another process. Does not suspend, nor wait for
    /// the end. Throws std::system_error for an unknown signal, and for a child that may not be signalled.
    void kill(int signal = SIGKILL) const;
    /// Asks it to end.
    void terminate() const { kill(SIGTERM); }

private:
    const std::shared_ptr<detail::child>& held() const;

    std::shared_ptr<detail::child> child_;  // shared with those who wait
    std::optional<pipe_writer> in_;
    std::optional<pipe_reader> out_;
    std::optional<pipe_reader> err_;
};

}  // namespace coir
