// What administrators see of sessions and do to them: looking, dropping a message, ending one.
#include "queue_consumer.hpp"

using namespace broker;
using namespace broker::test;

namespace {

constexpr auto group = "$share/g/t/#";

limits little_memory(std::size_t messages = 3) {
    limits few;
    few.session_memory_messages_max = messages;
    return few;
}

attachment kept(std::uint16_t window = 10) { return {.window = window, .expiry = seconds{100}}; }

session& session_of(test_node& node, std::string_view id) {
    for (std::size_t i = 0; i != node.shards(); ++i) {
        if (auto* const s = node.shard(i).sessions().find(id)) return *s;
    }
    FAIL("no session ", id);
    throw 0;
}

shard_sessions& home_of(test_node& node, std::string_view id) {
    return node.shard(session_of(node, id).handle().owner.load()).sessions();
}

// One page.
std::vector<held_message> page_of(test_node& node, std::string_view id, message_id after = {}, std::size_t most = 1000,
                               bool in_flight_only = false) {
    std::optional<std::vector<held_message>> seen;
    home_of(node, id).look_into(session_of(node, id),
                                {.after = after, .count_max = most, .in_flight_only = in_flight_only, .done = [&](auto found) {
                                     REQUIRE(found);
                                     seen = std::move(found);
                                 }});
    node.settle();
    REQUIRE(seen);
    return *seen;
}

std::string text_of(const held_message& m) {
    constexpr std::array<std::string_view, 3> marks{"", "+", "++"};
    return m.payload + std::string{marks[static_cast<std::size_t>(m.at)]};
}

// Payloads, "+" behind what was sent, "++" behind what was received.
words held(test_node& node, std::string_view id, bool in_flight_only = false) {
    words all;
    for (const auto& m : page_of(node, id, {}, 1000, in_flight_only)) all.push_back(text_of(m));
    return all;
}

message_id id_of(test_node& node, std::string_view id, std::string_view payload) {
    for (const auto& m : page_of(node, id)) {
        if (m.payload == payload) return m.id;
    }
    FAIL("no message ", payload);
    return {};
}

struct fate {
    std::optional<drop_outcome> outcome{};
    ticket at{};
};

std::shared_ptr<fate> begin_to_drop(test_node& node, std::string_view id, message_id which, bool though_sent = false) {
    auto f = std::make_shared<fate>();
    home_of(node, id).drop_message(session_of(node, id), which, though_sent, node.now(), [f](drop_outcome o, ticket at) {
        f->outcome = o;
        f->at = at;
    });
    return f;
}

drop_outcome drop(test_node& node, std::string_view id, message_id which, bool though_sent = false) {
    const auto f = begin_to_drop(node, id, which, though_sent);
    node.settle();
    REQUIRE(f->outcome);
    return *f->outcome;
}

drop_outcome drop(test_node& node, std::string_view id, std::string_view payload, bool though_sent = false) {
    return drop(node, id, id_of(node, id, payload), though_sent);
}

counters sums(test_node& node) {
    counters all;
    for (std::size_t i = 0; i != node.shards(); ++i) all.add(node.shard(i).desk().count());
    return all;
}

std::size_t dropped(test_node& node) {
    return sums(node).messages_dropped[static_cast<std::size_t>(drop_reason::administrator)];
}

void publish_numbers(test_node& node, int from, int to, std::string_view topic = "t") {
    for (int i = from; i <= to; ++i) {
        publish(node, topic, std::to_string(i), qos::at_least_once, static_cast<std::size_t>(i) % node.shards());
    }
}

words numbers(int from, int to) {
    words all;
    for (int i = from; i <= to; ++i) all.push_back(std::to_string(i));
    return all;
}

std::shared_ptr<ticket> expire(test_node& node, std::string_view id) {
    auto gone = std::make_shared<ticket>();
    home_of(node, id).expire(session_of(node, id), node.now(), [gone](ticket at) { *gone = at; });
    node.settle();
    return gone;
}

std::size_t all_rows(test_node& node) {
    std::size_t n = 0;
    for (const auto c : {storage::column::sessions, storage::column::subscriptions, storage::column::entries, storage::column::wills,
                         storage::column::outbound_qos2, storage::column::inbound_qos2}) {
        n += rows(node, c);
    }
    return n;
}

} // namespace

