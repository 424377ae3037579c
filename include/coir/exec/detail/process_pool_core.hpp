// The part of a process_pool that knows nothing of types and needs no serialisation. Not for use outside coir.
#pragma once

#include <coir/exec/detail/frame.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>

namespace coir {

/// How a process_pool is made: `coir::process_pool pool({.workers = 4, .queue_limit = 100});`
struct process_pool_options {
    /// How many processes run jobs; 0: one for each processor.
    std::size_t workers = 0;
    /// How many bytes the arguments of a job may have, or its result.
    std::size_t max_payload = std::size_t{64} << 20;
    /// How many jobs may wait for a worker before submit() suspends.
    std::size_t queue_limit = 1024;
};

namespace detail {

/// Where the end of a job is told. On a thread of the pool.
class job_outcome {
public:
    virtual ~job_outcome() = default;
    virtual void succeed(std::string_view result) = 0;
    virtual void fail(std::exception_ptr error) noexcept = 0;
};

struct process_job {
    std::string frame;
    const std::type_info* function;  // for the texts of errors
    std::unique_ptr<job_outcome> outcome;
};

class process_pool_core {
public:
    explicit process_pool_core(const process_pool_options& options);
    ~process_pool_core();
    process_pool_core(const process_pool_core&) = delete;

    void submit(process_job job);
    void stop(bool drop_queued);
    std::size_t size() const noexcept;
    std::size_t max_payload() const noexcept;

private:
    class state;
    std::unique_ptr<state> state_;
};

[[noreturn]] void throw_too_long(const char* what, std::size_t length, std::size_t limit);

}  // namespace detail
}  // namespace coir
