// <coir/sync.hpp>: everything on floor 4.
#pragma once

#include <coir/sync/barrier.hpp>
#include <coir/sync/channel.hpp>
#include <coir/sync/condition_variable.hpp>
#include <coir/sync/event.hpp>
#include <coir/sync/latch.hpp>
#include <coir/sync/mutex.hpp>
#include <coir/sync/once.hpp>
#include <coir/sync/recursive_mutex.hpp>
#include <coir/sync/select.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/sync/shared_mutex.hpp>
