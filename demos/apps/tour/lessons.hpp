#pragma once

namespace tour {

/// What fibers and tasks do, each thing in a few lines.
void run_lessons();

}  // namespace tour
