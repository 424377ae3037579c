#include <coir/base/spinlock.hpp>

#include <sched.h>

namespace coir::detail {

void spin_wait::once() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if (++rounds_ % 128 == 0) sched_yield();
}

void spinlock::lock_contended() noexcept {
    spin_wait pause;
    do {
        while (locked_.load(std::memory_order_relaxed)) pause.once();
    } while (locked_.exchange(true, std::memory_order_acquire));
}

}  // namespace coir::detail
