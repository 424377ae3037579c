// <coir/coir.hpp>: all of the core.
#pragma once

#include <coir/base.hpp>
#include <coir/exec.hpp>
#include <coir/fiber.hpp>
#include <coir/hub.hpp>
#include <coir/net.hpp>
#include <coir/sync.hpp>
#include <coir/task.hpp>
