// <coir/exec.hpp>: everything on floor 5; process_pool where cereal, which it needs, is installed.
#pragma once

#include <coir/exec/exit_status.hpp>
#include <coir/exec/offload.hpp>
#include <coir/exec/pipe.hpp>
#include <coir/exec/subprocess.hpp>
#include <coir/exec/thread_pool.hpp>
#if __has_include(<cereal/cereal.hpp>)
#include <coir/exec/process_pool.hpp>
#endif
