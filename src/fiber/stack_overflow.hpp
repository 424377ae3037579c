// Says in words that a fiber ran out of stack, before the process dies of it.
#pragma once

namespace coir::detail {

/// Gives this thread an alternate signal stack, unless it has one, and the process its SIGSEGV handler, once. The
/// former handler gets all other faults, and this one after the report.
void install_overflow_stack() noexcept;
void remove_overflow_stack() noexcept;

}  // namespace coir::detail