// --- looking ---

TEST_CASE("a session shows what is in its window, its memory and the store, connected, away and after a crash, and keeps it") {
    for (const std::size_t shards : {1U, 3U}) {
        CAPTURE(shards);
        test_node node{shards, little_memory()};
        test_receiver r;
        r.claim(node, "r", 0, kept(2));
        r.subscribe(node, "t");
        publish_numbers(node, 1, 9);
        words expected = numbers(1, 9);
        expected[0] += "+";
        expected[1] += "+";
        CHECK(held(node, "r") == expected);
        CHECK(held(node, "r", true) == words{"1+", "2+"});
        CHECK(r.take() == words{"1", "2"});
        CHECK(session_of(node, "r").waiting() == 7);
        r.leave(node);
        CHECK(held(node, "r") == expected);
        CHECK(held(node, "r", true) == words{"1+", "2+"});
        const auto owed = sums(node).owed_messages;
        CHECK(owed == 9);
        node.crash_and_recover();
        CHECK(held(node, "r") == expected);
        CHECK(held(node, "r", true) == words{"1+", "2+"});
        CHECK(rows(node, storage::column::entries) == 9);
        test_receiver back;
        back.claim(node, "r", 0, kept(20));
        auto got = numbers(1, 9);
        got[0] += "*"; // because it was sent, not because somebody looked
        got[1] += "*";
        CHECK(back.take() == got);
    }
}

TEST_CASE("a look is a page: as many as wanted, from behind the one named, wherever they are") {
    test_node node{2, little_memory()};
    test_receiver r;
    r.claim(node, "r", 0, kept(4));
    r.subscribe(node, "t");
    publish_numbers(node, 1, 1300); // more than one read of the store brings
    for (const bool away : {false, true}) {
        if (away) r.leave(node);
        for (const std::size_t page : {1U, 7U, 600U, 1000U}) {
            CAPTURE(page);
            if (page == 1 && away) continue;
            words all;
            message_id after{};
            std::size_t seen = 0;
            for (std::size_t got = page; got == page && seen < 1300;) {
                const auto rows = page_of(node, "r", after, page);
                got = rows.size();
                seen += got;
                for (const auto& m : rows) all.push_back(m.payload);
                if (!rows.empty()) after = rows.back().id;
                if (page == 1 && seen == 30) break;
            }
            CHECK(all == numbers(1, page == 1 ? 30 : 1300));
        }
    }
    CHECK(page_of(node, "r", message_id{~0ULL}).empty());
    CHECK(page_of(node, "r", message_id{~0ULL - 1}).empty());
    CHECK(page_of(node, "r", {}, 0).empty());
}

TEST_CASE("of a payload the beginning is shown, of text whole characters; size, age and expiry are the message's") {
    test_node node;
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    const auto most = held_message::preview_bytes;
    const std::string text = std::string(most - 1, 'a') + "\xC3\xA9" + std::string(10, 'b');
    const std::string binary(most + 50, '\x80');
    publish(node, "t", text);
    publish(node, "t", binary, qos::exactly_once);
    (void)node.shard().route().publish(make_message({.topic = "t",
                                                     .payload = as_bytes("brief"),
                                                     .level = qos::at_least_once,
                                                     .received_at = node.now(),
                                                     .expires_at = node.now() + seconds{60}}),
                                       node.now());
    node.settle();
    const auto seen = page_of(node, "r");
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].payload == std::string(most - 1, 'a'));
    CHECK(seen[0].bytes == text.size());
    CHECK(seen[1].payload == std::string(most, '\x80'));
    CHECK(seen[1].level == qos::exactly_once);
    CHECK(seen[2].topic == "t");
    CHECK(seen[2].received_at == node.now());
    CHECK(seen[2].expires_at == node.now() + seconds{60});
}

