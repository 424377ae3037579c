// When nothing in the process can ever wake anybody.
#pragma once

#include <coir/base/deadline.hpp>

namespace coir::detail {

/// Counts a plain thread that blocks without a limit among those that wake nobody.
class stuck_thread {
public:
    explicit stuck_thread(deadline limit) noexcept;
    ~stuck_thread();
    stuck_thread(const stuck_thread&) = delete;

private:
    bool counted_;
};

/// One more, one less, of coir's own helper threads that idles.
void count_idle_helper(int change) noexcept;

}  // namespace coir::detail
