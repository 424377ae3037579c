// <coir/sync/channel.hpp>: passing values between fibers, and plain threads.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/base/pull_iterator.hpp>
#include <coir/hub/detail/waiter.hpp>
#include <coir/sync/detail/ring.hpp>

#include <cstddef>
#include <iterator>
#include <limits>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace coir {

template <class T>
class channel;

namespace detail {

template <class T, class Function>
class recv_case;
template <class T, class Function>
class send_case;

/// What came of an attempt to give or take a value, and whom to notify of it after unlocking.
struct transfer {
    bool done = false;
    wait_node* woken = nullptr;
    bool closed = false;

    /// Unlocks and notifies if it is done; true then. Throws channel_closed.
    bool complete(std::unique_lock<spinlock>& lock) const {
        if (closed) throw channel_closed();
        if (!done) return false;
        lock.unlock();
        if (woken) woken->notify(wake_reason::ready);
        return true;
    }
};

/// What a function returns in registers must be loaded into them. Copied whole, it would be by one load that is wider
/// than the stores of its parts just before, and so would wait until those have left the store buffer.
template <class T>
constexpr bool is_returned_in_registers =
    sizeof(std::optional<T>) <= 2 * sizeof(void*) &&
    std::conjunction_v<std::is_copy_constructible<T>, std::is_trivially_copyable<std::optional<T>>>;

template <class T>
std::optional<T> copy_by_parts(const std::optional<T>& element) noexcept {
    return element ? std::optional<T>(*element) : std::nullopt;
}

template <class T>
struct channel_source {
    bool fetch() { return (element = from->recv()).has_value(); }
    T& get() noexcept { return *element; }

    channel<T>* from = nullptr;
    std::optional<T> element;
};

}  // namespace detail

/// Any number of senders and receivers. Capacity 0 is a rendezvous: a send ends when a receiver has taken the value.
/// Otherwise that many values wait in between; `unbounded` never makes a sender wait.
///
/// Order: values, senders and receivers are served first come, first served. Values must move without throwing. Any
/// thread; a plain thread blocks. Cancellation: throws cancelled; a value that was not sent is dropped with the call,
/// one that was handed over arrives. Example: tests/sync/channel_test.cpp
template <class T>
class channel {
public:
    static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

    explicit channel(std::size_t capacity = 0) noexcept : capacity_(capacity) {}
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    /// Suspends while there is no room. Throws channel_closed when it is, or becomes, closed.
    void send(T element) { send_until(std::move(element), deadline::never()); }
    /// False, and `element` is gone, when the limit was first.
    bool send_for(T element, time_span limit) { return send_until(std::move(element), deadline::after(limit)); }
    bool send_until(T element, deadline limit);
    /// Never suspends: false, and `element` is untouched, when there is no room. channel_closed as send.
    bool try_send(T&& element);
    bool try_send(const T& element) { return try_send(T(element)); }

    /// Suspends until there is a value; nothing once the channel is closed and what was in it has been received.
    std::optional<T> recv() { return recv_until(deadline::never()); }
    /// Nothing also when the limit was first; is_closed tells.
    std::optional<T> recv_for(time_span limit) { return recv_until(deadline::after(limit)); }
    std::optional<T> recv_until(deadline limit);
    /// Never suspends: nothing when there is no value now.
    std::optional<T> try_recv();

    /// No more values: who waits to send gets channel_closed; receivers get what is left, then nothing. Idempotent.
    void close() noexcept;
    bool is_closed() const noexcept;
    /// How many values wait in between.
    std::size_t size() const noexcept;
    std::size_t capacity() const noexcept { return capacity_; }

    /// Receives until the channel is closed and empty: `for (auto& job : jobs) ...`.
    using iterator = detail::pull_iterator<T, detail::channel_source<T>>;
    iterator begin() { return iterator({this, {}}); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    template <class, class>
    friend class detail::recv_case;
    template <class, class>
    friend class detail::send_case;
    using guard = std::unique_lock<detail::spinlock>;

    detail::transfer give(T& element);
    detail::transfer take(std::optional<T>& element);
    void recv_into(std::optional<T>& element, deadline limit);

    const std::size_t capacity_;
    mutable detail::spinlock lock_;
    bool closed_ = false;
    detail::ring<T> buffer_;
    detail::wait_queue senders_;    // each waiter's slot is its T
    detail::wait_queue receivers_;  // each waiter's slot is the std::optional<T> to fill
};

template <class T>
bool channel<T>::send_until(T element, deadline limit) {
    guard lock(lock_);
    if (give(element).complete(lock)) return true;
    detail::waiter self({"room in channel", this}, &element);
    const detail::wake_reason reason = self.wait(senders_, lock, limit);
    if (reason == detail::wake_reason::closed) throw channel_closed();
    return reason == detail::wake_reason::ready;
}

template <class T>
bool channel<T>::try_send(T&& element) {
    guard lock(lock_);
    return give(element).complete(lock);
}

/// To a receiver, or into the buffer, if one of them has room. Under the lock.
template <class T>
detail::transfer channel<T>::give(T& element) {
    if (closed_) return {.closed = true};
    if (detail::wait_node* receiver = detail::take_first(receivers_)) {
        static_cast<std::optional<T>*>(receiver->slot)->emplace(std::move(element));
        return {.done = true, .woken = receiver};
    }
    if (buffer_.size() >= capacity_) return {};
    buffer_.push(std::move(element));
    return {.done = true};
}

template <class T>
std::optional<T> channel<T>::recv_until(deadline limit) {
    std::optional<T> element;
    recv_into(element, limit);
    if constexpr (detail::is_returned_in_registers<T>) {
        return detail::copy_by_parts(element);
    } else {
        return element;
    }
}

template <class T>
void channel<T>::recv_into(std::optional<T>& element, deadline limit) {
    guard lock(lock_);
    if (take(element).complete(lock) || closed_) return;
    detail::waiter self({"a value in channel", this}, &element);
    self.wait(receivers_, lock, limit);
}

template <class T>
std::optional<T> channel<T>::try_recv() {
    std::optional<T> element;
    guard lock(lock_);
    take(element).complete(lock);
    return element;
}

/// The first of the buffer, whose place a waiting sender's takes, or a waiting sender's, if there is one. Under the
/// lock.
template <class T>
detail::transfer channel<T>::take(std::optional<T>& element) {
    if (buffer_.size() != 0) element.emplace(buffer_.pop());
    detail::wait_node* sender = detail::take_first(senders_);
    if (!sender) return {.done = element.has_value()};
    T& offered = *static_cast<T*>(sender->slot);
    if (element) {
        buffer_.push(std::move(offered));  // room was just made
    } else {
        element.emplace(std::move(offered));
    }
    return {.done = true, .woken = sender};
}

template <class T>
void channel<T>::close() noexcept {
    guard lock(lock_);
    closed_ = true;
    detail::wait_queue everybody;
    everybody.splice_back(receivers_);
    everybody.splice_back(senders_);
    detail::notify_all(everybody, lock, detail::wake_reason::closed);
}

template <class T>
bool channel<T>::is_closed() const noexcept {
    const guard lock(lock_);
    return closed_;
}

template <class T>
std::size_t channel<T>::size() const noexcept {
    const guard lock(lock_);
    return buffer_.size();
}

}  // namespace coir
