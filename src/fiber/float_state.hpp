// Floating point across switches, on x86-64: sticky exception flags are the thread's, rounding mode, precision and
// masks the fiber's.
//
// A context holds MXCSR, and loading one whose sticky flags differ stalls for some 60 ns, so the flags are carried
// along. To read MXCSR costs a third of a switch; but the jump leaves it in the memory of the context, and flags seldom
// change. So the target gets those of the last switch, and only if the fiber that is left turns out to have changed
// them, they are loaded again, on the other side.
#pragma once

#include "fiber/thread_state.hpp"

#include <cstring>

namespace coir::detail {

#if defined(__x86_64__)
constexpr unsigned sticky_float_flags = 0x3f;

/// The sticky flags, if contexts start with MXCSR, which is looked at when the program starts. None where they do not, and
/// before: a switch leaves them as they are.
extern const unsigned carried_float_flags;
inline bool is_float_control_known() noexcept { return carried_float_flags != 0; }

inline unsigned read_mxcsr() noexcept {
    unsigned word;
    asm volatile("stmxcsr %0" : "=m"(word));
    return word;
}

/// Before the jump: the target will load the flags that the last jump left.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void offer_sticky_flags(const thread_state& thread,
                                                                          void* target) noexcept {
    unsigned word;
    std::memcpy(&word, target, sizeof word);
    const unsigned differing = (word ^ thread.float_flags) & carried_float_flags;
    if (differing == 0) [[likely]]
        return;
    word ^= differing;
    std::memcpy(target, &word, sizeof word);
}

void load_sticky_flags(thread_state& thread, unsigned word) noexcept;

/// After it: what the origin has raised or cleared since then holds for the thread.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void keep_sticky_flags(thread_state& thread,
                                                                         const void* origin) noexcept {
    unsigned word;
    std::memcpy(&word, origin, sizeof word);
    if (((word ^ thread.float_flags) & carried_float_flags) != 0) [[unlikely]]
        load_sticky_flags(thread, word);
}

/// A new context gets the control words of `origin`, which is not running.
void copy_float_control(const fiber_core& origin, void* context) noexcept;
/// Loads them, where they are not what is loaded already.
void load_float_control(const fiber_core& origin) noexcept;

/// Of one that is not running, where they are known. One by one, as the jump stores them: a load of both would wait for
/// the cache.
[[gnu::always_inline]] inline float_control float_control_of(const void* context) noexcept {
    float_control words;
    std::memcpy(&words.mxcsr, context, sizeof words.mxcsr);
    std::memcpy(&words.x87, static_cast<const char*>(context) + sizeof words.mxcsr, sizeof words.x87);
    return words;
}
[[gnu::always_inline]] inline void set_float_control(void* context, float_control words) noexcept {
    std::memcpy(context, &words.mxcsr, sizeof words.mxcsr);
    std::memcpy(static_cast<char*>(context) + sizeof words.mxcsr, &words.x87, sizeof words.x87);
}
/// Whether the words of a context are known, and mask all that x87 would raise late: at the next of its instructions
/// after they have been loaded.
inline bool float_control_never_traps(const void* context) noexcept {
    constexpr unsigned x87_masks = 0x3f;
    return is_float_control_known() && (float_control_of(context).x87 & x87_masks) == x87_masks;
}
/// The same as load_float_control, where it is known what is loaded.
[[gnu::always_inline]] inline void correct_float_control(float_control loaded, const fiber_core& origin) noexcept {
    const float_control wanted = float_control_of(origin.context);
    const bool is_same = wanted.x87 == loaded.x87 && ((wanted.mxcsr ^ loaded.mxcsr) & ~sticky_float_flags) == 0;
    if (!is_same) [[unlikely]]
        load_float_control(origin);
}
#else
inline bool float_control_never_traps(const void*) noexcept { return true; }
inline float_control float_control_of(const void*) noexcept { return {}; }
inline void set_float_control(void*, float_control) noexcept {}
inline void correct_float_control(float_control, const fiber_core&) noexcept {}
inline void offer_sticky_flags(const thread_state&, void*) noexcept {}
inline void keep_sticky_flags(thread_state&, const void*) noexcept {}
inline void copy_float_control(const fiber_core&, void*) noexcept {}
inline void load_float_control(const fiber_core&) noexcept {}
#endif

}  // namespace coir::detail
