#include "storage/keys.hpp"
#include "storage/memory_store.hpp"
#include "storage/record_check.hpp"
#include "storage/recovery.hpp"
#include "storage/rocks_store.hpp"
#include "storage/upgrade.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace broker;
using namespace broker::storage;

namespace {

struct scratch {
    std::filesystem::path dir;
    scratch() {
        char name[] = "/tmp/brokerd-test-XXXXXX";
        dir = ::mkdtemp(name);
    }
    ~scratch() { std::filesystem::remove_all(dir); }
};

void write(backend& to, const batch& b) {
    const auto* const group = &b;
    REQUIRE(to.write({&group, 1}, true));
}

void behaves(backend& rows) {
    batch b;
    b.put(column::entries, "aa1", "1");
    b.put(column::entries, "aa2", "2");
    b.put(column::entries, "ab1", "3");
    b.put(column::queues, "aa1", "other");
    write(rows, b);
    b.clear();
    b.erase(column::entries, "aa1");
    b.put(column::entries, "aa3", "4");
    write(rows, b);
    std::string seen;
    CHECK(rows.scan(column::entries, "aa", "", [&](std::string_view key, std::string_view value) {
        seen += std::string{key} + std::string{value} + " ";
        return true;
    }));
    CHECK(seen == "aa22 aa34 ");
    b.clear();
    b.erase_prefix(column::entries, "aa");
    write(rows, b);
    CHECK_FALSE(rows.get(column::entries, "aa2")->has_value());
    CHECK(rows.get(column::entries, "ab1")->value() == "3");
    CHECK(rows.get(column::queues, "aa1")->value() == "other");

    b.clear();
    b.put(column::outbound_qos2, "short", "s"); // no key of ours
    for (const auto of : {1, 2, 255, 256, 300}) {
        for (const auto m : {7, 8, 9}) b.put(column::outbound_qos2, entry_key(session_id{static_cast<std::uint64_t>(of)}, message_id{static_cast<std::uint64_t>(m)}), std::to_string(of) + "." + std::to_string(m));
    }
    b.put(column::outbound_qos2, std::string(9, '\xFF'), "last");
    b.erase(column::outbound_qos2, entry_key(session_id{2}, message_id{7}));
    b.erase_prefix(column::outbound_qos2, session_prefix(session_id{255}));
    write(rows, b);
    std::string owners;
    const auto visit = [&](std::string_view, std::string_view value) {
        owners += std::string{value} + " ";
        return value != "last";
    };
    CHECK(rows.scan_owners(column::outbound_qos2, visit));
    CHECK(owners == "1.7 2.8 256.7 300.7 s last ");
    owners.clear();
    CHECK(rows.scan_owners(column::outbound_qos2, [&](std::string_view, std::string_view value) {
        owners += value;
        return false;
    }));
    CHECK(owners == "1.7");
}

} // namespace

TEST_CASE("memory and RocksDB behave alike") {
    memory_backend memory;
    behaves(memory);
    const scratch s;
    auto rocks = rocks_backend::open(s.dir / "data");
    REQUIRE(rocks);
    behaves(**rocks);
}

TEST_CASE("a second opening of the same directory is refused in words") {
    const scratch s;
    const auto first = rocks_backend::open(s.dir);
    REQUIRE(first);
    const auto second = rocks_backend::open(s.dir);
    REQUIRE_FALSE(second);
    CHECK(second.error().what.find("another brokerd") != std::string::npos);
}

TEST_CASE("recovery sets damaged records aside, and the sweep erases what nobody refers to") {
    memory_backend disk;
    batch b;
    std::string value;
    encode_session({.client_id = "good"}, value);
    b.put(column::sessions, session_key(session_id{1}), value);
    b.put(column::sessions, session_key(session_id{2}), "damaged");
    value.clear();
    encode_message({.topic = "t"}, value);
    b.put(column::messages, message_key(message_id{10}), value);
    b.put(column::messages, message_key(message_id{11}), value);
    value.clear();
    encode_entry({}, nullptr, value);
    b.put(column::entries, entry_key(session_id{1}, message_id{10}), value);
    write(disk, b);
    const auto found = recover(disk);
    REQUIRE(found);
    CHECK(found->sessions.size() == 1);
    CHECK(found->sessions[0].has_entries);
    CHECK(found->quarantined.size() == 1);
    const auto erased = sweep_orphan_messages(disk, message_id{100}, [&](batch&& erasures) { write(disk, erasures); },
                                               [] { return false; });
    CHECK(erased == 1);
    CHECK(disk.rows(column::messages) == 1);
}

