// When nothing in the process can ever wake anybody.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace coir::detail {

/// Who wakes nobody, as long as it is counted. Whoever wakes one counts it down.
enum class stuck_kind : std::uint8_t {
    hub,           // with nothing to do and nothing to wait for
    plain_thread,  // in a wait without a limit
    job,           // the same, of a thread pool's thread: its job can be told
    helper,        // a thread pool's thread that idles, for whatever time
};
void count_stuck(stuck_kind kind, int change) noexcept;

/// What the thread's own waits count as, where it has no hub.
extern constinit thread_local stuck_kind waits_as;

/// One more, one less, of the hubs.
void count_hub(int change) noexcept;

/// A job that a helper thread does, or will do, for somebody, as long as this lives.
class helper_job {
public:
    helper_job() noexcept;
    helper_job(helper_job&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
    helper_job& operator=(helper_job&&) = delete;
    ~helper_job();
    /// How many there are.
    static int count() noexcept;

private:
    bool counts_ = true;
};

/// In the child of a fork there is one thread, and it is not stuck.
void forget_stuck_threads(bool has_hub) noexcept;

/// What a thread, of those that are stuck, sees when it looks around; for one stuck time.
class lookout {
public:
    enum class sight {
        deadlock,   // nobody is left, seen twice: one may have been on its way
        nobody,     // the same, seen once: look again soon
        outsiders,  // all hubs are stuck, but there are threads that coir does not know
        busy,       // somebody may still wake somebody
    };
    sight look() noexcept;

private:
    bool saw_nobody_ = false;
    std::uint64_t awakenings_ = 0;
};

/// For a plain thread that sees a deadlock: what it should throw, or "" when another is to be told.
std::string deadlock_of_plain_thread(const std::string& waits_for);

/// Makes hubs whose main fiber could be told look around.
void ask_hubs_to_look() noexcept;

}  // namespace coir::detail