TEST_CASE("QoS 2 in its steps, and what a session lives without a store for, are shown as they are") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, {.window = 2});
    r.subscribe(node, "t");
    for (const auto* const text : {"a", "b", "c"}) publish(node, "t", text, qos::exactly_once);
    CHECK(held(node, "r") == words{"a+", "b+", "c"});
    CHECK(r.mine->received(r.handles[0], node.now()));
    node.settle();
    CHECK(held(node, "r") == words{"a++", "b+", "c"});
    CHECK(page_of(node, "r")[1].handle == r.handles[1]);
    CHECK(page_of(node, "r")[2].handle == 0);
}

TEST_CASE("a session that ends while it is looked into: who looked is told that it is not there") {
    test_node node{1, little_memory()};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish_numbers(node, 1, 9);
    node.commit_automatically(false);
    bool told = false;
    home_of(node, "r").look_into(session_of(node, "r"), {.count_max = 5, .done = [&](const auto& found) { told = !found; }});
    (void)expire(node, "r");
    CHECK_FALSE(told);
    node.commit();
    CHECK(told);
}

// --- dropping ---

TEST_CASE("a message is dropped wherever it waits, is gone for good, and is counted") {
    enum class where : std::uint8_t { connected, away, crashed };
    for (const std::size_t shards : {1U, 2U}) {
        for (const auto now : {where::connected, where::away, where::crashed}) {
            CAPTURE(shards);
            CAPTURE(static_cast<int>(now));
            test_node node{shards, little_memory()};
            test_receiver r;
            r.claim(node, "r", 0, kept(1));
            r.subscribe(node, "t");
            publish_numbers(node, 1, 9); // 1 is sent, 2 to 4 are in memory, the rest is stored
            if (now != where::connected) r.leave(node);
            if (now == where::crashed) node.crash_and_recover();
            std::size_t left = 9;
            for (const auto* const text : {"3", "6", "9"}) {
                CHECK(drop(node, "r", text) == drop_outcome::dropped);
                CHECK(rows(node, storage::column::entries) == --left);
                if (now != where::crashed) CHECK(session_of(node, "r").waiting() == left - 1);
                if (now != where::crashed) CHECK(sums(node).owed_messages == left);
            }
            CHECK(dropped(node) == 3);
            CHECK(held(node, "r") == words{"1+", "2", "4", "5", "7", "8"});
            node.crash_and_recover();
            test_receiver back;
            back.claim(node, "r", 0, kept(20));
            CHECK(back.take().size() == 6);
            for (const auto h : back.handles) CHECK(back.settle(node, h));
            CHECK(rows(node, storage::column::entries) == 0);
            CHECK(rows(node, storage::column::outbound_qos2) == 0);
            CHECK(sums(node).owed_messages == 0);
            CHECK(sums(node).owed_bytes == 0);
        }
    }
}

TEST_CASE("a session whose last message was dropped owes nothing, and gets what comes next") {
    test_node node{1, little_memory()};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish_numbers(node, 1, 2);
    CHECK(drop(node, "r", "1") == drop_outcome::dropped);
    CHECK(drop(node, "r", "2") == drop_outcome::dropped);
    CHECK(session_of(node, "r").waiting() == 0);
    CHECK(session_of(node, "r").inspect().waiting_bytes == 0);
    CHECK(sums(node).owed_messages == 0);
    publish_numbers(node, 3, 3);
    test_receiver back;
    back.claim(node, "r");
    CHECK(back.take() == words{"3"});
}

