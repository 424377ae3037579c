// <coir/sync.hpp>: what fibers, and plain threads, coordinate with.
#pragma once

#include <coir/sync/channel.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/mutex.hpp>
