// The works of this program, by file.
#pragma once

#include "../common/measure.hpp"

// switch.cpp
measure::outcome switch_ring(const measure::plan& p);
measure::outcome switch_deep(const measure::plan& p);
measure::outcome switch_pair(const measure::plan& p);
measure::outcome switch_flags(const measure::plan& p);

// timer.cpp
measure::outcome timer_cancel(const measure::plan& p);
measure::outcome timer_rearm(const measure::plan& p);
measure::outcome timer_core_cancel(const measure::plan& p);
measure::outcome timer_core_rearm(const measure::plan& p);
measure::outcome timer_expire(const measure::plan& p);
