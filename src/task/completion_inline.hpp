// The wait for an end, for whoever has it inlined.
#pragma once

#include "hub/waiter_inline.hpp"

#include <coir/task/detail/completion.hpp>

namespace coir::detail {

[[gnu::always_inline]] inline bool completion::wait_here(hub_core& here, deadline limit, const wait_info& info) {
    if (must_not_wait(here.thread())) [[unlikely]]
        throw_if_interrupted();
    lock_.lock();
    if (is_done()) [[unlikely]] {
        lock_.unlock();
        return true;
    }
    waiter self(info);
    return self.wait_unchecked(here, waiters_, lock_, limit) == wake_reason::ready;
}

}  // namespace coir::detail
