// <coir/sync/channel.hpp>: passing values between fibers, and plain threads.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/hub/detail/waiter.hpp>
#include <coir/sync/detail/ring.hpp>

#include <cstddef>
#include <iterator>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

namespace coir {

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
    class iterator {
    public:
        using iterator_concept = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        iterator() noexcept = default;
        explicit iterator(channel& c) : channel_(&c), current_(c.recv()) {}
        T& operator*() const noexcept { return *current_; }
        iterator& operator++() {
            current_ = channel_->recv();
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

    private:
        channel* channel_ = nullptr;
        mutable std::optional<T> current_;
    };
    iterator begin() { return iterator(*this); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    using guard = std::unique_lock<detail::spinlock>;

    bool give(T& element, guard& lock);
    std::optional<T> take(guard& lock);

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
    if (give(element, lock)) return true;
    detail::waiter self({"room in channel", this}, &element);
    const detail::wake_reason reason = self.wait(senders_, lock, limit);
    if (reason == detail::wake_reason::closed) throw channel_closed();
    return reason == detail::wake_reason::ready;
}

template <class T>
bool channel<T>::try_send(T&& element) {
    guard lock(lock_);
    return give(element, lock);
}

/// To a receiver, or into the buffer; false, and still locked, when neither has room.
template <class T>
bool channel<T>::give(T& element, guard& lock) {
    if (closed_) throw channel_closed();
    if (auto* receiver = static_cast<detail::waiter*>(receivers_.pop_front())) {
        static_cast<std::optional<T>*>(receiver->slot)->emplace(std::move(element));
        lock.unlock();
        receiver->notify(detail::wake_reason::ready);
        return true;
    }
    if (buffer_.size() >= capacity_) return false;
    buffer_.push(std::move(element));
    return true;
}

template <class T>
std::optional<T> channel<T>::recv_until(deadline limit) {
    guard lock(lock_);
    std::optional<T> element = take(lock);
    if (element || closed_) return element;
    detail::waiter self({"a value in channel", this}, &element);
    self.wait(receivers_, lock, limit);
    return element;
}

template <class T>
std::optional<T> channel<T>::try_recv() {
    guard lock(lock_);
    return take(lock);
}

/// The first of the buffer, whose place a waiting sender's takes, or a waiting sender's. Nothing, and still locked,
/// when there is none.
template <class T>
std::optional<T> channel<T>::take(guard& lock) {
    std::optional<T> element;
    if (buffer_.size() != 0) element.emplace(buffer_.pop());
    auto* sender = static_cast<detail::waiter*>(senders_.pop_front());
    if (!sender) return element;
    T& offered = *static_cast<T*>(sender->slot);
    if (element) {
        buffer_.push(std::move(offered));  // room was just made
    } else {
        element.emplace(std::move(offered));
    }
    lock.unlock();
    sender->notify(detail::wake_reason::ready);
    return element;
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
