// Tells the sanitizers about fibers. Without a sanitizer all of it is empty.
//
// AddressSanitizer must know the bounds of the stack that runs, or a throw un-poisons the wrong memory; a fake stack
// (detect_stack_use_after_return) belongs to a fiber. ThreadSanitizer keeps a shadow stack per fiber; flag 0 makes
// a switch a happens-before edge, which is right for fibers of one thread. The calls stand around the jump, in
// functions that are themselves not instrumented: an instrumented frame that is entered on one shadow stack and
// left on another crashes ThreadSanitizer at -O0.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define COIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COIR_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define COIR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COIR_TSAN 1
#endif
#endif

#ifdef COIR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef COIR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

// COIR_UNINSTRUMENTED goes with always_inline: a helper of the switch must not become an instrumented function.
// COIR_SWITCH_INLINE is a switch function that is inlined where nothing is instrumented.
#if defined(COIR_ASAN) || defined(COIR_TSAN)
#define COIR_UNINSTRUMENTED __attribute__((no_sanitize("address"), no_sanitize("thread")))
#define COIR_SWITCH_FUNCTION __attribute__((noinline)) COIR_UNINSTRUMENTED
#define COIR_SWITCH_INLINE inline COIR_SWITCH_FUNCTION
#else
#define COIR_UNINSTRUMENTED
#define COIR_SWITCH_FUNCTION
#define COIR_SWITCH_INLINE __attribute__((always_inline)) inline
#endif

namespace coir::detail {

/// What the sanitizers know of one stack.
struct sanitizer_state {
#ifdef COIR_ASAN
    void* fake_stack = nullptr;
#endif
#ifdef COIR_TSAN
    void* fiber = nullptr;
    unsigned uses = 0;
#endif
};

#ifdef COIR_TSAN
// ThreadSanitizer keeps what it knew of a destroyed fiber, so a handle is used again with its stack. But not for ever:
// the frames from which a fiber leaves for good stay on its shadow stack, which has room for 65,536.
inline void forget_stack(sanitizer_state& s) noexcept {
    if (s.fiber) __tsan_destroy_fiber(s.fiber);
    s.fiber = nullptr;
}
inline void prepare_stack(sanitizer_state& s, const void*, std::size_t) noexcept {
    if (++s.uses % 1000 == 0) forget_stack(s);
    if (!s.fiber) s.fiber = __tsan_create_fiber(0);
}
#elif defined(COIR_ASAN)
// A stack in the pool is poisoned; what the last fiber's frames left poisoned is cleared when it is used again. While
// it is used, what it refers to is no leak.
inline void prepare_stack(sanitizer_state&, const void* low, std::size_t size) noexcept {
    __asan_unpoison_memory_region(low, size);
    __lsan_register_root_region(low, size);
}
inline void forget_stack(sanitizer_state&) noexcept {}
#else
inline void prepare_stack(sanitizer_state&, const void*, std::size_t) noexcept {}
inline void forget_stack(sanitizer_state&) noexcept {}
#endif

#if defined(COIR_ASAN) || defined(COIR_TSAN)
constexpr bool are_frames_kept = false;  // of a fiber that has ended, until its stack is used again
#else
constexpr bool are_frames_kept = true;
#endif

/// The frames on it go without having returned or been unwound.
inline void forget_frames([[maybe_unused]] const void* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef COIR_ASAN
    if (low) __asan_unpoison_memory_region(low, size);
#endif
}

inline void retire_stack([[maybe_unused]] const void* low, [[maybe_unused]] std::size_t size) noexcept {
#ifdef COIR_ASAN
    __lsan_unregister_root_region(low, size);
    __asan_poison_memory_region(low, size);
#endif
}

}  // namespace coir::detail
