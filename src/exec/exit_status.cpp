#include <coir/exec/exit_status.hpp>

#include <fmt/format.h>

#include <cstring>

namespace coir {

std::string exit_status::describe() const {
    if (!is_signal_) return fmt::format("exited with {}", number_);
    const char* name = ::sigdescr_np(number_);  // null for real-time ones
    return name ? fmt::format("was killed by signal {} ({})", number_, name)
                : fmt::format("was killed by signal {}", number_);
}

}  // namespace coir
