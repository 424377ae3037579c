// <coir/sync/select.hpp>: waiting for several channels at once, of which one goes ahead.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/hub/detail/waiter.hpp>
#include <coir/sync/channel.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace coir {

namespace detail {

class selection;

/// One thing that select may do. Neither copied nor moved: it stands in queues while select waits.
class select_case : public wait_node {
public:
    enum class kind { of_channel, timer, otherwise };
    select_case(kind k, void* s) noexcept : wait_node(s), kind_(k) {}

    kind what() const noexcept { return kind_; }
    virtual deadline limit() const noexcept { return deadline::never(); }
    /// What happens when it is this case that went ahead. `closed`: because its channel is, or was, closed.
    virtual void run(bool closed) = 0;

    // Of a channel's; all but the first under its lock.
    virtual spinlock* lock() noexcept { return nullptr; }
    virtual bool seems_ready() const noexcept { return false; }  // one that waits there may be gone by now
    virtual transfer try_now() { return {}; }
    virtual void enqueue() noexcept {}
    void dequeue() noexcept {
        if (is_linked()) unlink();
    }

    void leave() noexcept { selection_ = nullptr; }
    void notify(wake_reason reason) noexcept override;

    bool is_enabled() const noexcept { return is_enabled_; }

    /// By the selection that it becomes part of. fiber_error the second time.
    void join(selection& s, alternatives& a) {
        if (selection_ == &s) throw fiber_error("one case stands twice in a select");
        selection_ = &s;
        one_of_ = &a;
    }
    select_case* next_by_lock = nullptr;  // the selection's

protected:
    ~select_case() = default;

    bool is_enabled_ = true;

private:
    const kind kind_;
    selection* selection_ = nullptr;
};

/// `on_recv(jobs, f).when(may_start)`: a case that is not to be considered, as a nil channel's is not in Go.
template <class Case>
struct conditional {
    Case&& when(bool considered) && noexcept {
        auto& self = static_cast<Case&>(*this);
        self.is_enabled_ = considered;
        return std::move(self);
    }
};

struct no_handler {
    template <class... Args>
    void operator()(Args&&...) const noexcept {}
};

template <class T, class Function>
class recv_case final : public select_case, public conditional<recv_case<T, Function>> {
public:
    friend conditional<recv_case>;
    recv_case(channel<T>& from, Function f)
        : select_case(kind::of_channel, &element_), channel_(from), function_(std::move(f)) {}

    void run(bool) override { std::invoke(function_, std::exchange(element_, std::nullopt)); }
    spinlock* lock() noexcept override { return &channel_.lock_; }
    bool seems_ready() const noexcept override {
        return channel_.closed_ || channel_.buffer_.size() != 0 || !channel_.senders_.empty();
    }
    transfer try_now() override {
        transfer result = channel_.take(element_);
        result.closed = !result.done && channel_.closed_;
        return result;
    }
    void enqueue() noexcept override { channel_.receivers_.push_back(*this); }

private:
    channel<T>& channel_;
    Function function_;
    std::optional<T> element_;
};

template <class T, class Function>
class send_case final : public select_case, public conditional<send_case<T, Function>> {
public:
    friend conditional<send_case>;
    send_case(channel<T>& to, T element, Function f)
        : select_case(kind::of_channel, &element_),
          channel_(to),
          element_(std::move(element)),
          function_(std::move(f)) {}

    void run(bool closed) override {
        if (closed) throw channel_closed();
        this->is_enabled_ = false;
        std::invoke(function_);
    }
    spinlock* lock() noexcept override { return &channel_.lock_; }
    bool seems_ready() const noexcept override {
        return channel_.closed_ || channel_.buffer_.size() < channel_.capacity_ || !channel_.receivers_.empty();
    }
    transfer try_now() override { return channel_.give(element_); }
    void enqueue() noexcept override { channel_.senders_.push_back(*this); }

private:
    channel<T>& channel_;
    T element_;
    Function function_;
};

template <class Function>
class other_case final : public select_case, public conditional<other_case<Function>> {
public:
    friend conditional<other_case>;
    other_case(kind k, deadline limit, Function f) : select_case(k, nullptr), limit_(limit), function_(std::move(f)) {}

    deadline limit() const noexcept override { return limit_; }
    void run(bool) override { std::invoke(function_); }

private:
    const deadline limit_;
    Function function_;
};

/// Waits, and runs the case that went ahead. Its index.
std::size_t select_one(std::span<select_case* const> cases);

}  // namespace detail

/// A case of select: a value is received, `function(std::optional<T>)` gets it; nothing when the channel is closed and
/// empty.
template <class T, class Function>
detail::recv_case<T, std::decay_t<Function>> on_recv(channel<T>& from, Function&& function) {
    return {from, std::forward<Function>(function)};
}

/// A case of select: `element` is sent, then `function()` is called. Sending into a closed channel is channel_closed. A
/// case may be part of another select after this one; once it has gone ahead, one that sends is not considered again.
template <class T, class Function = detail::no_handler>
detail::send_case<T, std::decay_t<Function>> on_send(channel<T>& to, std::type_identity_t<T> element,
                                                     Function&& function = {}) {
    return {to, std::move(element), std::forward<Function>(function)};
}

/// A case of select: the time is over.
template <class Function = detail::no_handler>
detail::other_case<std::decay_t<Function>> on_timeout(time_span limit, Function&& function = {}) {
    return {detail::select_case::kind::timer, deadline::after(limit), std::forward<Function>(function)};
}
template <class Function = detail::no_handler>
detail::other_case<std::decay_t<Function>> on_timeout(deadline limit, Function&& function = {}) {
    return {detail::select_case::kind::timer, limit, std::forward<Function>(function)};
}

/// A case of select: no other can go ahead now. With it select never suspends.
template <class Function = detail::no_handler>
detail::other_case<std::decay_t<Function>> otherwise(Function&& function = {}) {
    return {detail::select_case::kind::otherwise, deadline::never(), std::forward<Function>(function)};
}

/// Waits until one of the cases can go ahead, does that one and no other, and calls its function, after the waiting:
/// the function may suspend, and select gives or throws what it does. Of several that can, one at random. Returns its
/// place among the arguments.
///
/// `coir::select(coir::on_recv(jobs, [&](auto job) { ... }), coir::on_send(results, r), coir::on_timeout(200ms));`
///
/// Suspends, except with an `otherwise`. A cancellation point: nothing has been sent or received then. Any thread; a
/// plain thread blocks. fiber_error without any case. A case may be left out by `.when(false)`: of a channel that has
/// been closed, which would always go ahead. Example: tests/sync/select_test.cpp
template <class... Cases>
requires(std::derived_from<std::remove_reference_t<Cases>, detail::select_case>&&...) std::size_t
    select(Cases&&... cases) {
    detail::select_case* const all[] = {&cases..., nullptr};
    return detail::select_one({all, sizeof...(cases)});
}

/// The same over a range of cases of one type: a std::deque, say, for they cannot be moved.
template <std::ranges::forward_range Range>
requires std::derived_from<std::ranges::range_value_t<Range>, detail::select_case> std::size_t select(Range&& cases) {
    std::vector<detail::select_case*> all;
    for (auto& one : cases) all.push_back(&one);
    return detail::select_one(all);
}

}  // namespace coir
