#include <coir/net/buffered.hpp>

#include "net/memory_stream.hpp"
#include "net/net_test.hpp"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace net_tests;
using coir::net::buffered;

/// A stream that has these bytes and then ends, `piece` of them in each read.
struct incoming {
    explicit incoming(const std::string& bytes, std::size_t piece = 64 * 1024)
        : ends(memory_stream::make_pair(bytes.size() + 1)) {
        ends.first.write_all(bytes);
        ends.first.shutdown_write();
        ends.second.piece = piece;
    }
    std::pair<memory_stream, memory_stream> ends;
    buffered<memory_stream> in{ends.second};
};

template <class In>
std::vector<std::string> all_lines(In&& in) {
    std::vector<std::string> lines;
    while (auto line = in.read_line()) lines.push_back(std::move(*line));
    return lines;
}

class buffered_stream : public clean_test {};

TEST_F(buffered_stream, reads_the_same_lines_wherever_the_bytes_are_split) {
    const std::string text = "first\r\n\nthird\n\r\nfi\rfth\r\nlast";
    const std::vector<std::string> lines = {"first", "", "third", "", "fi\rfth", "last"};
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        incoming from(text, piece);
        EXPECT_EQ(all_lines(from.in), lines) << "in pieces of " << piece;
    }
    for (std::size_t at = 0; at <= text.size(); ++at) {
        auto [there, here] = memory_stream::make_pair();
        auto sending = coir::spawn([&] {
            there.write_all(text.substr(0, at));
            let_others_run();
            there.write_all(text.substr(at));
            there.shutdown_write();
        });
        buffered in(here);
        EXPECT_EQ(all_lines(in), lines) << "split at " << at;
        sending.get();
    }
}

