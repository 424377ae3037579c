// <coir/task/cancel.hpp>: keeping cancellation away for a while.
#pragma once

namespace coir {

/// While it lives, waits of the current fiber are not interrupted: cancellation, timeouts and a deadlock report wait
/// until after it. For goodbyes over the network, and for destructors and noexcept functions that suspend:
/// `~session() { coir::shield mask; stream.write_all("QUIT\r\n"); }`. Nests. To be destroyed by the fiber that made it.
class [[nodiscard]] shield {
public:
    shield() noexcept;
    ~shield();
    shield(const shield&) = delete;
    shield& operator=(const shield&) = delete;
};

}  // namespace coir
