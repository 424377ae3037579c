// When nothing in the process can ever wake anybody.
#pragma once

namespace coir::detail {

/// One more, one less, of the threads that block without a limit and wake nobody: hubs with nothing to wait for, and
/// plain threads in a wait. Whoever wakes one counts it down.
void count_stuck(int change) noexcept;

/// One more, one less, of coir's own helper threads that idles.
void count_idle_helper(int change) noexcept;

/// In the child of a fork there is one thread, and it is not stuck.
void forget_stuck_threads() noexcept;

}  // namespace coir::detail
