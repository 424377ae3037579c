// <coir/fiber/stack.hpp>: how large a fiber's stack may be.
//
// A stack is address space: pages are taken when they are touched, and an idle fiber holds about one. Below each
// stack lies a guard page; running into it is reported in words before the process dies.
#pragma once

#include <cstddef>

namespace coir {

inline constexpr std::size_t default_stack_size = 256 * 1024;
/// Less than this does not hold the unwinder that runs when an exception is thrown.
inline constexpr std::size_t min_stack_size = 16 * 1024;
inline constexpr std::size_t max_stack_size = std::size_t{1} << 30;

}  // namespace coir