TEST_CASE("after a restart, dropping does not hide what has not been read yet") {
    test_node node{1, little_memory()};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish_numbers(node, 1, 5);
    node.crash_and_recover();
    CHECK(drop(node, "r", "2") == drop_outcome::dropped);
    CHECK(drop(node, "r", "4") == drop_outcome::dropped);
    test_receiver back;
    back.claim(node, "r");
    CHECK(back.take() == words{"1", "3", "5"});
}

TEST_CASE("a dropped message is on disk as dropped with the ticket, not before") {
    for (const bool stored : {false, true}) {
        CAPTURE(stored);
        test_node node{1, little_memory()};
        test_receiver r;
        r.claim(node, "r", 0, kept(1));
        r.subscribe(node, "t");
        publish_numbers(node, 1, 6);
        const auto which = id_of(node, "r", stored ? "6" : "3");
        node.commit_automatically(false);
        const auto f = begin_to_drop(node, "r", which);
        node.settle();
        if (stored) {
            CHECK_FALSE(f->outcome); // it is being read
            REQUIRE(node.write(1));
            node.settle();
        }
        REQUIRE(f->outcome == drop_outcome::dropped);
        CHECK(f->at > node.shard().desk().durable_upto());
        CHECK(rows(node, storage::column::entries) == 6);
        node.commit();
        CHECK(f->at <= node.shard().desk().durable_upto());
        CHECK(rows(node, storage::column::entries) == 5);
    }
}

TEST_CASE("what is in flight is not dropped; what was sent at QoS 1 to a client that has left is, on demand") {
    for (const bool crash : {false, true}) {
        CAPTURE(crash);
        test_node node;
        test_receiver r;
        r.claim(node, "r", 0, kept(2));
        r.subscribe(node, "t");
        publish(node, "t", "once", qos::exactly_once);
        publish(node, "t", "again", qos::at_least_once);
        for (const auto* const text : {"once", "again"}) {
            const auto expected = text == std::string_view{"once"} ? drop_outcome::sent_for_good : drop_outcome::in_flight;
            CHECK(drop(node, "r", text) == expected);
            CHECK(drop(node, "r", text, true) == expected);
        }
        r.leave(node);
        if (crash) node.crash_and_recover();
        CHECK(drop(node, "r", "once") == drop_outcome::sent_for_good);
        CHECK(drop(node, "r", "once", true) == drop_outcome::sent_for_good);
        CHECK(drop(node, "r", "again") == drop_outcome::sent_earlier);
        CHECK(held(node, "r") == words{"once+", "again+"});
        CHECK(rows(node, storage::column::entries) == 2);
        CHECK(dropped(node) == 0);
        CHECK(drop(node, "r", "again", true) == drop_outcome::dropped);
        CHECK(rows(node, storage::column::entries) == 1);
        CHECK(rows(node, storage::column::outbound_qos2) == 1);
        CHECK(dropped(node) == 1);
        test_receiver back;
        back.claim(node, "r");
        CHECK(back.take() == words{"once*"});
        CHECK(back.mine->received(back.handles[0], node.now()));
        node.settle();
        CHECK(drop(node, "r", "once", true) == drop_outcome::sent_for_good);
    }
}

TEST_CASE("a QoS 2 delivery whose handle is not on disk yet can still be dropped, and makes room") {
    test_node node;
    test_receiver r;
    r.claim(node, "r", 0, kept(1));
    r.subscribe(node, "t");
    node.commit_automatically(false);
    publish(node, "t", "committing", qos::exactly_once);
    publish(node, "t", "next", qos::at_least_once);
    CHECK(r.take().empty());
    CHECK(drop(node, "r", "committing") == drop_outcome::dropped);
    CHECK(r.take() == words{"next"});
    node.commit();
    CHECK(r.take().empty());
    CHECK(rows(node, storage::column::entries) == 1);
    CHECK(rows(node, storage::column::outbound_qos2) == 0);
}

