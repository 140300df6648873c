// Shared groups: who gets a message, and what becomes of it when that member goes (MQTT 5 §4.8.2).
#include "support/test_receiver.hpp"

#include <set>

using namespace broker;
using namespace broker::test;

namespace {

constexpr auto group = "$share/g/t/#";

attachment kept(std::uint16_t window = 10) { return {.window = window, .expiry = seconds{100}}; }
attachment transient(std::uint16_t window = 10) { return {.window = window}; }

void join(test_receiver& r, test_node& node, std::string_view id, std::size_t shard = 0, const attachment& with = kept()) {
    r.claim(node, id, shard, with);
    r.subscribe(node, group, shard);
}

words sorted(words all) {
    std::ranges::sort(all);
    return all;
}

words both(test_receiver& a, test_receiver& b) {
    auto all = a.take();
    for (auto& w : b.take()) all.push_back(std::move(w));
    return sorted(std::move(all));
}

} // namespace

TEST_CASE("members take turns; plain subscriptions and other groups get their own") {
    test_node node;
    test_receiver a;
    test_receiver b;
    test_receiver other;
    test_receiver plain;
    join(a, node, "a");
    join(b, node, "b");
    other.claim(node, "other");
    other.subscribe(node, "$share/h/t/#");
    plain.claim(node, "plain");
    plain.subscribe(node, "t/#");
    for (const auto* const m : {"1", "2", "3", "4"}) publish(node, "t/x", m);
    CHECK(a.take().size() == 2);
    CHECK(b.take().size() == 2);
    CHECK(other.take() == words{"1", "2", "3", "4"});
    CHECK(plain.take() == words{"1", "2", "3", "4"});
}

TEST_CASE("a member without room is passed over: its window is full, or its socket") {
    for (const bool window : {true, false}) {
        for (const std::size_t shard : {0U, 1U}) {
            CAPTURE(window);
            test_node node{2};
            test_receiver slow;
            test_receiver quick;
            join(slow, node, "slow", shard, kept(1));
            join(quick, node, "quick");
            if (!window) {
                slow.room = false;
                slow.mine->pump(node.now());
            }
            for (int i = 0; i != 9; ++i) publish(node, "t/x", std::to_string(i));
            CHECK(slow.take().size() == (window ? 1 : 0));
            CHECK(quick.take().size() == (window ? 8 : 9));
            // With room again it takes its turn.
            slow.room = true;
            if (window) CHECK(slow.settle(node, slow.handles[0]));
            slow.mine->pump(node.now());
            for (const auto h : std::exchange(quick.handles, {})) CHECK(quick.settle(node, h));
            for (int i = 0; i != 2; ++i) publish(node, "t/x", std::to_string(i));
            CHECK(slow.take().size() == 1);
        }
    }
}

TEST_CASE("an offline member is chosen only when nobody is online") {
    test_node node;
    test_receiver away;
    test_receiver here;
    join(away, node, "away");
    away.leave(node);
    join(here, node, "here");
    for (const auto* const m : {"1", "2"}) publish(node, "t", m);
    CHECK(here.take() == words{"1", "2"});
    for (const auto h : here.handles) CHECK(here.settle(node, h));
    here.leave(node);
    for (const auto* const m : {"3", "4", "5", "6"}) publish(node, "t", m);
    test_receiver away_again;
    test_receiver here_again;
    away_again.claim(node, "away");
    here_again.claim(node, "here");
    CHECK(both(away_again, here_again) == words{"3", "4", "5", "6"});
}

