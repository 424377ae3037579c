// <coir/testing.hpp>: the test kit, target coir::testing.
#pragma once

#include <coir/testing/fault.hpp>
#include <coir/testing/leftovers.hpp>
#include <coir/testing/schedule.hpp>
#include <coir/testing/test.hpp>
#include <coir/testing/virtual_clock.hpp>
