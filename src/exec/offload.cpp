#include <coir/exec/offload.hpp>

#include "hub/deadlock.hpp"
#include "hub/hub_core.hpp"

#include <coir/base/ref.hpp>
#include <coir/task/cancel.hpp>
#include <coir/task/detail/completion.hpp>

#include <atomic>
#include <exception>

namespace coir {

namespace detail {

namespace {

/// A call whose function and result are on the stack of a fiber that waits for it, if it has not withdrawn it.
class offloaded_call {
public:
    explicit offloaded_call(const std::function<void()>& call) noexcept : call_(call) {}

    void run() noexcept {
        if (!leave_queue(phase::started)) return;
        try {
            call_();
        } catch (...) {
            error_ = std::current_exception();
        }
        done_.finish();
    }

    void wait() {
        try {
            done_.wait(deadline::never(), info);
        } catch (...) {
            if (leave_queue(phase::withdrawn)) throw;
            const shield until_it_ends;
            done_.wait(deadline::never(), info);
            throw;
        }
        if (error_) std::rethrow_exception(std::move(error_));
    }

    void add_ref() noexcept { refs_.add(); }
    void drop_ref() noexcept {
        if (refs_.drop()) delete this;
    }

private:
    enum class phase { queued, started, withdrawn };
    static constexpr wait_info info{"an offloaded call"};

    bool leave_queue(phase next) noexcept {
        phase expected = phase::queued;
        return phase_.compare_exchange_strong(expected, next);
    }

    const std::function<void()>& call_;
    std::atomic<phase> phase_{phase::queued};
    std::exception_ptr error_;
    completion done_;
    ref_count refs_;
};

}  // namespace

bool may_block_here() noexcept { return !hub_core::of_this_thread() || waits_as == stuck_kind::job; }

void run_on_pool(const std::function<void()>& function) {
    throw_if_interrupted();
    const auto call = ref<offloaded_call>::adopt(new offloaded_call(function));
    default_pool().submit([call] { call->run(); });
    call->wait();
}

}  // namespace detail

thread_pool& default_pool() {
    // Never destroyed: its threads may outlive main().
    static thread_pool* const pool = new thread_pool({.max_threads = 64, .name = "coir-offload"});
    return *pool;
}

}  // namespace coir
