#include <coir/hub/signal.hpp>

#include "base/syscall.hpp"
#include "hub/fd_watch.hpp"

#include <coir/base/error.hpp>

#include <signal.h>

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <vector>

namespace coir {

using detail::sys;

struct signal_set::state {
    std::uint64_t mask = 0;
    std::atomic<std::uint64_t> arrived{0};
    detail::ref<detail::fd_watch> wake_up;  // an eventfd
    std::uint32_t fork_generation = 0;

    void open_wake_up();
    void renew_after_fork();
};

namespace {

constexpr std::uint64_t bit_of(int number) noexcept { return std::uint64_t{1} << (number - 1); }

// What the handler reads must be there without locks or allocation.
constexpr std::size_t most_sets = 64;
struct listener {
    std::atomic<std::uint64_t> mask{0};
    std::atomic<std::atomic<std::uint64_t>*> arrived{nullptr};
    std::atomic<int> fd{-1};
    std::atomic<int> busy{0};  // handlers inside
};
constinit std::array<listener, most_sets> listeners;

detail::spinlock table_lock;  // taken outside of handlers only
std::array<int, 65> users;
std::array<struct sigaction, 65> former_actions;

void on_signal(int number) {
    const int saved_errno = errno;
    for (listener& l : listeners) {
        l.busy.fetch_add(1);
        if (l.mask.load() & bit_of(number)) {
            l.arrived.load()->fetch_or(bit_of(number));
            const std::uint64_t one = 1;
            (void)!::write(l.fd.load(), &one, sizeof one);
        }
        l.busy.fetch_sub(1);
    }
    errno = saved_errno;
}

void catch_signal(int number) {
    const auto index = static_cast<std::size_t>(number);
    if (users[index]++ != 0) return;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigfillset(&action.sa_mask);
    ::sigaction(number, &action, &former_actions[index]);
}

void release_signal(int number) noexcept {
    if (--users[static_cast<std::size_t>(number)] == 0) {
        ::sigaction(number, &former_actions[static_cast<std::size_t>(number)], nullptr);
    }
}

template <class Function>
void for_each_signal(std::uint64_t mask, Function function) {
    for (; mask != 0; mask &= mask - 1) function(std::countr_zero(mask) + 1);
}

std::uint64_t checked_mask(std::initializer_list<int> signals) {
    std::uint64_t mask = 0;
    for (const int number : signals) {
        // Asking for the present action fails for what libc keeps to itself, setting it for what cannot be caught.
        struct sigaction present {};
        const bool known = number >= 1 && number <= 64 && ::sigaction(number, nullptr, &present) == 0;
        if (!known || number == SIGKILL || number == SIGSTOP || number == SIGSEGV) {
            detail::throw_system_error(EINVAL, fmt::format("signal_set: signal {} cannot be waited for", number));
        }
        mask |= bit_of(number);
    }
    return mask;
}

listener* free_listener() noexcept {
    for (listener& l : listeners) {
        if (!l.arrived.load()) return &l;
    }
    return nullptr;
}

listener* listener_of(const std::atomic<std::uint64_t>& arrived) noexcept {
    for (listener& l : listeners) {
        if (l.arrived.load() == &arrived) return &l;
    }
    return nullptr;
}

}  // namespace

void signal_set::state::open_wake_up() {
    const int fd = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) detail::throw_system_error(errno, "signal_set: eventfd");
    wake_up = detail::fd_watch::make(fd);
    fork_generation = detail::fork_generation();
}

/// The eventfd of before is the parent's, who would take in the child's wakes.
void signal_set::state::renew_after_fork() {
    if (fork_generation == detail::fork_generation()) return;
    open_wake_up();
    listener_of(arrived)->fd = wake_up->fd();
}

signal_set::signal_set(std::initializer_list<int> signals) : state_(std::make_unique<state>()) {
    state_->mask = checked_mask(signals);
    state_->open_wake_up();
    const std::lock_guard guard(table_lock);
    listener* mine = free_listener();
    if (!mine) throw fiber_error(fmt::format("more than {} signal_sets at a time", most_sets));
    mine->fd = state_->wake_up->fd();
    mine->arrived = &state_->arrived;
    mine->mask = state_->mask;
    for_each_signal(state_->mask, catch_signal);
}

signal_set::~signal_set() {
    {
        const std::lock_guard guard(table_lock);
        listener& mine = *listener_of(state_->arrived);
        mine.mask = 0;
        while (mine.busy.load() != 0) {
        }
        mine.arrived = nullptr;
        for_each_signal(state_->mask, release_signal);
    }
    state_->wake_up->close();
}

std::optional<int> signal_set::try_wait() noexcept {
    const std::uint64_t arrived = state_->arrived.load();
    if (arrived == 0) return std::nullopt;
    const int number = std::countr_zero(arrived) + 1;
    state_->arrived.fetch_and(~bit_of(number));
    return number;
}

int signal_set::wait() { return *wait_until(deadline::never()); }

std::optional<int> signal_set::wait_until(deadline limit) {
    detail::throw_if_interrupted();
    state_->renew_after_fork();
    for (;;) {
        std::uint64_t count;
        state_->wake_up->not_ready(detail::direction::read);
        (void)!sys.read(state_->wake_up->fd(), &count, sizeof count);
        if (const auto number = try_wait()) return number;
        if (state_->wake_up->wait(detail::direction::read, limit) == detail::wake_reason::timed_out) return try_wait();
    }
}

}  // namespace coir
