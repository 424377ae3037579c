#include <coir/sync/shared_mutex.hpp>

#include <coir/base/error.hpp>
#include <coir/fiber/detail/fiber_core.hpp>

#include <fmt/format.h>

namespace coir {

/// What one who waits asks for.
struct shared_mutex::request {
    mode wanted;
    detail::fiber_core* fiber;
};

bool shared_mutex::may_enter(mode m) const noexcept { return !writer_ && (m == mode::read || readers_ == 0); }

void shared_mutex::enter(mode m, detail::fiber_core* fiber) noexcept {
    if (m == mode::write) {
        writer_ = fiber;
    } else {
        ++readers_;
    }
}

bool shared_mutex::try_enter(mode m) {
    const guard lock(lock_);
    if (!waiting_.empty() || !may_enter(m)) return false;
    enter(m, &detail::current_fiber());
    return true;
}

bool shared_mutex::lock_until(mode m, deadline limit) {
    detail::fiber_core& self = detail::current_fiber();
    guard lock(lock_);
    if (writer_ == &self) {
        lock.unlock();
        throw fiber_error(fmt::format("fiber \"{}\" locks a shared_mutex that it holds to write", self.name()));
    }
    if (waiting_.empty() && may_enter(m)) {
        enter(m, &self);
        return true;
    }
    request mine{m, &self};
    detail::waiter waiter({m == mode::write ? "shared_mutex to write" : "shared_mutex to read", this}, &mine);
    detail::wake_reason reason = detail::wake_reason::interrupted;
    try {
        reason = waiter.wait(waiting_, lock, limit);
    } catch (...) {
        lock.lock();
        serve(lock);  // readers may have stood behind it
        throw;
    }
    if (reason == detail::wake_reason::ready) return true;
    lock.lock();
    serve(lock);
    return false;
}

void shared_mutex::unlock() {
    detail::fiber_core& self = detail::current_fiber();
    guard lock(lock_);
    if (writer_ != &self) {
        lock.unlock();
        throw fiber_error(
            fmt::format("fiber \"{}\" unlocks a shared_mutex that it does not hold to write", self.name()));
    }
    writer_ = nullptr;
    serve(lock);
}

void shared_mutex::unlock_shared() {
    guard lock(lock_);
    if (readers_ == 0) {
        lock.unlock();
        throw fiber_error(fmt::format("fiber \"{}\" unlocks a shared_mutex that nobody holds to read",
                                      detail::current_fiber().name()));
    }
    --readers_;
    serve(lock);
}

/// Lets in who stands first, and who may enter with it, and wakes them after unlocking: who is woken may destroy it.
void shared_mutex::serve(guard& lock) noexcept {
    detail::wait_queue served;
    while (!waiting_.empty()) {
        detail::wait_node& first = waiting_.front();
        const request& asked = *static_cast<request*>(first.slot);
        if (!may_enter(asked.wanted)) break;
        enter(asked.wanted, asked.fiber);
        first.unlink();
        served.push_back(first);
    }
    detail::notify_all(served, lock);
}

}  // namespace coir