TEST_CASE("what is left of sessions that are gone is swept; of those that are there, or came later, nothing") {
    memory_backend disk;
    batch b;
    std::string value;
    encode_session({.client_id = "c"}, value);
    b.put(column::sessions, session_key(session_id{1}), value);
    b.put(column::sessions, session_key(session_id{2}), "damaged");
    value.clear();
    encode_queue({.name = "q"}, value);
    b.put(column::queues, queue_key(session_id{3}), value);
    value.clear();
    encode_entry({}, nullptr, value);
    for (const std::uint64_t owner : {1U, 2U, 3U, 4U, 5U, 100U}) {
        for (const std::uint64_t m : {50U, 51U}) b.put(column::entries, entry_key(session_id{owner}, message_id{m}), value);
    }
    b.put(column::wills, will_key(session_id{4}), "w");
    write(disk, b);
    const auto erase = [&](batch&& erasures) { write(disk, erasures); };
    CHECK(sweep_ownerless_rows(disk, session_id{100}, erase, [] { return true; }) == 0); // the server stops
    CHECK(disk.rows(column::entries) == 12);
    const auto owners = sweep_ownerless_rows(disk, session_id{100}, erase, [] { return false; });
    CHECK(owners == 2); // 4 and 5
    CHECK(disk.rows(column::entries) == 8);
    CHECK(disk.rows(column::wills) == 1); // which the start publishes
}

TEST_CASE("formats 2, 3 and 4: nothing but the number changes") {
    for (const auto* const old : {"2", "3", "4"}) {
        memory_backend disk;
        batch b;
        b.put(column::meta, format_key(), old);
        b.put(column::entries, "row", "1");
        write(disk, b);
        REQUIRE(upgrade(disk));
        CHECK(disk.get(column::meta, format_key())->value() == format_version);
        CHECK(disk.get(column::entries, "row")->value() == "1");
    }
}

TEST_CASE("revocations are read at start; damaged ones are set aside") {
    memory_backend disk;
    batch b;
    b.put(column::meta, revocation_key(revoked::token, "id/1"), encode_revocation(5));
    b.put(column::meta, revocation_key(revoked::user, "anna"), encode_revocation(6));
    b.put(column::meta, revocation_key(revoked::all, ""), encode_revocation(7));
    b.put(column::meta, "revoked/x", encode_revocation(7));
    b.put(column::meta, revocation_key(revoked::user, "bob"), "damaged");
    write(disk, b);
    const auto found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->revocations.size() == 3);
    CHECK(found->revocations[0].what == revoked::all);
    CHECK(found->revocations[0].at_ms == 7);
    CHECK(found->revocations[1].name == "id/1");
    CHECK(found->revocations[2].name == "anna");
    CHECK(found->quarantined.size() == 2);
    CHECK_FALSE(decode_revocation_key("revoked/"));
    CHECK_FALSE(decode_revocation_key("revoked/t"));
    CHECK_FALSE(decode_revocation_key("revoked/ax"));
}

TEST_CASE("bans are read at start; damaged ones are set aside") {
    memory_backend disk;
    batch b;
    const auto value = encode_ban({.until_ms = 5, .why = "a test"});
    b.put(column::meta, ban_key('a', "192.0.2.0/24"), value);
    b.put(column::meta, ban_key('u', "anna"), encode_ban({}));
    b.put(column::meta, ban_key('c', "broken"), value.substr(1));
    b.put(column::meta, "ban/x", value);
    b.put(column::meta, "ban/xy", value);
    write(disk, b);
    const auto found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->bans.size() == 2);
    CHECK(found->bans[0].kind == 'a');
    CHECK(found->bans[0].whom == "192.0.2.0/24");
    CHECK(found->bans[0].record.until_ms == 5);
    CHECK(found->bans[0].record.why == "a test");
    CHECK(found->bans[1].kind == 'u');
    CHECK(found->bans[1].record.until_ms == 0);
    CHECK(found->quarantined.size() == 3);
    CHECK(defect_of(column::meta, ban_key('a', "192.0.2.0/24"), value) == std::nullopt);
    CHECK(defect_of(column::meta, "ban/xy", value).has_value());
}

TEST_CASE("API keys are read at start; damaged ones are set aside") {
    memory_backend disk;
    batch b;
    const api_key_record key{.digest = {1, 2, 3}, .created_ms = 5, .expires_ms = 6, .scopes = {"publish:a/#", "manage"}};
    std::string value;
    encode_api_key(key, value);
    b.put(column::meta, api_key_key("sensor"), value);
    b.put(column::meta, api_key_key("broken"), value.substr(1));
    b.put(column::meta, "apikey/", value);
    write(disk, b);
    const auto found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->api_keys.size() == 1);
    CHECK(found->api_keys[0].name == "sensor");
    CHECK(found->api_keys[0].key.digest == key.digest);
    CHECK(found->api_keys[0].key.created_ms == 5);
    CHECK(found->api_keys[0].key.expires_ms == 6);
    CHECK(found->api_keys[0].key.scopes == key.scopes);
    CHECK(found->quarantined.size() == 2);
    CHECK(defect_of(column::meta, api_key_key("sensor"), value) == std::nullopt);
    CHECK(defect_of(column::meta, "apikey/", value).has_value());
}

