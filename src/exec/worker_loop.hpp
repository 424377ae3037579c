// What a worker process does.
#pragma once

#include <cstddef>

namespace coir::detail {

/// Runs the jobs that arrive on `socket`, one at a time, until its other end is closed. Then the process ends.
[[noreturn]] void run_worker(int socket, std::size_t max_payload) noexcept;

}  // namespace coir::detail