TEST_CASE("a queue's messages are the queue's: a consumer's session shows them and does not drop them") {
    test_node node;
    consumer c{node, "c", 1};
    CHECK(offer(node, "q", "job") == refusal::none);
    CHECK(held(node, "c") == words{"job+"});
    CHECK(drop(node, "c", "job") == drop_outcome::of_queue);
    CHECK(slot_of(node, "q").messages == 1);
}

TEST_CASE("an unknown message is unknown, whether the store has to be asked or not") {
    test_node node{2, little_memory()};
    test_receiver r;
    r.claim(node, "r", 0, kept(1));
    r.subscribe(node, "t");
    CHECK(drop(node, "r", message_id{77}) == drop_outcome::unknown);
    publish_numbers(node, 1, 9);
    for (const auto id : {message_id{1}, message_id{~0ULL}}) CHECK(drop(node, "r", id) == drop_outcome::unknown);
    const auto gone = id_of(node, "r", "7");
    CHECK(drop(node, "r", gone) == drop_outcome::dropped);
    CHECK(drop(node, "r", gone) == drop_outcome::unknown);
    CHECK(dropped(node) == 1);
    CHECK(session_of(node, "r").waiting() == 7);
}

TEST_CASE("a row that cannot be read is not dropped, and not shown") {
    test_node node{1, little_memory()};
    test_receiver r;
    r.claim(node, "r");
    r.subscribe(node, "t");
    r.leave(node);
    publish_numbers(node, 1, 3);
    const auto first = id_of(node, "r", "1");
    damage(node, storage::column::entries, 1);
    CHECK(held(node, "r") == words{"2", "3"});
    CHECK(drop(node, "r", first) == drop_outcome::unreadable);
    CHECK(rows(node, storage::column::entries) == 3);
}

TEST_CASE("while the store is asked for a message to be dropped, the session may read it, send it, and hear its acknowledgement") {
    enum class meanwhile : std::uint8_t { asked_for, read, sent, acknowledged };
    for (const auto what : {meanwhile::asked_for, meanwhile::read, meanwhile::sent, meanwhile::acknowledged}) {
        CAPTURE(static_cast<int>(what));
        test_node node{1, little_memory()};
        test_receiver r;
        r.claim(node, "r", 0, kept(1));
        r.subscribe(node, "t");
        publish_numbers(node, 1, 6); // 5 and 6 are stored
        const auto which = id_of(node, "r", "6");
        node.commit_automatically(false);
        std::shared_ptr<fate> f;
        if (what == meanwhile::asked_for) f = begin_to_drop(node, "r", which);
        std::size_t answered = 0;
        const auto answer = [&] { CHECK(r.settle(node, r.handles.at(answered++))); };
        while (answered != 4) answer();
        if (!f) f = begin_to_drop(node, "r", which);
        node.settle();
        if (what != meanwhile::asked_for) {
            while (r.got.size() != 5) REQUIRE((node.write(1, 1), node.settle(), !f->outcome));
        }
        if (what == meanwhile::sent || what == meanwhile::acknowledged) answer();
        if (what == meanwhile::acknowledged) answer();
        CHECK_FALSE(f->outcome);
        node.commit();
        node.commit_automatically(true);
        node.settle();
        REQUIRE(f->outcome);
        CHECK(*f->outcome == (what == meanwhile::sent           ? drop_outcome::in_flight
                              : what == meanwhile::acknowledged ? drop_outcome::unknown
                                                                : drop_outcome::dropped));
        while (answered != r.handles.size()) answer();
        const bool went = *f->outcome == drop_outcome::dropped;
        CHECK(r.take() == numbers(1, went ? 5 : 6));
        CHECK(dropped(node) == (went ? 1 : 0));
        CHECK(rows(node, storage::column::entries) == 0);
        CHECK(sums(node).owed_messages == 0);
        CHECK(node.shard().desk().watched().empty());
    }
}

