#include "fiber/stack_overflow.hpp"

#include "base/syscall.hpp"
#include "fiber/thread_state.hpp"

#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>

namespace coir::detail {

#ifdef COIR_ASAN

// AddressSanitizer brings its own handler and alternate stacks.
void install_overflow_stack() noexcept {}
void remove_overflow_stack() noexcept {}

#else

namespace {

constexpr std::size_t signal_stack_size = 64 * 1024;
constexpr std::size_t guard_size = 4096;

struct sigaction former_action;
thread_local void* own_signal_stack = nullptr;

bool is_overflow(const fiber_core& fiber, const void* fault) noexcept {
    if (!fiber.stack || fiber.is_main()) return false;
    const char* low = fiber.stack->low;
    return fault >= low - guard_size && fault < low;
}

void report_overflow(const fiber_core& fiber, const void* fault, const void* pc) noexcept {
    char room[fiber_core::name_room];
    const char* name = fiber.write_name(room);
    char text[400];
    const int n = std::snprintf(text, sizeof text,
                                "coir: fiber \"%.100s\" overflowed its %zu KiB stack (fault at %p, pc %p); give it a "
                                "larger stack_size. Backtrace:\n",
                                name, fiber.stack->size / 1024, fault, pc);
    if (n > 0) (void)!::write(2, text, static_cast<std::size_t>(n));
    void* frames[48];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, 48), 2);
}

const void* program_counter([[maybe_unused]] void* context) noexcept {
#if defined(__x86_64__)
    return reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.pc);
#else
    return nullptr;
#endif
}

void on_fault(int signal, siginfo_t* info, void* context) {
    const thread_state* thread = this_thread_state;
    if (thread && is_overflow(*thread->current, info->si_addr)) {
        report_overflow(*thread->current, info->si_addr, program_counter(context));
    }
    if (former_action.sa_flags & SA_SIGINFO) return former_action.sa_sigaction(signal, info, context);
    if (former_action.sa_handler != SIG_DFL && former_action.sa_handler != SIG_IGN) {
        return former_action.sa_handler(signal);
    }
    ::signal(signal, SIG_DFL);  // the instruction faults again, and that is the end
}

void install_handler() noexcept {
    void* frame[1];
    ::backtrace(frame, 1);  // loads the unwinder now: a signal handler may not
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGSEGV, &action, &former_action);
}

}  // namespace

void install_overflow_stack() noexcept {
    [[maybe_unused]] static const bool installed = (install_handler(), true);
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || !(present.ss_flags & SS_DISABLE)) return;
    void* memory =
        sys.mmap(nullptr, signal_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;  // an overflow will then die without a word
    stack_t own{};
    own.ss_sp = memory;
    own.ss_size = signal_stack_size;
    ::sigaltstack(&own, nullptr);
    own_signal_stack = memory;
}

void remove_overflow_stack() noexcept {
    if (!own_signal_stack) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    sys.munmap(own_signal_stack, signal_stack_size);
    own_signal_stack = nullptr;
}

#endif

}  // namespace coir::detail
