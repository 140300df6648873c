#include "routing/temporary_names.hpp"

#include "core/topic.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace broker;

TEST_CASE("temporary names: the same for an owner and a name, another for everything else, and none to be had from another") {
    const auto names = temporary_names::random();
    const auto replies = names.topic(session_id{7}, "replies");
    CHECK(replies == names.topic(session_id{7}, "replies"));
    CHECK(replies.starts_with("$temp/7-"));
    CHECK(replies.ends_with("/replies"));
    CHECK(replies.size() == std::string_view{"$temp/7-0123456789abcdef/replies"}.size());
    CHECK(is_topic_name(replies, {}));

    const auto code = [](const std::string& topic) { return topic.substr(topic.find('-') + 1, 16); };
    std::set<std::string> codes;
    for (std::uint64_t id = 1; id <= 1'000; ++id) codes.insert(code(names.topic(session_id{id}, "replies")));
    CHECK(codes.size() == 1'000);
    CHECK(code(temporary_names::random().topic(session_id{7}, "replies")) != code(replies)); // after a restart
}