TEST_CASE("users are read at start; damaged ones are set aside") {
    memory_backend disk;
    batch b;
    std::string value;
    encode_user({.disabled = true, .set_at_ms = 5, .hash = "$argon2id$"}, value);
    b.put(column::meta, user_key("anna"), value);
    b.put(column::meta, user_key("broken"), value + "x");
    write(disk, b);
    const auto found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->users.size() == 1);
    CHECK(found->users[0].name == "anna");
    CHECK(found->users[0].user.disabled);
    CHECK(found->users[0].user.set_at_ms == 5);
    CHECK(found->users[0].user.hash == "$argon2id$");
    CHECK(found->quarantined.size() == 1);
    CHECK(defect_of(column::meta, user_key("anna"), value) == std::nullopt);
}

TEST_CASE("a long recovery says how far it is") {
    memory_backend disk;
    batch b;
    std::string value;
    encode_session({.client_id = "c"}, value);
    for (std::uint64_t id = 1; id <= 2 * recovery_step + 1; ++id) b.put(column::sessions, session_key(session_id{id}), value);
    write(disk, b);
    std::vector<std::pair<column, std::size_t>> told;
    REQUIRE(recover(disk, [&](column in, std::size_t rows) { told.emplace_back(in, rows); }));
    CHECK(told == std::vector<std::pair<column, std::size_t>>{{column::sessions, recovery_step}, {column::sessions, 2 * recovery_step}});
}

TEST_CASE("format 1: entries of queues move to their own column at the next start, in order, also when it was interrupted") {
    memory_backend disk;
    batch b;
    b.put(column::meta, format_key(), "1");
    std::string value;
    encode_queue({.name = "q"}, value);
    b.put(column::queues, queue_key(session_id{7}), value);
    std::string entry;
    const message_fields body{.topic = "$queue/q", .payload = as_bytes("x"), .level = qos::at_least_once};
    encode_entry({.level = qos::at_least_once}, &body, entry);
    constexpr std::uint64_t many = 2500; // several steps
    for (std::uint64_t m = 1; m <= many; ++m) b.put(column::entries, entry_key(session_id{7}, message_id{m}), entry);
    b.put(column::entries, entry_key(session_id{8}, message_id{1}), entry); // a session's
    b.put(column::queue_entries, queue_entry_key(session_id{7}, 4, message_id{1}), entry); // an upgrade that was interrupted
    write(disk, b);

    REQUIRE(upgrade(disk));
    CHECK(disk.rows(column::entries) == 1);
    CHECK(disk.rows(column::queue_entries) == many);
    CHECK(disk.get(column::meta, format_key())->value() == format_version);
    CHECK(disk.get(column::queue_entries, queue_entry_key(session_id{7}, 4, message_id{many}))->value() == entry);
    REQUIRE(upgrade(disk)); // nothing more to do
    CHECK(disk.rows(column::queue_entries) == many);

    const auto found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->queues.size() == 1);
    CHECK(found->queues[0].queue.name == "q");
    CHECK_FALSE(found->queues[0].declared);
    std::unordered_map<session_id, queue_counts> counts;
    bool begun = false;
    CHECK(count_queues(disk, [&] { begun = true; }, [] { return true; }, counts) == true);
    CHECK(begun);
    CHECK(counts[session_id{7}].messages == many);
    CHECK(counts[session_id{7}].bytes == many * make_message(body)->footprint());
}

TEST_CASE("what follows a queue's record is read with it; damaged, it is set aside and the queue goes on") {
    memory_backend disk;
    batch b;
    std::string value;
    encode_queue({.name = "q"}, value);
    b.put(column::queues, queue_key(session_id{7}), value);
    value.clear();
    encode_queue_state({.messages = 3, .bytes = 99, .marks = {{.priority = 4, .first = message_id{5}, .delivered = message_id{9}}}}, value);
    b.put(column::queues, queue_state_key(session_id{7}), value);
    const queue_settings all{.messages_max = 5,
                             .bytes_max = 6,
                             .ttl = seconds{7},
                             .policy = overflow_policy::drop_oldest,
                             .dead_letter = "",
                             .max_deliveries = 0,
                             .priority = false};
    value.clear();
    encode_queue_settings(all, value);
    b.put(column::queues, queue_settings_key(session_id{7}), value);
    b.put(column::meta, exact_counts_key(), "1");
    write(disk, b);
    auto found = recover(disk);
    REQUIRE(found);
    CHECK(found->counts_are_exact);
    REQUIRE(found->queues.size() == 1);
    CHECK(found->queues[0].declared == all);
    CHECK(found->queues[0].state.messages == 3);
    REQUIRE(found->queues[0].state.marks.size() == 1);
    CHECK(found->queues[0].state.marks[0].delivered == message_id{9});

    disk.corrupt(column::queues, queue_state_key(session_id{7}), "x");
    disk.corrupt(column::queues, queue_settings_key(session_id{7}), value + "x");
    found = recover(disk);
    REQUIRE(found);
    REQUIRE(found->queues.size() == 1);
    CHECK(found->queues[0].state.marks.empty());
    CHECK_FALSE(found->queues[0].declared);
    CHECK(found->quarantined.size() == 2);
}
