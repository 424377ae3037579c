// <coir/task/cancel.hpp>: keeping cancellation away for a while.
#pragma once

namespace coir {

/// While it lives, waits of the current fiber are not interrupted from outside: cancellation, the timeouts of outer
/// scopes and a deadlock report wait until after it. A coir::timeout that is opened inside counts. For goodbyes over the
/// network, and for destructors and noexcept functions that suspend: `~session() { coir::shield mask; try {
/// coir::timeout limit(1s); stream.write_all("QUIT\r\n"); } catch (...) {} }`. Nests. To be destroyed by the fiber that
/// made it.
class [[nodiscard]] shield {
public:
    shield() noexcept;
    ~shield();
    shield(const shield&) = delete;
    shield& operator=(const shield&) = delete;
};

}  // namespace coir
