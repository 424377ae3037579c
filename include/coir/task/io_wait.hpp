// <coir/task/io_wait.hpp>: waiting for descriptors that somebody else owns: a library's socket, a pipe, a terminal.
//
// Each suspends until the descriptor can be read or written without blocking, or has an error or a hang-up. Nothing is
// assumed about what is read then, and nothing stays registered. Several fibers may wait on one descriptor: first
// come, first served. Regular files are always ready. Cancellation: throws, nothing is lost. Any hub's thread. Throws
// std::system_error for what is no descriptor. Closing the descriptor meanwhile ends no wait: cancel it first.
#pragma once

#include <coir/base/deadline.hpp>

namespace coir {

void wait_readable(int fd);
void wait_writable(int fd);

/// False when the limit was first.
bool wait_readable_until(int fd, deadline limit);
bool wait_writable_until(int fd, deadline limit);
inline bool wait_readable_for(int fd, time_span limit) { return wait_readable_until(fd, deadline::after(limit)); }
inline bool wait_writable_for(int fd, time_span limit) { return wait_writable_until(fd, deadline::after(limit)); }

}  // namespace coir
