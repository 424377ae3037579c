// Starting a program: what it gets, and posix_spawn.
#pragma once

#include <coir/base/unique_fd.hpp>
#include <coir/exec/subprocess.hpp>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace coir::detail {

class child;

/// The descriptors behind the child's 0, 1 and 2, and this process's ends of the pipes among them.
struct child_files {
    /// Throws std::system_error, fiber_error.
    explicit child_files(const subprocess_options& options);

    std::array<unique_fd, 3> theirs;  // all above 2, so that none is overwritten while they are put in place
    std::array<unique_fd, 3> ours;
};

/// Throws fiber_error for what can be no program. A program with those arguments may still be missing.
void check_argv(const std::vector<std::string>& argv);

/// Starts it and closes its descriptors in this process. Throws std::system_error, and then nothing runs.
std::shared_ptr<child> launch(const std::vector<std::string>& argv, const subprocess_options& options,
                              child_files& files);

}  // namespace coir::detail
