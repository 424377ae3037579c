// <coir/base.hpp>: errors, deadlines and the other words that every floor uses.
#pragma once

#include <coir/base/deadline.hpp>
#include <coir/base/error.hpp>
#include <coir/base/unique_fd.hpp>
#include <coir/base/unique_function.hpp>
