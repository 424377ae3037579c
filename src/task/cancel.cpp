#include <coir/task/cancel.hpp>

#include <coir/fiber/detail/fiber_core.hpp>

namespace coir {

shield::shield() noexcept { ++detail::current_fiber().shields; }

shield::~shield() { --detail::current_fiber().shields; }

}  // namespace coir
