// What every byte_stream keeps to. A stream joins with a `Pair` that has two connected ends, `first` and
// `second`: INSTANTIATE_TYPED_TEST_SUITE_P(its_name, stream_conformance, its_pair);
#pragma once

#include "net/net_test.hpp"

#include <coir/net/buffered.hpp>
#include <coir/net/stream.hpp>

#include <string>

namespace net_tests {

template <class Pair>
class stream_conformance : public clean_test {
protected:
    using stream = decltype(Pair::first);
    static_assert(coir::net::byte_stream<stream>);

    static std::string read_to_end(stream& s) {
        std::string all;
        char block[1000];
        while (const std::size_t n = s.read_some(block)) all.append(block, n);
        return all;
    }
};

TYPED_TEST_SUITE_P(stream_conformance);

TYPED_TEST_P(stream_conformance, carries_bytes_both_ways) {
    TypeParam ends;
    char got[5];
    ends.first.write_all("there");
    ends.second.read_exactly(got);
    EXPECT_EQ(std::string(got, 5), "there");
    ends.second.write_all("again");
    ends.first.read_exactly(got);
    EXPECT_EQ(std::string(got, 5), "again");
}

TYPED_TEST_P(stream_conformance, keeps_order_and_value_of_every_byte) {
    TypeParam ends;
    const std::string sent = byte_sequence(7).next(3'000'000);
    auto sending = coir::spawn([&] {
        ends.first.write_all(sent);
        ends.first.shutdown_write();
    });
    EXPECT_TRUE(this->read_to_end(ends.second) == sent);
    sending.get();
}

TYPED_TEST_P(stream_conformance, read_some_waits_for_something) {
    TypeParam ends;
    auto reading = coir::spawn([&] {
        char block[8];
        return ends.second.read_some(block);
    });
    let_others_run();
    EXPECT_FALSE(reading.done());
    ends.first.write_all("abc");
    EXPECT_EQ(reading.get(), 3u);
}

TYPED_TEST_P(stream_conformance, its_end_is_zero_bytes_again_and_again) {
    TypeParam ends;
    ends.first.write_all("rest");
    ends.first.shutdown_write();
    EXPECT_EQ(this->read_to_end(ends.second), "rest");
    char block[8];
    EXPECT_EQ(ends.second.read_some(block), 0u);
}

TYPED_TEST_P(stream_conformance, one_half_may_end_while_the_other_goes_on) {
    TypeParam ends;
    ends.first.shutdown_write();
    EXPECT_EQ(this->read_to_end(ends.second), "");
    ends.second.write_all("still here");
    ends.second.shutdown_write();
    EXPECT_EQ(this->read_to_end(ends.first), "still here");
    EXPECT_TRUE(failure_of([&] { ends.first.write_all("x"); }));
}

TYPED_TEST_P(stream_conformance, read_exactly_says_how_much_came_before_the_end) {
    TypeParam ends;
    ends.first.write_all("abc");
    ends.first.close();
    char block[8];
    try {
        ends.second.read_exactly(block);
        ADD_FAILURE() << "it read what was never sent";
    } catch (const coir::net::end_of_stream& e) {
        EXPECT_EQ(e.bytes_read(), 3u);
    }
}

TYPED_TEST_P(stream_conformance, empty_buffers_are_nothing) {
    TypeParam ends;
    std::error_code ec = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(ends.first.read_some({nullptr, 0}, ec), 0u);
    EXPECT_FALSE(ec);
    ends.first.write_all("", ec);
    EXPECT_FALSE(ec);
    ends.first.read_exactly({nullptr, 0});
}

TYPED_TEST_P(stream_conformance, closing_wakes_its_own_reader_with_an_error) {
    TypeParam ends;
    auto reading = coir::spawn([&] {
        char block[8];
        return failure_of([&] { ends.first.read_some(block); });
    });
    let_others_run();
    EXPECT_FALSE(reading.done());
    ends.first.close();
    EXPECT_TRUE(reading.get());
}

TYPED_TEST_P(stream_conformance, closing_ends_the_other_side) {
    TypeParam ends;
    auto reading = coir::spawn([&] {
        char block[8];
        return ends.second.read_some(block);
    });
    let_others_run();
    ends.first.close();
    EXPECT_EQ(reading.get(), 0u);
    std::error_code ec;
    for (int i = 0; i < 1000 && !ec; ++i) {
        ends.second.write_all("is anybody there?", ec);
        let_others_run();
    }
    EXPECT_TRUE(ec);
}

TYPED_TEST_P(stream_conformance, closed_refuses_and_closes_again_quietly) {
    TypeParam ends;
    ends.first.close();
    ends.first.close();
    char block[8];
    std::error_code ec;
    EXPECT_EQ(ends.first.read_some(block, ec), 0u);
    EXPECT_TRUE(ec);
    EXPECT_TRUE(failure_of([&] { ends.first.read_some(block); }));
    EXPECT_TRUE(failure_of([&] { ends.first.read_exactly(block); }));
    EXPECT_TRUE(failure_of([&] { ends.first.write_all("x"); }));
    EXPECT_TRUE(failure_of([&] { ends.first.shutdown_write(); }));
}

TYPED_TEST_P(stream_conformance, a_cancelled_read_takes_nothing) {
    TypeParam ends;
    auto reading = coir::spawn([&] {
        char block[8];
        ends.second.read_some(block);
    });
    let_others_run();
    reading.cancel();
    reading.join();
    EXPECT_TRUE(reading.was_cancelled());
    ends.first.write_all("abc");
    char got[3];
    ends.second.read_exactly(got);
    EXPECT_EQ(std::string(got, 3), "abc");
}

TYPED_TEST_P(stream_conformance, a_writer_waits_for_a_reader_and_can_be_cancelled) {
    TypeParam ends;
    const std::string much(20'000'000, 'x');
    auto writing = coir::spawn([&] { ends.first.write_all(much); });
    let_others_run();
    EXPECT_FALSE(writing.done());
    writing.cancel();
    writing.join();
    EXPECT_TRUE(writing.was_cancelled());
}

TYPED_TEST_P(stream_conformance, lines_can_be_read_from_it) {
    TypeParam ends;
    ends.first.write_all("one\ntwo\r\nthree");
    ends.first.close();
    coir::net::buffered in(ends.second);
    EXPECT_EQ(in.read_line(), "one");
    EXPECT_EQ(in.read_line(), "two");
    EXPECT_EQ(in.read_line(), "three");
    EXPECT_EQ(in.read_line(), std::nullopt);
}

REGISTER_TYPED_TEST_SUITE_P(stream_conformance, carries_bytes_both_ways, keeps_order_and_value_of_every_byte,
                            read_some_waits_for_something, its_end_is_zero_bytes_again_and_again,
                            one_half_may_end_while_the_other_goes_on, read_exactly_says_how_much_came_before_the_end,
                            empty_buffers_are_nothing, closing_wakes_its_own_reader_with_an_error,
                            closing_ends_the_other_side, closed_refuses_and_closes_again_quietly,
                            a_cancelled_read_takes_nothing, a_writer_waits_for_a_reader_and_can_be_cancelled,
                            lines_can_be_read_from_it);

}  // namespace net_tests
