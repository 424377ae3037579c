// The process that workers are forked from: small, with one thread, made before anything can go wrong in it.
//
// A fork of a process with threads takes their locks along, locked for ever; so only this one is forked from the
// program, and a worker that is needed later comes from here. It also collects the workers when they have ended.
#pragma once

#include <coir/base/unique_fd.hpp>
#include <coir/sync/event.hpp>
#include <coir/task/future.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace coir::detail {

/// What the program asks for. Each is one message; with spawn goes the worker's end of its socket.
struct server_request {
    enum class verb : std::int32_t { spawn, kill } what;
    std::int32_t pid;
};

/// What the server tells.
struct server_note {
    enum class verb : std::int32_t { spawned, ended } what;
    std::int32_t pid;    // -1 if it could not be spawned
    std::int32_t value;  // the errno of that; the wait status of what has ended
};

/// The server process: serves `control` until its other end is closed, or `program` has ended, whoever else may hold
/// that end; then it kills what is left and ends.
[[noreturn]] void run_fork_server(int control, pid_t program, std::size_t max_payload) noexcept;

/// The program's side of it. But for the constructor, for the fibers of one hub.
class fork_server {
public:
    /// A process that was spawned.
    struct child {
        pid_t pid;
        int socket;                 // shut down when it has ended, whoever else may hold the other end; -1: no more
        std::optional<int> status;  // once it has ended, unless the server went first
        event ended;
    };

    /// Forks it. Throws std::system_error.
    explicit fork_server(std::size_t max_payload);
    /// Ends it, if listen() has not seen its end.
    ~fork_server();
    fork_server(const fork_server&) = delete;

    /// Takes in what the server tells, until it is gone.
    void listen();
    /// Forks a worker that serves the other end of `socket`. Suspends. Throws std::system_error, broken_process_pool.
    std::shared_ptr<child> spawn(unique_fd worker_end, int socket);
    /// Does not wait for its end.
    void kill(const child& process);
    /// Asks it to kill its workers and end.
    void close() noexcept;

    /// "its fork server (pid 12) was killed by signal 9": once listen() has returned.
    const std::string& obituary() const noexcept { return obituary_; }
    /// In the child of a fork.
    void forget() noexcept { control_.reset(); }

private:
    void start(unique_fd end, std::size_t max_payload);
    void send(const server_request& request, int fd_to_pass);
    bool receive(server_note& note);
    void take_in(const server_note& note);
    void lose_all() noexcept;
    void collect() noexcept;

    struct pending_spawn {
        promise<std::shared_ptr<child>> answer;
        int socket;
    };

    unique_fd control_;
    pid_t pid_ = -1;
    std::deque<pending_spawn> pending_;  // answered in the order of asking
    std::unordered_map<pid_t, std::shared_ptr<child>> children_;
    bool is_gone_ = false;
    std::string obituary_;
};

/// "was killed by signal 9 (KILL)", "exited with 3".
std::string describe_end(int wait_status);

}  // namespace coir::detail
