#include <coir/testing/fault.hpp>

#include "base/syscall.hpp"

#include <coir/base/error.hpp>

#include <atomic>
#include <cerrno>
#include <iterator>
#include <type_traits>

namespace coir::testing {

using detail::sys;
using detail::system_calls;

namespace {

struct fault_state {
    fault_options options{};
    std::atomic<std::size_t> calls{0};
    std::atomic<std::size_t> failed{0};

    bool next_fails() noexcept {
        const std::size_t number = ++calls;
        if (number < options.nth || number - options.nth >= options.times) return false;
        ++failed;
        return true;
    }
};

/// Stands in the seam's table in place of one call.
template <auto Member, class Function>
struct substitute;

template <auto Member, class R, class... Args>
struct substitute<Member, R (*system_calls::*)(Args...)> {
    static inline fault_state state;
    static inline R (*original)(Args...) = nullptr;

    static R call(Args... args) {
        if (!state.next_fails()) return original(args...);
        if constexpr (std::is_same_v<decltype(Member), decltype(&system_calls::close)>) {
            if (Member == &system_calls::close) original(args...);
        }
        errno = state.options.error;
        if constexpr (std::is_pointer_v<R>) {
            return static_cast<R>(MAP_FAILED);
        } else {
            return -1;
        }
    }

    static bool install(const fault_options& options) {
        if (original) return false;
        state.options = options;
        state.calls = state.failed = 0;
        original = sys.*Member;
        sys.*Member = call;
        return true;
    }
    static void remove() noexcept {
        sys.*Member = original;
        original = nullptr;
    }
};

struct entry {
    bool (*install)(const fault_options&);
    void (*remove)() noexcept;
    fault_state* state;
};

template <auto Member>
constexpr entry entry_of() {
    using type = substitute<Member, std::remove_const_t<decltype(Member)>>;
    return {type::install, type::remove, &type::state};
}

// In the order of the enumerators.
constexpr entry entries[] = {
    entry_of<&system_calls::read>(),
    entry_of<&system_calls::write>(),
    entry_of<&system_calls::close>(),
    entry_of<&system_calls::socket>(),
    entry_of<&system_calls::bind>(),
    entry_of<&system_calls::listen>(),
    entry_of<&system_calls::connect>(),
    entry_of<&system_calls::accept4>(),
    entry_of<&system_calls::recv>(),
    entry_of<&system_calls::send>(),
    entry_of<&system_calls::sendmsg>(),
    entry_of<&system_calls::recvmsg>(),
    entry_of<&system_calls::shutdown>(),
    entry_of<&system_calls::getsockopt>(),
    entry_of<&system_calls::setsockopt>(),
    entry_of<&system_calls::poll>(),
    entry_of<&system_calls::epoll_create1>(),
    entry_of<&system_calls::epoll_ctl>(),
    entry_of<&system_calls::epoll_pwait2>(),
    entry_of<&system_calls::eventfd>(),
    entry_of<&system_calls::timerfd_create>(),
    entry_of<&system_calls::timerfd_settime>(),
    entry_of<&system_calls::mmap>(),
    entry_of<&system_calls::munmap>(),
    entry_of<&system_calls::mprotect>(),
    entry_of<&system_calls::madvise>(),
    entry_of<&system_calls::process_madvise>(),
};
static_assert(std::size(entries) == static_cast<std::size_t>(call::count_of_calls));

const entry& entry_for(call which) noexcept { return entries[static_cast<std::size_t>(which)]; }

}  // namespace

fault::fault(call which, const fault_options& options) : which_(which) {
    if (!entry_for(which).install(options)) throw fiber_error("there is a fault for this system call already");
}

fault::~fault() { entry_for(which_).remove(); }

std::size_t fault::calls() const noexcept { return entry_for(which_).state->calls; }

std::size_t fault::failed() const noexcept { return entry_for(which_).state->failed; }

}  // namespace coir::testing
