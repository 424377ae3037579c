// What a fiber costs, in time and in memory.
#pragma once

#include <cstddef>

namespace tour {

/// Of this process, in bytes, as /proc/self/status has it: what is resident, and the page tables that map it.
struct memory_use {
    double resident = 0;
    double page_tables = 0;
};
memory_use memory_in_use();

/// What each of `count` fibers takes that has started and waits for an event: its stack above all. True only
/// as long as the process has had no fibers before.
memory_use memory_per_parked_fiber(std::size_t count);

/// From one fiber to another by hand, in a second; there and back are two.
double switches_per_second();
/// The same by the scheduler: two tasks that yield to each other.
double yields_per_second();

}  // namespace tour
