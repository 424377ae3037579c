// <coir/testing/leftovers.hpp>: the proof that nothing is left over.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace coir::testing {

/// Remembers what there is, and tells what has been added since: fibers, stacks and timers of this thread, fibers that
/// wait for descriptors, and open descriptors of the process. To be asked where no fiber of this thread should be left
/// but the main one. Example: tests/testing/leftovers_test.cpp
class leftovers {
public:
    leftovers();

    /// One line for each kind of thing; "" if nothing is left. Waits, for up to a second, for helper threads to finish
    /// what nobody waits for any more.
    std::string describe() const;

private:
    std::size_t stacks_;
    std::size_t timers_;
    std::map<int, std::string> descriptors_;
};

}  // namespace coir::testing
