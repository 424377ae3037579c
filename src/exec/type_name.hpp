// Names of types as people write them.
#pragma once

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace coir::detail {

inline std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                      std::free);
    return name ? name.get() : type.name();
}

/// In a handler: of what is handled.
inline std::string current_exception_type() {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return type ? type_name(*type) : "a foreign exception";
}

}  // namespace coir::detail
