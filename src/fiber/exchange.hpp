// The switch from fiber to fiber by name: what goes with it, and who waits for whom meanwhile.
#pragma once

#include "fiber/switch.hpp"

#include <exception>
#include <utility>

namespace coir::detail {

enum class switch_kind { call, yield };

/// While the current fiber waits for `target` to switch back, the two know each other: that is how a cancellation
/// finds the fiber that is really blocked, and an end the last switcher.
inline void link_call(fiber_core& self, fiber_core& target) noexcept {
    if (target.switcher) target.switcher->switched_to = nullptr;
    target.switcher = &self;
    self.switched_to = &target;
}

/// Nobody is away on a call into `self` any more.
inline fiber_core* take_switcher(fiber_core& self) noexcept {
    fiber_core* caller = std::exchange(self.switcher, nullptr);
    if (caller) caller->switched_to = nullptr;
    return caller;
}

inline void unlink_call(fiber_core& self) noexcept {
    if (!self.switched_to) return;
    self.switched_to->switcher = nullptr;
    self.switched_to = nullptr;
}

/// What lies there for the current fiber, once.
inline message take_mail(thread_state& thread) noexcept {
    return {std::move(*thread.mail), std::exchange(thread.mail_error, nullptr)};
}

/// The other half of exchange() where there is more to it than a value.
value arrived_with_mail(thread_state& thread);

/// Switches to a fiber that accepts it, and returns what comes back, or throws it. What is sent stays where it is until
/// the other side takes it. While the current fiber is away it counts as having called `target`, unless it only yields
/// to it.
inline value exchange(thread_state& thread, fiber_core& target, value& sent, switch_kind kind) {
    fiber_core& self = *thread.current;
    if (kind == switch_kind::call) link_call(self, target);
    self.set_state(fiber_state::suspended);
    target.set_state(fiber_state::running);
    thread.mail = &sent;
    switch_context(thread, target);
    unlink_call(self);
    if (thread.mail_error || thread.corpse || thread.trace) [[unlikely]]
        return arrived_with_mail(thread);
    return std::move(*thread.mail);
}

/// The same with an error in the mail, or a value.
inline value exchange(thread_state& thread, fiber_core& target, message mail, switch_kind kind) {
    thread.mail_error = std::move(mail.error);
    return exchange(thread, target, mail.sent, kind);
}

}  // namespace coir::detail
