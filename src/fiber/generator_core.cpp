#include <coir/fiber/detail/generator_core.hpp>

#include "fiber/exchange.hpp"
#include "fiber/lifecycle.hpp"

#include <coir/base/error.hpp>

#include <fmt/format.h>

#include <utility>

namespace coir::detail {

namespace {

/// For one step, the consumer is the body's parent. It is suspended meanwhile, so the link need not be counted.
class step {
public:
    step(fiber_core& body, fiber_core*& consumer_slot, fiber_core& consumer) noexcept
        : body_(body), slot_(consumer_slot), former_parent_(std::exchange(body.parent, &consumer)) {
        body.parent_is_borrowed = true;
        slot_ = &consumer;
    }
    ~step() {
        slot_ = nullptr;
        if (std::exchange(body_.parent_is_borrowed, false)) {
            body_.parent = former_parent_;
        } else if (former_parent_) {
            former_parent_->drop_link();  // the body has set another
        }
    }

private:
    fiber_core& body_;
    fiber_core*& slot_;
    fiber_core* former_parent_;
};

}  // namespace

fiber generator_core::wrap(unique_function<void()> body) {
    if (!body) throw fiber_error("a generator with a null body");
    return fiber([body = std::move(body)]() mutable { body(); });
}

bool generator_core::resume() {
    thread_state& thread = this_thread();
    fiber_core& body = *fiber_.core();
    const thread_state* owner = body.owner;
    const bool is_foreign = owner && owner != &thread;
    if (!is_foreign && body.is_dead()) return false;
    if (is_foreign || consumer_ || !accepts_switch(body) || thread.current->is_loop) {
        throw fiber_error(
            fmt::format("generator \"{}\" is asked for its next element while another fiber waits for "
                        "one, from inside its own body, from another thread or from a posted function",
                        body.name()));
    }
    exit_if_orphaned(thread);
    if (body.state() == fiber_state::unstarted) start(thread, body, *thread.current);
    const step one(body, consumer_, *thread.current);
    has_yielded_ = false;
    exchange(thread, body, message{}, switch_kind::call);
    if (body.is_dead() || has_yielded_) return has_yielded_;
    throw fiber_error(
        fmt::format("somebody else has switched to \"{}\", which waits for an element of generator "
                    "\"{}\"",
                    thread.current->name(), body.name()));
}

void generator_core::yield() {
    thread_state& thread = this_thread();
    exit_if_orphaned(thread);
    if (!consumer_ || !accepts_switch(*consumer_)) {
        throw fiber_error(
            fmt::format("generator \"{}\" yields, but nobody waits for an element", fiber_.core()->name()));
    }
    has_yielded_ = true;
    exchange(thread, *consumer_, message{}, switch_kind::yield);
}

}  // namespace coir::detail
