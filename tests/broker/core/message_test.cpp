#include "core/message.hpp"
#include "core/properties.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace broker;

TEST_CASE("a message keeps copies of all its fields") {
    message_ptr kept;
    {
        std::string topic = "a/b";
        std::string properties = "pp";
        std::string payload(1000, 'x');
        kept = make_message({.topic = topic,
                             .properties = as_bytes(properties),
                             .payload = as_bytes(payload),
                             .level = qos::exactly_once,
                             .retain = true,
                             .persistent = false,
                             .publisher = session_id{7},
                             .received_at = from_epoch_ms(5),
                             .expires_at = from_epoch_ms(9)});
        topic = properties = payload = "gone";
    }
    CHECK(kept->topic() == "a/b");
    CHECK(as_text(kept->properties()) == "pp");
    CHECK(kept->payload().size() == 1000);
    CHECK(kept->level() == qos::exactly_once);
    CHECK(kept->retain());
    CHECK_FALSE(kept->persistent());
    CHECK(kept->publisher() == session_id{7});
    CHECK(kept->footprint() >= 1005);
    CHECK_FALSE(kept->expired(from_epoch_ms(8)));
    CHECK(kept->expired(from_epoch_ms(9)));
    const auto again = make_message(kept->fields());
    CHECK(again->topic() == kept->topic());
    CHECK(again->expires_at() == kept->expires_at());
}

TEST_CASE("a copy of the pointer is the same message") {
    const auto first = make_message({.topic = "t"});
    const auto second = first;
    CHECK(&*first == &*second);
    CHECK_FALSE(first->expired(from_epoch_ms(1'000'000'000'000'000 / 1000))); // never
}

TEST_CASE("the last stored entry is told apart") {
    const auto m = make_message({.topic = "t"});
    m->set_stored_entries(2);
    CHECK_FALSE(m->drop_stored_entry());
    CHECK(m->drop_stored_entry());
}

TEST_CASE("properties: order and duplicates of user properties are kept") {
    std::string encoded;
    const property_view all[] = {
        {.kind = property_kind::payload_format, .byte = 1},
        {.kind = property_kind::user_property, .name = "k", .value = "1"},
        {.kind = property_kind::correlation_data, .value = std::string_view{"\0\xff", 2}},
        {.kind = property_kind::user_property, .name = "k", .value = "2"},
        {.kind = property_kind::content_type, .value = "text/plain"},
    };
    for (const auto& p : all) CHECK(append_property(encoded, p));
    property_reader in{as_bytes(encoded)};
    for (const auto& p : all) {
        const auto read = in.next();
        REQUIRE(read.has_value());
        CHECK(read->kind == p.kind);
        CHECK(read->name == p.name);
        CHECK(read->value == p.value);
        CHECK(read->byte == p.byte);
    }
    CHECK_FALSE(in.next().has_value());
    CHECK(in.intact());
    CHECK(find_property(as_bytes(encoded), property_kind::content_type) == "text/plain");
    CHECK_FALSE(find_property(as_bytes(encoded), property_kind::response_topic).has_value());
}

TEST_CASE("properties: what has no form is refused whole, damage is noticed") {
    std::string encoded;
    const std::string huge(65'536, 'x');
    CHECK_FALSE(append_property(encoded, {.kind = property_kind::user_property, .name = huge, .value = ""}));
    CHECK_FALSE(append_property(encoded, {.kind = property_kind::user_property, .name = "k", .value = huge}));
    CHECK(encoded.empty());
    REQUIRE(append_property(encoded, {.kind = property_kind::user_property, .name = "k", .value = "v"}));
    for (std::size_t cut = 1; cut != encoded.size(); ++cut) {
        property_reader in{as_bytes(std::string_view{encoded}.substr(0, cut))};
        CHECK_FALSE(in.next().has_value());
        CHECK_FALSE(in.intact());
    }
    property_reader unknown{as_bytes(std::string_view{"\x7f"})};
    CHECK_FALSE(unknown.next().has_value());
    CHECK_FALSE(unknown.intact());
}
