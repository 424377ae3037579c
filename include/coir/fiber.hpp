// <coir/fiber.hpp>: fibers, generators and fiber-local values.
#pragma once

#include <coir/fiber/fiber.hpp>
#include <coir/fiber/fiber_local.hpp>
#include <coir/fiber/generator.hpp>
#include <coir/fiber/stack.hpp>
#include <coir/fiber/value.hpp>
