#include <coir/sync/condition_variable.hpp>

namespace coir {

void condition_variable::notify_one() noexcept {
    std::unique_lock lock(lock_);
    detail::notify_one(waiting_, lock);
}

void condition_variable::notify_all() noexcept {
    std::unique_lock lock(lock_);
    detail::notify_all(waiting_, lock);
}

/// A notification is on its way to one that does not wait after all: it is for the next.
void condition_variable::pass_on(detail::waiter& notified) noexcept {
    const shield mask;
    notified.rest();
    notify_one();
}

}  // namespace coir
