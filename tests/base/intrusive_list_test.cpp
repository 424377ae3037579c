#include <coir/base/intrusive_list.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace {

using coir::detail::intrusive_list;
using coir::detail::list_hook;

// On two lists at once: each list is told by which hook.
struct first_hook : list_hook {};
struct second_hook : list_hook {};
struct twice : first_hook, second_hook {
    explicit twice(int n) : number(n) {}
    int number;
};

struct node : list_hook {
    explicit node(int n) : number(n) {}
    int number;
};

template <class List>
std::vector<int> numbers(List& list) {
    std::vector<int> found;
    for (auto& element : list) found.push_back(element.number);
    return found;
}
using ints = std::vector<int>;

TEST(intrusive_list, is_first_in_first_out) {
    intrusive_list<node> list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.pop_front(), nullptr);
    node a(1), b(2), c(3);
    EXPECT_FALSE(a.is_linked());
    list.push_back(a);
    list.push_back(b);
    list.push_back(c);
    EXPECT_TRUE(a.is_linked());
    EXPECT_EQ(numbers(list), ints({1, 2, 3}));
    EXPECT_EQ(&list.front(), &a);
    EXPECT_EQ(list.pop_front(), &a);
    EXPECT_FALSE(a.is_linked());
    EXPECT_EQ(list.pop_front(), &b);
    EXPECT_EQ(list.pop_front(), &c);
    EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, elements_leave_from_anywhere_and_come_back) {
    intrusive_list<node> list;
    node a(1), b(2), c(3);
    for (node* n : {&a, &b, &c}) list.push_back(*n);
    b.unlink();
    EXPECT_EQ(numbers(list), ints({1, 3}));
    a.unlink();
    list.push_back(a);
    EXPECT_EQ(numbers(list), ints({3, 1}));
    a.unlink();
    c.unlink();
    EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, splice_takes_all_in_order) {
    intrusive_list<node> to, from;
    node a(1), b(2), c(3), d(4);
    to.splice_back(from);
    EXPECT_TRUE(to.empty());
    from.push_back(a);
    from.push_back(b);
    to.splice_back(from);
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(numbers(to), ints({1, 2}));
    from.push_back(c);
    to.splice_back(from);
    from.push_back(d);
    EXPECT_EQ(numbers(to), ints({1, 2, 3}));
    EXPECT_EQ(numbers(from), ints({4}));
    while (to.pop_front()) {
    }
    d.unlink();
}

TEST(intrusive_list, an_element_is_on_two_lists_by_two_hooks) {
    intrusive_list<twice, first_hook> one;
    intrusive_list<twice, second_hook> two;
    twice a(1), b(2);
    one.push_back(a);
    one.push_back(b);
    two.push_back(b);
    two.push_back(a);
    EXPECT_EQ(numbers(one), ints({1, 2}));
    EXPECT_EQ(numbers(two), ints({2, 1}));
    static_cast<first_hook&>(a).unlink();
    EXPECT_EQ(numbers(one), ints({2}));
    EXPECT_EQ(numbers(two), ints({2, 1}));
    EXPECT_EQ(two.pop_front(), &b);
    EXPECT_EQ(two.pop_front(), &a);
    EXPECT_EQ(one.pop_front(), &b);
}

}  // namespace
