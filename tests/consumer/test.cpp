// What a user's first test looks like.
#include <coir/coir.hpp>
#include <coir/testing.hpp>

COIR_TEST(consumer, sleeps_for_an_hour) {
    coir::testing::virtual_clock clock;
    coir::this_fiber::sleep_for(std::chrono::hours(1));
    EXPECT_EQ(clock.elapsed(), std::chrono::hours(1));
}
