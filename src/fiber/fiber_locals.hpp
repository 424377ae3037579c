// The values that fiber_local objects keep in a fiber.
#pragma once

#include <coir/fiber/detail/fiber_core.hpp>

namespace coir::detail {

/// Destroys them on the running fiber, youngest first, and those that their destructors make.
void destroy_locals(fiber_core& fiber) noexcept;

}  // namespace coir::detail
