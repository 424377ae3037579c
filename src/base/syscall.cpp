#include "base/syscall.hpp"

namespace coir::detail {

constinit system_calls sys;

}  // namespace coir::detail
