// The program's side of one worker: it, or its successor, runs one job at a time.
#pragma once

#include "exec/fork_server.hpp"

#include <coir/base/unique_fd.hpp>
#include <coir/exec/detail/process_pool_core.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace coir::detail {

/// For one fiber of the pool's hub.
class worker_process {
public:
    worker_process(fork_server& server, std::size_t max_payload) noexcept
        : server_(server), max_payload_(max_payload) {}

    /// Replaces a worker that is not there, or has ended. Suspends. Throws std::system_error, broken_process_pool.
    void prepare();

    /// Has a worker run the job, and gives the frame of the reply. One that is found dead before it had all of the job
    /// is replaced, and the job given to the new one. Suspends. Throws broken_process_pool when the worker failed
    /// later, and as prepare().
    std::string run(const process_job& job);

    /// In the child of a fork.
    void forget() noexcept { socket_.reset(); }

private:
    bool is_well() const noexcept;
    bool send(std::string_view frame);
    std::string receive(const process_job& job);
    std::size_t receive_some(char* to, std::size_t room);
    [[noreturn]] void lose(const process_job& job, const char* corrupt = nullptr);
    std::string end(bool at_once);

    fork_server& server_;
    const std::size_t max_payload_;
    std::shared_ptr<fork_server::child> process_;
    unique_fd socket_;
};

}  // namespace coir::detail
