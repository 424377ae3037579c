#include <coir/task/this_fiber.hpp>

#include "hub/hub_core.hpp"

#include <ostream>

namespace coir {

namespace this_fiber {

namespace {

[[gnu::noinline]] void make_hub_and_yield() { detail::hub_core::current().yield(); }

}  // namespace

void yield() {
    if (detail::hub_core* hub = detail::hub_core::of_this_thread()) [[likely]]
        return hub->yield();
    make_hub_and_yield();
}

void sleep_for(time_span span) { sleep_until(deadline::after(span)); }

void sleep_until(deadline when) {
    if (when.expired()) return yield();
    detail::waiter self({"a sleep to end"});
    self.sleep(when);
}

fiber_id get_id() noexcept { return fiber_id(detail::current_fiber().id); }

std::string name() { return detail::current_fiber().name(); }

}  // namespace this_fiber

std::ostream& operator<<(std::ostream& out, fiber_id id) {
    const std::uint64_t thread = id.value() >> 40;
    if (thread) out << thread << '.';
    return out << (id.value() & ((std::uint64_t{1} << 40) - 1));
}

}  // namespace coir
