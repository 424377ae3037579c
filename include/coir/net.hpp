// <coir/net.hpp>: addresses, TCP, buffered reading, and serving.
#pragma once

#include <coir/net/address.hpp>
#include <coir/net/buffer.hpp>
#include <coir/net/buffered.hpp>
#include <coir/net/dns.hpp>
#include <coir/net/error.hpp>
#include <coir/net/server.hpp>
#include <coir/net/stream.hpp>
#include <coir/net/tcp.hpp>