TEST_CASE("what a member that goes has not acknowledged, and what it was not sent, goes to the others; once, on disk too") {
    for (const bool ends : {false, true}) {
        for (const std::size_t shard : {0U, 1U}) {
            CAPTURE(ends);
            CAPTURE(shard);
            test_node node{2};
            test_receiver goes;
            join(goes, node, "goes", 0, ends ? transient(2) : kept(2));
            words sent;
            for (int i = 0; i != 6; ++i) sent.push_back(std::to_string(i));
            for (const auto& m : sent) publish(node, "t", m, qos::at_least_once, shard);
            CHECK(goes.take() == words{"0", "1"});
            test_receiver stays;
            join(stays, node, "stays", shard);
            CHECK(goes.settle(node, goes.handles[0]));
            CHECK(goes.take() == words{"2"});
            goes.leave(node);
            CHECK(stays.take() == words{"1", "2", "3", "4", "5"}); // no DUP: it is new to this member [MQTT-3.3.1-3]
            CHECK(rows(node, storage::column::entries) == 5);
            node.crash_and_recover();
            test_receiver again;
            again.claim(node, "stays");
            CHECK(again.take().size() == 5);
            test_receiver back;
            back.claim(node, "goes");
            CHECK(back.take().empty());
        }
    }
}

TEST_CASE("what is spilled goes to the others too, and what belongs to a plain subscription stays") {
    limits bounds;
    bounds.session_memory_messages_max = 4;
    for (const std::size_t shards : {1U, 3U}) {
        CAPTURE(shards);
        test_node node{shards, bounds};
        test_receiver goes;
        join(goes, node, "goes", 0, kept(2));
        goes.subscribe(node, "t/plain");
        words shared;
        words plain;
        for (int i = 0; i != 700; ++i) {
            publish(node, "t", "s" + std::to_string(i), qos::at_least_once, static_cast<std::size_t>(i) % shards);
            shared.push_back("s" + std::to_string(i));
            if (i % 10 != 0) continue;
            publish(node, "t/plain", "p" + std::to_string(i), qos::at_least_once, static_cast<std::size_t>(i) % shards);
            shared.push_back("p" + std::to_string(i)); // the group gets its own
            plain.push_back("p" + std::to_string(i));
        }
        test_receiver stays;
        join(stays, node, "stays", shards - 1, kept(2000));
        goes.leave(node);
        CHECK(sorted(stays.take()) == sorted(shared));
        test_receiver back;
        back.claim(node, "goes", 0, kept(2000));
        CHECK(back.take().size() == plain.size());
        CHECK(rows(node, storage::column::entries) == plain.size() + shared.size());
    }
}

TEST_CASE("a session that ends leaves nothing of its groups behind, over a crash in the middle too") {
    limits bounds;
    bounds.session_memory_messages_max = 4;
    for (const bool crash : {false, true}) {
        CAPTURE(crash);
        test_node node{2, bounds};
        test_receiver goes;
        join(goes, node, "goes", 0, kept(2));
        words sent;
        for (int i = 0; i != 50; ++i) {
            sent.push_back(std::to_string(i));
            publish(node, "t", sent.back(), qos::at_least_once, static_cast<std::size_t>(i) % 2);
        }
        goes.leave(node);
        test_receiver stays;
        join(stays, node, "stays", 1, kept(100));
        CHECK(stays.take().empty()); // it was chosen when nobody else was there, and keeps them while it lives
        test_receiver ends;
        node.commit_automatically(!crash);
        if (crash) { // its claim is answered when the end of the session before it is on disk: never
            auto with = kept();
            with.who = &ends;
            CHECK(node.shard(0).sessions().claim("goes", true, with, node.now()).now == nullptr);
            node.settle();
            CHECK(node.write(1)); // the end of the session is on disk, what comes of it is not
            node.crash_and_recover();
            node.commit_automatically(true);
            node.advance(seconds{1});
            test_receiver again;
            again.claim(node, "stays", 1, kept(100));
            for (const auto i : {0U, 1U}) sent[i] += '*'; // passed on before the crash: it may have had them
            CHECK(sorted(again.take()) == sorted(sent));
        } else {
            ends.claim(node, "goes", 0, kept(), true);
            CHECK(sorted(stays.take()) == sorted(sent));
        }
        CHECK(rows(node, storage::column::entries) == sent.size());
    }
}

