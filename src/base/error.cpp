#include <coir/base/error.hpp>

#include <fmt/format.h>

namespace coir::detail {

void throw_system_error(int code, std::string_view operation) {
    throw std::system_error(code, std::generic_category(), std::string(operation));
}

void throw_system_error(int code, std::string_view operation, int fd) {
    throw std::system_error(code, std::generic_category(), fmt::format("{} fd {}", operation, fd));
}

}  // namespace coir::detail
