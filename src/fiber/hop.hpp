// The jump from one stack to another: Boost.Context's jump_fcontext, entered without a call.
//
// A call would leave its return address on the processor's stack of predictions, and the jump never returns there: each
// frame that returns afterwards would then be mispredicted, 20 ns for three of them. So the return address is pushed by
// hand. ontop_fcontext, whose function executes a `ret` for that call, is in step too, but is mispredicted itself
// whenever the two stacks were left at different places; a jump is predicted by where it has gone before.
#pragma once

#include "fiber/sanitizer.hpp"

#include <boost/context/detail/fcontext.hpp>

// A push must not hit what a function keeps below its stack pointer: the build says that ours keep nothing there. A
// shadow stack (-fcf-protection) would miss the call.
#if defined(__CET__)
#define COIR_HAS_SHADOW_STACK (__CET__ & 2)
#else
#define COIR_HAS_SHADOW_STACK 0
#endif
#if defined(__x86_64__) && defined(COIR_NO_RED_ZONE) && !COIR_HAS_SHADOW_STACK
#define COIR_HOP_WITHOUT_CALL 1
#endif

namespace coir::detail {

/// Leaves for the context `to`, and returns when somebody hops back, with the context that was left for that.
[[gnu::always_inline]] inline COIR_UNINSTRUMENTED void* hop(void* to) noexcept {
#ifdef COIR_HOP_WITHOUT_CALL
    void* from;
    // What a call may clobber. The vector registers count as a whole.
    asm volatile(
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "jmp *jump_fcontext@GOTPCREL(%%rip)\n"
        "1:"
        : "=a"(from), "+D"(to)
        :
        : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)",
          "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"
#ifdef __AVX512F__
          ,
          "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",
          "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#endif
    );
    return from;
#else
    return boost::context::detail::jump_fcontext(to, nullptr).fctx;
#endif
}

}  // namespace coir::detail