TEST_CASE("[MQTT-4.8.2-4, -5] a QoS 2 delivery that has begun is finished with its member or with nobody") {
    for (const bool ends : {false, true}) {
        for (const bool crash : {false, true}) {
            CAPTURE(ends);
            CAPTURE(crash);
            test_node node;
            test_receiver goes;
            join(goes, node, "goes", 0, kept(1));
            publish(node, "t", "begun", qos::exactly_once);
            publish(node, "t", "waits", qos::exactly_once);
            CHECK(goes.take() == words{"begun"});
            if (crash) {
                node.crash_and_recover();
            }
            test_receiver stays;
            join(stays, node, "stays");
            if (crash) {
                test_receiver again;
                again.claim(node, "goes", 0, kept(1));
                CHECK(again.take() == words{"begun*"});
                again.leave(node);
            } else {
                goes.leave(node);
            }
            CHECK(stays.take() == words{"waits"});
            CHECK(rows(node, storage::column::outbound_qos2) == 2);
            if (ends) {
                node.advance(seconds{101});
                CHECK(stays.take().empty());
                CHECK(rows(node, storage::column::sessions) == 1);
                CHECK(rows(node, storage::column::entries) == 1);
                CHECK(rows(node, storage::column::outbound_qos2) == 1);
            } else {
                test_receiver back;
                back.claim(node, "goes");
                CHECK(back.take() == words{"begun*"});
            }
        }
    }
}

TEST_CASE("a QoS 2 delivery whose handle is not on disk yet has not begun") {
    test_node node;
    test_receiver goes;
    test_receiver stays;
    join(goes, node, "goes");
    node.commit_automatically(false);
    publish(node, "t", "m", qos::exactly_once);
    CHECK(goes.take().empty());
    join(stays, node, "stays");
    goes.leave(node);
    node.commit_automatically(true);
    node.commit();
    CHECK(stays.take() == words{"m"});
    test_receiver back;
    back.claim(node, "goes");
    CHECK(back.take().empty());
    CHECK(rows(node, storage::column::entries) == 1);
    CHECK(rows(node, storage::column::outbound_qos2) == 1);
}

TEST_CASE("a message that does not arrive because its member went goes to a member that is there") {
    for (const bool ends : {false, true}) {
        CAPTURE(ends);
        test_node node{2};
        test_receiver goes;
        test_receiver stays;
        join(goes, node, "goes", 0, ends ? transient() : kept());
        join(stays, node, "stays", 1);
        stays.room = false;
        stays.mine->pump(node.now());
        (void)node.shard(1).route().publish(
            make_message({.topic = "t", .payload = as_bytes("m"), .level = qos::at_least_once, .received_at = node.now()}),
            node.now());
        (void)node.turn(1); // its mail to shard 0 is under way
        node.shard(0).sessions().detach(*std::exchange(goes.mine, nullptr), true, node.now());
        node.settle();
        CHECK(goes.take().empty());
        stays.room = true;
        stays.mine->pump(node.now());
        CHECK(stays.take() == words{"m"});
        CHECK(rows(node, storage::column::entries) == 1);
    }
}

TEST_CASE("[MQTT-4.8.2-6] an error discards the message; mqtt.shared_error = redeliver gives it to another member") {
    test_node node;
    test_receiver first;
    test_receiver second;
    join(first, node, "1");
    publish(node, "t", "bad");
    join(second, node, "2");
    CHECK(first.settle(node, first.handles[0], settlement::reject));
    CHECK(second.take().empty());
    CHECK(rows(node, storage::column::entries) == 0);

    second.room = false;
    second.mine->pump(node.now());
    publish(node, "t", "good");
    second.room = true;
    second.mine->pump(node.now());
    CHECK(first.settle(node, first.handles[1], settlement::pass_on));
    CHECK(second.take() == words{"good"});
    CHECK(rows(node, storage::column::entries) == 1);
    // NACKs go around, but not for ever.
    int deliveries = 2;
    auto* holder = &second;
    while (!holder->handles.empty() && deliveries < 100) {
        CHECK(holder->settle(node, std::exchange(holder->handles, {}).back(), settlement::requeue));
        holder = holder == &second ? &first : &second;
        if (!holder->handles.empty() && holder == &first) holder->handles = {holder->handles.back()};
        ++deliveries;
    }
    CHECK(rows(node, storage::column::entries) == 0);
    CHECK(deliveries < 25);
}

