#include "fiber/float_state.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>

#if defined(__x86_64__)

namespace coir::detail {

namespace {

namespace raw = boost::context::detail;

constexpr unsigned rounding_bit = 0x2000;

COIR_SWITCH_FUNCTION raw::transfer_t pass(raw::transfer_t t) noexcept { return t; }

COIR_SWITCH_FUNCTION void probe_entry(raw::transfer_t t) noexcept {
    const unsigned other_rounding = read_mxcsr() ^ rounding_bit;
    asm volatile("ldmxcsr %0" : : "m"(other_rounding));
    raw::ontop_fcontext(t.fctx, nullptr, pass);
    __builtin_unreachable();
}

/// Looks at a context that was left with a rounding mode of its own.
COIR_SWITCH_FUNCTION bool mxcsr_leads_context() noexcept {
    alignas(16) static char room[4096];
    const unsigned before = read_mxcsr();
    const auto t = raw::jump_fcontext(raw::make_fcontext(room + sizeof room, sizeof room, probe_entry), nullptr);
    unsigned first_word;
    std::memcpy(&first_word, t.fctx, sizeof first_word);
    return ((first_word ^ before) & ~sticky_float_flags) == rounding_bit && read_mxcsr() == before;
}

constexpr std::size_t float_control_size = sizeof(unsigned) + sizeof(unsigned short);

}  // namespace

const unsigned carried_float_flags = mxcsr_leads_context() ? sticky_float_flags : 0;

COIR_SWITCH_FUNCTION void load_sticky_flags(thread_state& thread, unsigned word) noexcept {
    thread.float_flags = word & sticky_float_flags;
    const unsigned now = (read_mxcsr() & ~sticky_float_flags) | thread.float_flags;
    asm volatile("ldmxcsr %0" : : "m"(now));
}

void copy_float_control(const fiber_core& origin, void* context) noexcept {
    if (is_float_control_known()) std::memcpy(context, origin.context, float_control_size);
}

void load_float_control(const fiber_core& origin) noexcept {
    if (!is_float_control_known()) return;
    float_control wanted = float_control_of(origin.context), now{read_mxcsr(), 0};
    asm volatile("fnstcw %0" : "=m"(now.x87));
    if (now.x87 != wanted.x87) asm volatile("fldcw %0" : : "m"(wanted.x87));
    if (((now.mxcsr ^ wanted.mxcsr) & ~sticky_float_flags) == 0) return;
    wanted.mxcsr = (wanted.mxcsr & ~sticky_float_flags) | (now.mxcsr & sticky_float_flags);
    asm volatile("ldmxcsr %0" : : "m"(wanted.mxcsr));
}

}  // namespace coir::detail

#endif
