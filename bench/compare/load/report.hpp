// What a load has to say; main prints it.
#pragma once

#include <cstdint>
#include <string>

namespace load {

/// One JSON object. `wrong` counts answers that were not what was asked for, or never came.
std::string echo(int port, std::uint32_t connections, int milliseconds, std::size_t message_size);
std::string http(int port, std::uint32_t connections, int milliseconds);
std::string accept(int port, int milliseconds);

}  // namespace load
