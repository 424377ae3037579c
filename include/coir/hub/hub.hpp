// <coir/hub/hub.hpp>: a thread's hub: run queue, timers and I/O of its fibers.
//
// There is one per thread, made at first use and gone with the thread; most programs never name it.
#pragma once

#include <coir/base/unique_function.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coir {

namespace detail {
class hub_core;
}  // namespace detail

/// Gets the name of the fiber and the error that nobody else gets.
using unhandled_handler = std::function<void(std::string_view fiber_name, std::exception_ptr error)>;

/// A shared handle of a hub. It may outlive the hub, and be copied and dropped on any thread; except where it says
/// otherwise, what it offers is for the hub's own thread.
class hub {
public:
    /// The calling thread's; makes it at first use. Throws std::system_error when the kernel refuses it. What it refers
    /// to goes with the hub: other threads take a copy, which keeps it.
    static hub& current();

    hub(const hub& other) noexcept;
    hub(hub&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    hub& operator=(hub other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~hub();

    /// Runs `function` on the hub's thread, soon, on the loop's stack: it may not suspend (spawn a task from it
    /// instead), and what it throws goes to on_unhandled. Any thread; does not suspend. False, and nothing will run,
    /// when the hub has ended.
    bool post(unique_function<void()> function) const;

    /// Who gets errors that nobody else does: of tasks that nobody joins, of posted functions, of destructors. The
    /// default writes them to stderr. The handler takes (name, error), (error, name) or just the error. It may not
    /// suspend; what it throws is written to stderr.
    template <class Handler>
    void on_unhandled(Handler handler) {
        if constexpr (std::is_same_v<Handler, std::nullptr_t>) {
            set_unhandled(nullptr);
        } else if constexpr (std::is_invocable_v<Handler&, std::string_view, std::exception_ptr>) {
            set_unhandled(std::move(handler));
        } else if constexpr (std::is_invocable_v<Handler&, std::exception_ptr, std::string_view>) {
            set_unhandled(
                [h = std::move(handler)](std::string_view name, std::exception_ptr e) mutable { h(e, name); });
        } else {
            set_unhandled([h = std::move(handler)](std::string_view, std::exception_ptr e) mutable { h(e); });
        }
    }

    /// For another event loop: a descriptor that becomes readable when poll() has something to do.
    int fd();
    /// One round without waiting: takes in I/O, timers and posts, and lets the ready fibers run until they block.
    /// From the thread's main fiber.
    void poll();

    /// Gives memory back to the system: of stacks, and of slabs of control blocks, that nobody has used since the last
    /// call; what waiting fibers of this thread have left on their stacks, below their frames, when they once went deep;
    /// and the posted functions that are kept to be used again. True when some is left for a second call. The loop does
    /// it by itself, some of it every two seconds. Does not suspend; a system call for each waiting fiber. From the hub's
    /// thread.
    bool trim() noexcept;

    /// A line for each fiber of this thread: its name and what it waits for.
    std::string describe_fibers() const;

    friend bool operator==(const hub&, const hub&) noexcept = default;

    /// Not for use outside coir.
    explicit hub(detail::hub_core* core) noexcept;
    detail::hub_core* core() const noexcept { return core_; }

private:
    void set_unhandled(unhandled_handler handler);

    detail::hub_core* core_;
};

}  // namespace coir
