#include "net/stream_conformance.hpp"
#include "net/memory_stream.hpp"

namespace net_tests {

struct tcp_pair {
    connected_pair ends;
    coir::net::tcp_stream first = std::move(ends.client);
    coir::net::tcp_stream second = std::move(ends.server);
};
INSTANTIATE_TYPED_TEST_SUITE_P(tcp, stream_conformance, tcp_pair);

struct memory_pair {
    std::pair<memory_stream, memory_stream> ends = memory_stream::make_pair();
    memory_stream first = std::move(ends.first);
    memory_stream second = std::move(ends.second);
};
INSTANTIATE_TYPED_TEST_SUITE_P(memory, stream_conformance, memory_pair);

}  // namespace net_tests
