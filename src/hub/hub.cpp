#include <coir/hub/hub.hpp>

#include "hub/hub_core.hpp"

#include <coir/base/error.hpp>

namespace coir {

hub::hub(detail::hub_core* core) noexcept : core_(core) {}

hub::hub(const hub& other) noexcept : core_(other.core_) {
    if (core_) core_->add_ref();
}

hub::~hub() {
    if (core_) core_->drop_ref();
}

hub& hub::current() { return detail::hub_core::current().handle(); }

bool hub::post(unique_function<void()> function) const {
    if (!function) throw fiber_error("hub::post of a null function");
    return core_ && core_->post(std::move(function));
}

int hub::fd() { return core_->embed(); }

void hub::poll() { core_->poll(); }

bool hub::trim() noexcept { return core_->trim(); }

std::string hub::describe_fibers() const { return core_->describe_fibers(); }

void hub::set_unhandled(unhandled_handler handler) { core_->set_unhandled(std::move(handler)); }

}  // namespace coir