TEST_CASE("a client that is in two groups and has a plain subscription gets each one's message, and each goes its own way") {
    test_node node;
    test_receiver all;
    all.claim(node, "all", 0, kept());
    for (const auto* const f : {"t/#", "t/+", "$share/g/t/#", "$share/h/t/x"}) all.subscribe(node, f);
    publish(node, "t/x", "m");
    CHECK(all.take() == words{"m", "m", "m"});
    CHECK(rows(node, storage::column::entries) == 3);
    test_receiver other;
    join(other, node, "other");
    all.leave(node);
    CHECK(other.take() == words{"m"});
    CHECK(rows(node, storage::column::entries) == 3);
    test_receiver back;
    back.claim(node, "all");
    CHECK(back.take() == words{"m*", "m*"});
}

TEST_CASE("a session that is taken over, or moves, keeps what it has; what its group got is right in the end") {
    for (const std::size_t to : {0U, 1U}) {
        CAPTURE(to);
        test_node node{2};
        test_receiver moves;
        test_receiver other;
        join(moves, node, "moves");
        for (const auto* const m : {"1", "2"}) publish(node, "t", m);
        CHECK(moves.take() == words{"1", "2"});
        join(other, node, "other", 1);
        test_receiver now;
        now.claim(node, "moves", to);
        CHECK(now.take() == words{"1*", "2*"});
        CHECK(other.take().empty());
        for (const auto* const m : {"3", "4"}) publish(node, "t", m);
        CHECK(both(now, other) == words{"3", "4"});
    }
}

TEST_CASE("a server that stops does not heap everything on its last member") {
    test_node node;
    test_receiver a;
    test_receiver b;
    join(a, node, "a");
    join(b, node, "b");
    for (const auto* const m : {"1", "2"}) publish(node, "t", m);
    node.shard().sessions().drain();
    a.leave(node);
    CHECK(b.take().size() == 1);
    b.leave(node);
    test_receiver again;
    again.claim(node, "a");
    CHECK(again.take().size() == 1);
}

TEST_CASE("members come and go on three shards while messages flow: nothing is lost, QoS 2 is never doubled") {
    for (unsigned seed = 1; seed <= 150; ++seed) {
        CAPTURE(seed);
        std::uint32_t state = seed * 2654435761U;
        const auto dice = [&state](std::uint32_t sides) {
            state = state * 1664525U + 1013904223U;
            return (state >> 8) % sides;
        };
        limits bounds;
        bounds.session_memory_messages_max = 3;
        test_node node{3, bounds};
        struct member {
            std::unique_ptr<test_receiver> here{};
            std::size_t shard = 0;
            bool durable = true;
        };
        std::vector<member> members(4);
        members[3].durable = false;
        const auto id = [](std::size_t i) { return "m" + std::to_string(i); };
        const auto come = [&](std::size_t i) {
            auto& m = members[i];
            if (m.here) return;
            m.shard = dice(3);
            m.here = std::make_unique<test_receiver>();
            m.here->claim(node, id(i), m.shard, m.durable ? kept(3) : transient(3));
            m.here->subscribe(node, group, m.shard);
        };
        std::multiset<std::string> once; // deliveries that began, by payload; repeats on a new connection are marked
        std::multiset<std::string> got;
        const auto look = [&](std::size_t i) {
            if (!members[i].here) return;
            for (const auto& text : members[i].here->take()) {
                got.insert(text.substr(0, text.find('*')));
                if (!text.ends_with('*')) once.insert(text);
            }
        };
        const auto go = [&](std::size_t i) {
            if (!members[i].here) return;
            look(i);
            members[i].here->leave(node, members[i].shard);
            members[i].here.reset();
        };
        const auto answer = [&](std::size_t i, bool all) {
            if (!members[i].here) return;
            look(i);
            auto handles = std::exchange(members[i].here->handles, {});
            for (const auto h : handles) {
                if (!all && dice(3) == 0) {
                    if (members[i].here->mine->outstanding_level(h)) members[i].here->handles.push_back(h);
                    continue;
                }
                (void)members[i].here->settle(node, h);
            }
            look(i);
        };
        come(0); // durable and subscribed: the group never dies
        std::vector<std::string> sent;
        for (int step = 0; step != 150; ++step) {
            const auto i = dice(4);
            switch (dice(8)) {
            case 0: come(i); break;
            case 1: go(i); break;
            case 2: answer(i, false); break;
            case 3:
                // A message is as safe as the session of the member that has it.
                if (dice(6) == 0 && !members[3].here) {
                    for (std::size_t k = 0; k != 4; ++k) look(k);
                    for (auto& m : members) m.here.reset();
                    node.crash_and_recover();
                }
                break;
            default: {
                const auto level = dice(2) == 0 ? qos::at_least_once : qos::exactly_once;
                sent.push_back((level == qos::at_least_once ? "a" : "e") + std::to_string(sent.size()));
                publish(node, "t", sent.back(), level, dice(3));
            }
            }
        }
        for (int round = 0; round != 200; ++round) {
            for (std::size_t k = 0; k != 3; ++k) {
                come(k);
                answer(k, true);
            }
            go(3);
        }
        for (const auto& text : sent) {
            CHECK_MESSAGE(got.contains(text), "lost: ", text);
            CHECK_MESSAGE((text[0] == 'a' || once.count(text) <= 1), "delivered to two members: ", text);
        }
        CHECK(rows(node, storage::column::entries) == 0);
        CHECK(rows(node, storage::column::outbound_qos2) == 0);
    }
}

