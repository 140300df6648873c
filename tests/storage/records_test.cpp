#include "storage/keys.hpp"
#include "storage/records.hpp"
#include "support/hex.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::storage;

TEST_CASE("keys sort as their ids do") {
    CHECK(entry_key(session_id{1}, message_id{255}) < entry_key(session_id{1}, message_id{256}));
    CHECK(entry_key(session_id{1}, message_id{~0ULL}) < entry_key(session_id{2}, message_id{0}));
    const auto parts = decode_entry_key(entry_key(session_id{7}, message_id{9}));
    REQUIRE(parts);
    CHECK(parts->of == session_id{7});
    CHECK(parts->message == message_id{9});
    CHECK_FALSE(decode_entry_key("short"));
}

TEST_CASE("records come back as they were; a flipped byte or a cut is noticed") {
    const message_fields body{.topic = "a/b", .properties = as_bytes("p"), .payload = as_bytes("payload"),
                              .level = qos::exactly_once, .retain = true, .persistent = false,
                              .publisher = session_id{5}, .expires_at = from_epoch_ms(1234)};
    std::string value;
    encode_entry({.level = qos::at_least_once, .redelivery_count = 3, .identifiers = {1, 2}}, &body, value);
    const auto entry = decode_entry(value);
    REQUIRE(entry);
    CHECK(entry->redelivery_count == 3);
    CHECK(entry->identifiers == std::vector<std::uint32_t>{1, 2});
    const auto message = decode_message(entry->inline_message);
    REQUIRE(message);
    CHECK(message->topic == "a/b");
    CHECK(as_text(message->payload) == "payload");
    CHECK(message->retain);
    CHECK_FALSE(message->persistent);
    CHECK(message->expires_at == from_epoch_ms(1234));
    for (std::size_t i = 0; i != value.size(); ++i) {
        auto damaged = value;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
        CHECK_FALSE(decode_entry(damaged));
        CHECK_FALSE(decode_entry(value.substr(0, i)));
    }
    std::string session;
    encode_session({.client_id = "me", .expiry_s = 9, .expires = false, .disconnected_at_ms = 7, .sent_below = message_id{8}}, session);
    const auto back = decode_session(session);
    REQUIRE(back);
    CHECK(back->client_id == "me");
    CHECK_FALSE(back->expires);
    CHECK(back->sent_below == message_id{8});
}

TEST_CASE("records that end with a CRC-32 are read: formats 1 and 2") {
    const auto old = decode_redelivery_count(test::hex("01 00000003 624b8f17"));
    REQUIRE_MESSAGE(old, old.error().what);
    CHECK(*old == 3);
    CHECK_FALSE(decode_redelivery_count(test::hex("81 00000003 624b8f17")));
}

TEST_CASE("a session record of version 1 is read: nobody knows what was sent") {
    const auto old = decode_session(test::hex("01 0004 676f6f64 0000000000000064 01 0000000000000005 5c7d0528"));
    REQUIRE(old);
    CHECK(old->client_id == "good");
    CHECK(old->expiry_s == 100);
    CHECK(old->disconnected_at_ms == 5);
    CHECK(old->sent_below == message_id{});
}
