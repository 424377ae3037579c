// <coir/hub.hpp>: a thread's hub, and signals.
#pragma once

#include <coir/hub/hub.hpp>
#include <coir/hub/signal.hpp>