TEST_CASE("while the store is asked for a message to be dropped, another may drop it, or the session may go and come back") {
    for (const bool comes_back : {false, true}) {
        CAPTURE(comes_back);
        test_node node{1, little_memory()};
        test_receiver r;
        r.claim(node, "r", 0, kept(1));
        r.subscribe(node, "t");
        publish_numbers(node, 1, 6);
        const auto which = id_of(node, "r", "6");
        node.commit_automatically(false);
        const auto f = begin_to_drop(node, "r", which);
        const auto other = begin_to_drop(node, "r", which);
        node.settle();
        test_receiver back;
        if (comes_back) {
            r.leave(node);
            back.claim(node, "r", 0, kept(1));
        }
        node.commit();
        REQUIRE(f->outcome);
        CHECK(*f->outcome == (comes_back ? drop_outcome::not_here : drop_outcome::dropped)); // it is asked again
        CHECK(*other->outcome == (comes_back ? drop_outcome::not_here : drop_outcome::unknown));
        CHECK(dropped(node) == (comes_back ? 0 : 1));
    }
}

TEST_CASE("a message that is stored and not announced yet is dropped once: its announcement finds it gone") {
    for (const bool away : {false, true}) {
        CAPTURE(away);
        test_node node{2, little_memory()};
        test_receiver r;
        r.claim(node, "r", 0, kept(1));
        r.subscribe(node, "t");
        publish_numbers(node, 1, 6);
        if (away) r.leave(node);
        const auto at = node.shard(1).route().publish(
            make_message({.topic = "t", .payload = as_bytes("late"), .level = qos::at_least_once}), node.now());
        CHECK(at.matched);
        CHECK(node.turn(1)); // it is in the store's stream, and its mail on the way
        const message_id which{node.shard(1).desk().next_id() - 1};
        const auto f = begin_to_drop(node, "r", which);
        node.settle();
        REQUIRE(f->outcome);
        CHECK(*f->outcome == drop_outcome::dropped);
        CHECK(rows(node, storage::column::entries) == 6);
        test_receiver back;
        back.claim(node, "r", 0, kept(20));
        CHECK(back.take().size() == 6);
    }
}

// --- ending ---

TEST_CASE("an expired session is gone: who is connected is told, and nothing is left in memory, on disk or in the trie") {
    for (const std::size_t shards : {1U, 3U}) {
        for (const bool away : {false, true}) {
            CAPTURE(shards);
            CAPTURE(away);
            test_node node{shards, little_memory()};
            test_receiver r;
            r.claim(node, "r", 0, kept(2));
            r.subscribe(node, "t");
            publish_numbers(node, 1, 9);
            publish(node, "t", "twice", qos::exactly_once);
            r.mine->remember(packet_id{7});
            node.settle();
            if (away) r.leave(node);
            const auto gone = expire(node, "r");
            CHECK(r.evicted == (away ? "" : "kicked"));
            CHECK(*gone != ticket{});
            CHECK(*gone <= node.shard().desk().durable_upto());
            CHECK(all_rows(node) == 0);
            CHECK(sums(node).owed_messages == 0);
            CHECK(sums(node).owed_bytes == 0);
            CHECK(sums(node).sessions_expired == 1);
            CHECK(sums(node).sessions_online == 0);
            CHECK(node.shard().shared().sessions.size() == 0);
            CHECK_FALSE(node.shard().route().publish(make_message({.topic = "t"}), node.now()).matched);
            node.crash_and_recover();
            test_receiver back;
            back.claim(node, "r");
            CHECK_FALSE(back.present);
            CHECK(back.take().empty());
        }
    }
}