TEST_CASE("what an ended member leaves behind unreadable rows still goes to the others") {
    test_node node;
    test_receiver a;
    test_receiver b;
    join(a, node, "a");
    a.leave(node);
    const auto unreadable = backlog::load_messages_max;
    for (std::size_t i = 0; i != unreadable + 2; ++i) publish(node, "t/x", std::to_string(i));
    damage(node, storage::column::entries, unreadable);
    join(b, node, "b", 0, {.window = 10, .expiry = seconds{1000}});
    node.advance(seconds{200}); // a's session ends
    CHECK(b.take() == words{std::to_string(unreadable), std::to_string(unreadable + 1)});
    CHECK(rows(node, storage::column::entries) == 2);
}

TEST_CASE("a member that ends while the store reads for it: what it had goes to the others once") {
    limits bounds;
    bounds.session_memory_messages_max = 4;
    test_node node{1, bounds};
    test_receiver goes;
    join(goes, node, "goes", 0, kept(2));
    goes.leave(node);
    words sent;
    for (int i = 0; i != 1100; ++i) {
        sent.push_back(std::to_string(i));
        publish(node, "t", sent.back());
    }
    test_receiver stays;
    join(stays, node, "stays", 0, kept(2000));
    node.commit_automatically(false);
    test_receiver back;
    back.claim(node, "goes", 0, kept(2)); // asks for what waits
    (void)node.shard().sessions().end(*back.mine, node.now());
    node.settle();
    node.commit();
    node.commit_automatically(true);
    node.settle();
    CHECK(sorted(stays.take()) == sorted(sent));
    CHECK(rows(node, storage::column::entries) == sent.size());
}

TEST_CASE("after a restart, what a member passes on as it leaves does not hide what is its own") {
    test_node node;
    test_receiver goes;
    join(goes, node, "goes", 0, kept(2));
    goes.subscribe(node, "own");
    goes.leave(node);
    for (int i = 0; i != 1100; ++i) publish(node, "t", std::to_string(i));
    for (const auto* const text : {"own 1", "own 2"}) publish(node, "own", text);
    node.crash_and_recover();
    test_receiver stays;
    join(stays, node, "stays", 0, kept(2000));
    test_receiver back;
    back.claim(node, "goes", 0, kept(2));
    back.leave(node);
    CHECK(stays.take().size() == 1100);
    test_receiver again;
    again.claim(node, "goes");
    CHECK(again.take() == words{"own 1", "own 2"});
}
