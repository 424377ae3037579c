// An entry of a hub's timer queue. Not for use outside coir.
#pragma once

#include <coir/base/intrusive_list.hpp>

#include <cstdint>

namespace coir::detail {

class fiber_core;

/// Lives in whoever waits; armed and cancelled on the thread of its hub.
struct timer : list_hook {
    /// It is due: runs on the loop's stack, has left the queue, and may not suspend.
    virtual void expire() noexcept = 0;

    std::int64_t due = 0;         // nanoseconds of the steady clock
    fiber_core* fiber = nullptr;  // on whose behalf it was armed

protected:
    ~timer() = default;
};

}  // namespace coir::detail
