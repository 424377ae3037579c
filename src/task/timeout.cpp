#include <coir/task/timeout.hpp>

#include "hub/hub_core.hpp"

namespace coir {

timeout::timeout(deadline limit) {
    if (limit.is_never()) return;
    detail::hub_core& hub = detail::hub_core::current();
    const detail::fiber_core& self = detail::current_fiber();
    notice_.inside_shields = self.shields;
    notice_.inside_uncaught = hub.thread().exceptions->uncaught;
    hub.arm(alarm_, limit, detail::current_fiber());
}

timeout::~timeout() {
    if (alarm_.is_linked()) detail::hub_core::current().cancel(alarm_);
    if (notice_.is_linked()) notice_.unlink();
}

void timeout::alarm::expire() noexcept {
    owner.expired_ = true;
    detail::hub_core::current().interrupt(*fiber, owner.notice_);
}

std::exception_ptr timeout::notice::to_throw() noexcept {
    return std::make_exception_ptr(timed_out("timed out", &owner));
}

}  // namespace coir