TEST_F(buffered_stream, a_last_line_may_lack_its_end) {
    EXPECT_EQ(all_lines(incoming("a\nb").in), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(all_lines(incoming("a\nb\n").in), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(all_lines(incoming("\n").in), (std::vector<std::string>{""}));
    EXPECT_TRUE(all_lines(incoming("").in).empty());
}

TEST_F(buffered_stream, the_end_stays_the_end) {
    incoming from("x\n");
    EXPECT_EQ(from.in.read_line(), "x");
    EXPECT_EQ(from.in.read_line(), std::nullopt);
    EXPECT_EQ(from.in.read_line(), std::nullopt);
    EXPECT_FALSE(from.in.fill());
}

TEST_F(buffered_stream, a_line_as_long_as_the_limit_is_read_and_a_longer_one_refused) {
    for (std::size_t piece : {1, 2, 3, 7, 1000}) {
        EXPECT_EQ(incoming("12345\n", piece).in.read_line(5), "12345");
        EXPECT_THROW(incoming("123456\n", piece).in.read_line(5), coir::net::line_too_long);
        EXPECT_THROW(incoming("1234567890", piece).in.read_line(5), coir::net::line_too_long);
    }
}

TEST_F(buffered_stream, what_was_too_long_is_still_unread) {
    incoming from("1234567\nrest\n");
    const std::string text = text_of<coir::net::line_too_long>([&] { from.in.read_line(5); });
    EXPECT_NE(text.find("5 bytes"), std::string::npos) << text;
    EXPECT_EQ(from.in.read_line(7), "1234567");
    EXPECT_EQ(from.in.read_line(7), "rest");
}

TEST_F(buffered_stream, lines_have_a_limit_by_default) {
    const std::size_t limit = buffered<memory_stream>::default_line_limit;
    EXPECT_EQ(limit, 64u * 1024);
    EXPECT_EQ(incoming(std::string(limit, 'x') + "\n").in.read_line()->size(), limit);
    EXPECT_THROW(incoming(std::string(limit + 1, 'x') + "\n").in.read_line(), coir::net::line_too_long);
}

TEST_F(buffered_stream, the_largest_limit_is_none) {
    const std::size_t none = std::numeric_limits<std::size_t>::max();
    EXPECT_EQ(incoming("abc\n", 2).in.read_line(none), "abc");
    EXPECT_EQ(incoming("abc\r\n", 2).in.read_until("\r\n", none), "abc");
}

TEST_F(buffered_stream, any_delimiter_will_do_wherever_the_bytes_are_split) {
    for (std::size_t piece = 1; piece < 12; ++piece) {
        incoming from("head\r\n\r\r\n\r\nbody--", piece);
        EXPECT_EQ(from.in.read_until("\r\n\r\n"), "head\r\n\r");
        EXPECT_EQ(from.in.read_until("--"), "body");
        EXPECT_EQ(from.in.read_until("--"), std::nullopt);
    }
}

TEST_F(buffered_stream, an_end_without_the_delimiter_is_an_error_and_loses_nothing) {
    incoming from("no delimiter");
    EXPECT_THROW(from.in.read_until("--"), coir::net::end_of_stream);
    EXPECT_EQ(from.in.peek(), "no delimiter");
    EXPECT_THROW(incoming("long enough--").in.read_until("--", 5), coir::net::line_too_long);
}

TEST_F(buffered_stream, reads_exactly_what_is_asked_for) {
    for (std::size_t piece : {1, 3, 100}) {
        incoming from("line\nexact rest", piece);
        EXPECT_EQ(from.in.read_line(), "line");
        EXPECT_EQ(from.in.read_exactly(5), "exact");
        EXPECT_EQ(from.in.read_exactly(0), "");
        char rest[5];
        from.in.read_exactly(coir::net::mutable_buffer(rest));
        EXPECT_EQ(std::string(rest, 5), " rest");
        EXPECT_THROW(from.in.read_exactly(1), coir::net::end_of_stream);
    }
}

TEST_F(buffered_stream, too_little_for_read_exactly_is_still_unread) {
    incoming from("abc");
    try {
        from.in.read_exactly(10);
        ADD_FAILURE() << "it read what was never sent";
    } catch (const coir::net::end_of_stream& e) {
        EXPECT_EQ(e.bytes_read(), 3u);
    }
    EXPECT_EQ(from.in.read_exactly(3), "abc");
}

TEST_F(buffered_stream, read_some_gives_what_there_is) {
    incoming from("a line\nand more");
    EXPECT_EQ(from.in.read_line(), "a line");
    char block[4];
    EXPECT_EQ(from.in.read_some(block), 4u);
    EXPECT_EQ(std::string(block, 4), "and ");
    EXPECT_EQ(from.in.read_some({block, 0}), 0u);
    EXPECT_EQ(from.in.read_some(block), 4u);
    EXPECT_EQ(from.in.read_some(block), 0u);
}

TEST_F(buffered_stream, a_parser_looks_and_takes_what_it_has_used) {
    incoming from("*3 abc", 2);
    EXPECT_EQ(from.in.peek(), "");
    EXPECT_TRUE(from.in.fill());
    EXPECT_EQ(from.in.peek(), "*3");
    from.in.consume(1);
    EXPECT_TRUE(from.in.fill());
    EXPECT_EQ(from.in.peek(), "3 a");
    from.in.consume(100);
    EXPECT_EQ(from.in.peek(), "");
}

TEST_F(buffered_stream, a_cancelled_read_loses_nothing_that_has_come) {
    auto [there, here] = memory_stream::make_pair();
    buffered in(here);
    auto reading = coir::spawn([&] { in.read_line(); });
    there.write_all("half a ");
    let_others_run();
    reading.cancel();
    reading.join();
    EXPECT_TRUE(reading.was_cancelled());
    there.write_all("line\n");
    EXPECT_EQ(in.read_line(), "half a line");
}

TEST_F(buffered_stream, sends_what_was_written_when_it_is_flushed) {
    auto [there, here] = memory_stream::make_pair();
    buffered out(there);
    out.write("one ");
    out.write(std::string("two "));
    out.write({"three...", 5});
    EXPECT_EQ(out.unsent(), 13u);
    EXPECT_EQ(incoming("").in.unsent(), 0u);
    out.flush();
    EXPECT_EQ(out.unsent(), 0u);
    out.flush();
    there.close();
    EXPECT_EQ(buffered(here).read_line(), "one two three");
}

TEST_F(buffered_stream, much_that_is_written_is_sent_without_being_asked) {
    auto [there, here] = memory_stream::make_pair(1'000'000);
    buffered out(there);
    const std::string text = byte_sequence(5).next(100'000);
    for (std::size_t at = 0; at < text.size(); at += 100) {
        out.write(std::string_view(text).substr(at, 100));
        EXPECT_LT(out.unsent(), 64u * 1024);
    }
    out.flush();
    there.close();
    EXPECT_TRUE(buffered(here).read_exactly(text.size()) == text);
}

TEST_F(buffered_stream, nothing_is_sent_by_its_destructor) {
    auto [there, here] = memory_stream::make_pair();
    { buffered(there).write("never flushed"); }
    there.close();
    EXPECT_EQ(buffered(here).read_line(), std::nullopt);
}

TEST_F(buffered_stream, lines_come_over_tcp_as_well) {
    connected_pair ends;
    auto sending = coir::spawn([&] {
        buffered out(ends.client);
        for (int i = 0; i < 10'000; ++i) out.write("line " + std::to_string(i) + "\n");
        out.flush();
        ends.client.close();
    });
    buffered in(ends.server);
    int i = 0;
    while (const auto line = in.read_line()) EXPECT_EQ(*line, "line " + std::to_string(i++));
    EXPECT_EQ(i, 10'000);
    sending.get();
}

}  // namespace
