// <coir/task.hpp>: tasks, and what is done with them.
#pragma once

#include <coir/task/cancel.hpp>
#include <coir/task/future.hpp>
#include <coir/task/hub_pool.hpp>
#include <coir/task/io_wait.hpp>
#include <coir/task/run.hpp>
#include <coir/task/task.hpp>
#include <coir/task/task_group.hpp>
#include <coir/task/this_fiber.hpp>
#include <coir/task/timeout.hpp>
#include <coir/task/wait.hpp>
