#include <coir/base/spinlock.hpp>

#include <sched.h>

namespace coir::detail {

void spinlock::lock_contended() noexcept {
    for (unsigned round = 1;; ++round) {
        while (locked_.load(std::memory_order_relaxed)) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
            if (round++ % 128 == 0) sched_yield();
        }
        if (!locked_.exchange(true, std::memory_order_acquire)) return;
    }
}

}  // namespace coir::detail