TEST_CASE("the end is told when it is on disk, what was under way to the session included") {
    test_node node{2, little_memory()};
    test_receiver r;
    r.claim(node, "r", 0);
    r.subscribe(node, "t");
    r.leave(node);
    node.commit_automatically(false);
    // Routed on the other shard, not yet announced here.
    (void)node.shard(1).route().publish(make_message({.topic = "t", .payload = as_bytes("late"), .level = qos::at_least_once}), node.now());
    ticket gone;
    home_of(node, "r").expire(session_of(node, "r"), node.now(), [&](ticket at) { gone = at; });
    node.settle();
    REQUIRE(gone != ticket{});
    CHECK(gone > node.shard(0).desk().durable_upto());
    CHECK(all_rows(node) != 0);
    while (gone > node.shard(0).desk().durable_upto()) {
        REQUIRE(node.write(1, 1));
        node.settle();
    }
    CHECK(all_rows(node) == 0);
}

TEST_CASE("[MQTT-3.1.2-8] the will of an expired session is published, at once, delayed or not") {
    for (const bool away : {false, true}) {
        CAPTURE(away);
        test_node node;
        test_receiver w;
        w.claim(node, "w");
        w.subscribe(node, "gone/#");
        test_receiver r;
        auto with = kept();
        with.last_will = will{.message = make_message({.topic = "gone/r", .payload = as_bytes("bye"), .level = qos::at_least_once}),
                              .delay = seconds{50}};
        r.claim(node, "r", 0, with);
        if (away) r.leave(node);
        CHECK(w.take().empty());
        (void)expire(node, "r");
        CHECK(w.take() == words{"bye"});
        node.advance(seconds{200});
        CHECK(w.take().empty());
        CHECK(rows(node, storage::column::wills) == 0);
    }
}

TEST_CASE("a session that is not kept ends as well, and its queue's messages go to another consumer") {
    test_node node;
    consumer c{node, "c", 1};
    CHECK(offer(node, "q", "job") == refusal::none);
    CHECK(c.take() == words{"job"});
    consumer other{node, "other", 1};
    CHECK(*expire(node, "c") <= node.shard().desk().durable_upto());
    CHECK(c.receiver().evicted == "kicked");
    CHECK(other.take() == words{"job*"});
    CHECK(all_rows(node) == 0);
}

TEST_CASE("what an expired member held goes to the others; the end is told when all of that is on disk") {
    for (const bool away : {false, true}) {
        for (const std::size_t shards : {1U, 2U}) {
            CAPTURE(away);
            CAPTURE(shards);
            test_node node{shards, little_memory()};
            test_receiver goes;
            goes.claim(node, "goes", 0, kept(2));
            goes.subscribe(node, group, 0);
            goes.subscribe(node, "own", 0);
            publish_numbers(node, 1, 1200, "t");
            publish_numbers(node, 1, 5, "own");
            if (away) goes.leave(node);
            test_receiver stays;
            stays.claim(node, "stays", shards - 1, kept(2000));
            stays.subscribe(node, group, shards - 1);
            CHECK(stays.take().empty());
            node.commit_automatically(false);
            const auto gone = expire(node, "goes");
            CHECK(*gone == ticket{}); // the store has to be read
            for (int i = 0; *gone == ticket{} || *gone > node.shard(0).desk().durable_upto(); ++i) {
                REQUIRE(i < 1000);
                (void)node.write(1, 1);
                node.settle();
            }
            CHECK(rows(node, storage::column::entries) == 1200); // the others'
            CHECK(rows(node, storage::column::sessions) == 1);
            node.crash_and_recover(); // at this very moment
            node.commit_automatically(true);
            node.settle();
            test_receiver again;
            again.claim(node, "stays", shards - 1, kept(2000));
            auto got = again.take();
            for (auto& text : got) std::erase(text, '*');
            std::ranges::sort(got);
            auto sent = numbers(1, 1200);
            std::ranges::sort(sent);
            CHECK(got == sent);
            test_receiver back;
            back.claim(node, "goes");
            CHECK_FALSE(back.present);
        }
    }
}
