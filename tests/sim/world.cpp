#include "sim/world.hpp"

#include "sim/mqtt_model.hpp"
#include "sim/stomp_model.hpp"
#include "sim/stomp_wire.hpp"

#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/engine.hpp"
#include "storage/recovery.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::sim {

using storage::column;
using storage::durability;

namespace {

// Small bounds: what takes thousands of messages in the server takes a few here.
limits small_bounds(dice& roll) {
    limits b;
    b.session_memory_messages_max = roll.chance(50) ? roll.between(1, 4) : 1000;
    b.session_memory_bytes_max = roll.chance(30) ? 2048 : 1024 * 1024;
    b.outbox_bytes_max = roll.chance(30) ? roll.between(200, 4000) : 4 * 1024 * 1024;
    b.mqtt_max_inflight = static_cast<std::uint16_t>(roll.chance(50) ? roll.between(1, 5) : 256);
    b.max_deliveries = roll.chance(70) ? no_bound : static_cast<std::uint32_t>(roll.between(2, 4));
    if (roll.chance(40)) {
        b.queue_messages_max = roll.between(2, 12);
        b.queue_policy = static_cast<overflow_policy>(roll.below(3));
    }
    if (roll.chance(10)) b.queue_ttl = seconds{roll.between(3, 20)};
    if (roll.chance(15)) {
        b.session_queue_messages_max = roll.between(2, 8);
        if (roll.chance(50)) b.session_queue_policy = "drop-new";
    }
    if (roll.chance(50)) b.mqtt_shared_error = "redeliver";
    if (roll.chance(30)) b.store_pending_bytes_max = roll.between(1600, 16000); // a turn takes a sixteenth
    return b;
}

} // namespace

outcome simulate(const plan& p) {
    world w{p};
    w.run();
    return w.result();
}

world::world(const plan& p) : plan_{p}, roll_{p.seed}, check_{time_point{}} {
    auto made = std::make_unique<disk>();
    disk_ = made.get();
    if (p.ignore_syncs) disk_->ignore_syncs();
    level_ = roll_.chance(80) ? durability::sync : durability::async;
    const auto shards = roll_.between(1, 4);
    const auto bounds = small_bounds(roll_);
    node_ = std::make_unique<test::test_node>(shards, bounds, std::move(made), level_, p.faults);
    check_ = checker{now(), bounds};
    populate();
}

world::~world() = default;

outcome world::result() const { return {.problems = check_.problems(), .trace = trace_, .happened = check_.happened}; }

std::unique_ptr<test::test_client> world::open(test::test_client::maker make) {
    return std::make_unique<test::test_client>(*node_, roll_.below(node_->shards()), make);
}

void world::note(std::string_view who, std::string_view what, std::string_view bytes) {
    for (const auto text : {who, bytes}) {
        for (const char c : text) trace_ = (trace_ ^ static_cast<unsigned char>(c)) * 0x100'0000'01B3; // FNV-1a
    }
    ++activity_;
    if (!plan_.print) return;
    std::string shown;
    for (const char c : bytes.substr(0, 1000)) shown += c == '\n' ? '|' : c >= ' ' && c <= '~' ? c : '.';
    fmt::print("{:>9} {} {}  {}\n", who, what, bytes.size(), shown);
}

void world::say(std::string_view who, std::string_view what) const {
    if (plan_.print) fmt::print("{:>9} {}\n", who, what);
}

// --- who there is ---

void world::populate() {
    using life = mqtt_model::life;
    const auto mqtt = [this](mqtt_model::wishes w) { actors_.push_back(std::make_unique<mqtt_model>(*this, std::move(w))); };
    const auto stomp = [this](stomp_model::wishes w) { actors_.push_back(std::make_unique<stomp_model>(*this, std::move(w))); };
    const std::vector<std::vector<std::string>> tastes{
        {"t/#"}, {"t/0", "t/+"}, {"t/1"}, {"$share/g/s/#"}, {"$share/g/s/#", "t/0"}, {"$queue/0"}, {"r/+", "t/1"}, {}};
    // Sees every will, from the first to the last.
    mqtt({.client_id = "watch", .lives = life::forever, .filters = {"w/#"}, .publishes = false, .keeps = true});
    static_cast<mqtt_model&>(*actors_.front()).begin();
    const auto clients = roll_.between(2, 5);
    for (std::size_t i = 0; i != clients; ++i) {
        const bool v5 = roll_.chance(60);
        mqtt({.client_id = fmt::format("m{}", i),
              .v5 = v5,
              .lives = roll_.chance(60) ? life::forever : v5 && roll_.chance(50) ? life::limited : life::connection,
              .filters = tastes[roll_.below(tastes.size())],
              .wills = roll_.chance(60)});
    }
    if (roll_.chance(30)) mqtt({.client_id = "share", .v5 = true, .filters = {"$share/g/s/#"}, .publishes = false});
    const std::vector<stomp_model::wanted> wants{{"/queue/0", "client-individual"},
                                                 {"/queue/0", "client"},
                                                 {"/queue/1", "client-individual"},
                                                 {"/queue/1", "client"},
                                                 {"/queue/taken", "auto"},
                                                 {"/topic/t/+", "client", true},
                                                 {"/topic/t/0", "client-individual", true},
                                                 {"/topic/t/1", "auto", true},
                                                 {"/topic/s/#", "client-individual", true, "g"},
                                                 {"/topic/s/#", "client", true, "g"}};
    const auto workers = roll_.below(4);
    for (std::size_t i = 0; i != workers; ++i) {
        stomp_model::wishes w{.client_id = fmt::format("s{}", i), .version = roll_.chance(60) ? "1.2" : "1.1"};
        for (auto n = roll_.below(3); n != 0; --n) w.subscriptions.push_back(wants[roll_.below(wants.size())]);
        stomp(std::move(w));
    }
}

// --- steps ---

void world::run() {
    const auto steps = roll_.between(plan_.steps_max / 7, plan_.steps_max);
    for (std::size_t i = 0; i != steps && check_.problems().empty(); ++i) step();
    if (check_.problems().empty()) finish();
}

void world::step() {
    const auto what = roll_.below(100);
    if (what < 30) {
        actors_[roll_.below(actors_.size())]->act();
    } else if (what < 48) {
        actors_[roll_.below(actors_.size())]->read();
    } else if (what < 66) {
        const auto shard = roll_.below(node_->shards());
        for (auto n = roll_.between(1, 4); n != 0 && node_->mail_for(shard) != 0; --n) {
            node_->deliver_one(shard, roll_.below(node_->mail_for(shard)));
        }
    } else if (what < 82) {
        end_turn(roll_.below(node_->shards()));
    } else if (what < 90) {
        write_some();
    } else if (what < 93) {
        pass_time();
    } else if (what < 96) {
        for (auto rounds = roll_.between(1, 5); rounds != 0; --rounds) (void)move_everything();
    } else if (what < 97) {
        settle();
        if (roll_.chance(25)) look_into_queues();
        if (roll_.chance(15)) remove_from_queue();
    } else if (what < 98) {
        if (roll_.chance(25)) fail_disk();
    } else if (what < 99) {
        if (roll_.chance(60)) crash();
    } else if (roll_.chance(70)) {
        probe_retained();
    } else {
        sweep();
    }
}

void world::end_turn(std::size_t shard) {
    node_->end_turn(shard);
    for (const auto& a : actors_) a->notice_end();
    for (const auto& a : actors_) a->harvest(false);
}

// A turn is short: everybody's ends before time passes, and what was written in it is read. Deadlines are seen when turns end,
// so everybody has another one afterwards.
void world::pass_time() {
    for (std::size_t i = 0; i != node_->shards(); ++i) end_turn(i);
    for (const auto& a : actors_) a->harvest(true);
    const auto by = roll_.chance(70) ? milliseconds{roll_.below(500)} : milliseconds{roll_.between(500, 12'000)};
    node_->advance(by);
    check_.clock(now());
    say("clock", fmt::format("+{} ms", by.count()));
    for (std::size_t i = 0; i != node_->shards(); ++i) end_turn(i);
}

void world::fail_disk() {
    const auto writes = roll_.between(1, 6);
    say("disk", fmt::format("fails {} times", writes));
    disk_->fail_writes(writes);
    count(event::disk_failed);
    check_.disk_fails(true);
}

void world::crash() {
    // A group was being written: it is there, or not, and nobody heard of it.
    if (roll_.chance(50)) write_some();
    const bool power = level_ == durability::sync && roll_.chance(50);
    if (node_->submitted() != 0) count(event::died_between_batches);
    count(power ? event::lost_power : event::killed);
    if (disk_->in_doubt()) count(event::died_with_failed_group);
    if (power) {
        if (disk_->lost_power(roll_) != 0) count(event::died_unsynced);
    } else {
        disk_->killed(roll_);
    }
    tell_counters();
    say("server", power ? "loses power" : "is killed");
    for (const auto& a : actors_) a->server_died();
    check_.crashed();
    const auto found = storage::recover(node_->rows());
    sweep_before_ = found ? found->next_id : 0;
    node_->crash_and_recover();
}

// Some of what the store has taken may wait for the group after.
void world::write_some() {
    const auto batches = roll_.between(1, 8);
    (void)node_->write(batches, roll_.between(1, 8));
}

// What the process that goes now has counted itself.
void world::tell_counters() {
    counters sum;
    for (std::size_t i = 0; i != node_->shards(); ++i) sum.add(node_->shard(i).desk().count());
    count(event::session_expired, sum.sessions_expired);
    count(event::shared_passed_on, sum.shared_passed_on);
    const auto dropped = [&](drop_reason why) { return sum.messages_dropped[static_cast<std::size_t>(why)]; };
    count(event::message_expired, dropped(drop_reason::expired));
    if (node_->bounds().session_queue_messages_max < limits{}.session_queue_messages_max) {
        count(event::entry_dropped, dropped(drop_reason::queue_full));
        lost_.from_sessions += dropped(drop_reason::queue_full);
    }
    const auto from_queues = dropped_by_queues();
    count(event::job_dropped, from_queues);
    lost_.from_queues += from_queues;
    count(event::backlog_read_back, disk_->take_backlog_reads());
}

// By the queues of this process. What only its own lifetime ended is no loss.
std::size_t world::dropped_by_queues() const {
    std::size_t n = 0;
    const bool ages = node_->bounds().queue_ttl.count() != 0;
    node_->shared().queues.for_each([&](const queue_slot& q, const queue_table::declaration&) {
        n += q.dropped.load() - (ages ? 0 : q.expired.load());
    });
    return n;
}

// What the server does beside its work after a start: some time.
void world::sweep() {
    const auto before = std::exchange(sweep_before_, 0);
    sweep(session_id{before}, message_id{before});
}

void world::sweep(session_id owners_before, message_id messages_before) {
    const auto erase = [this](storage::batch&& erasures) {
        const auto* const group = &erasures;
        (void)disk_->write({&group, 1}, false);
    };
    const auto to_the_end = [] { return false; };
    (void)storage::sweep_ownerless_rows(node_->rows(), owners_before, erase, to_the_end);
    (void)storage::sweep_orphan_messages(node_->rows(), messages_before, erase, to_the_end);
}

bool world::move_server() {
    const auto before = activity_;
    for (std::size_t i = 0; i != node_->shards(); ++i) {
        while (node_->mail_for(i) != 0) {
            node_->deliver_one(i, roll_.below(node_->mail_for(i)));
            ++activity_;
        }
        end_turn(i);
    }
    while (node_->submitted() != 0 && node_->write(roll_.between(1, 8))) ++activity_;
    while (node_->write(1)) ++activity_;
    return activity_ != before;
}

bool world::move_everything() {
    const auto before = activity_;
    (void)move_server();
    for (const auto& a : actors_) a->read();
    return activity_ != before;
}

void world::settle() {
    for (int quiet = 0, rounds = 0; quiet != 3; ++rounds) {
        const bool moved = move_everything();
        quiet = moved || (!disk_->fails() && !node_->all_written()) ? 0 : quiet + 1;
        if (rounds == 5000) return check_.problem("it never comes to rest");
    }
    if (disk_->fails()) return; // what waits for it waits on
    check_.disk_fails(false);
    last_quiet_ = now();
    for (const auto& a : actors_) {
        if (const auto what = a->waits_for(); !what.empty()) check_.problem("nothing moves any more, and " + what + " has not come");
    }
}

// --- checks ---

// A new subscriber sees what is retained. It reads nothing else, and is gone again.
std::optional<std::map<std::string, number>> world::retained(const std::string& filter) {
    if (node_->bounds().outbox_bytes_max < 100'000) return {}; // at QoS 0 it may miss some of what it should see
    auto probe = open(mqtt::make_engine);
    using namespace mqtt_wire;
    probe->receive(packet(0x10, text("MQTT") + "\x04\x02" + u16(0) + text("probe")));
    if (probe->closed() || probe->get().paused()) return {}; // an earlier probe's session is on its way
    probe->receive(packet(0x82, u16(1) + text(filter) + std::string(1, '\0')));
    auto bytes = probe->sent();
    std::map<std::string, number> seen;
    for (const auto& p : take_packets(bytes)) {
        if (p.type != 3) continue;
        const auto m = parse_publish(p, false);
        if (m.retain) seen[m.topic] = std::stoul(m.payload);
    }
    return seen;
}

void world::probe_retained() {
    if (const auto seen = retained("r/#")) check_.retained_seen(*seen);
}

// Every queue from the outside, while nothing else moves: a browser sees what it holds, in its order.
void world::look_into_queues() {
    if (disk_->fails() || !check_.problems().empty()) return;
    auto looker = open(stomp::make_engine);
    looker->receive(stomp_wire::frame("CONNECT", "accept-version:1.2\nhost:x\n"));
    std::vector<queue_slot*> all;
    node_->shared().queues.for_each([&](queue_slot& q, const queue_table::declaration&) { all.push_back(&q); });
    std::string bytes;
    for (auto* const q : all) {
        looker->receive(stomp_wire::frame("SUBSCRIBE", fmt::format("id:1\ndestination:/queue/{}\nbrowser:true\n", q->name)));
        std::vector<checker::given_out> rows;
        bool ended = false;
        for (int rounds = 0; !ended && rounds != 100; ++rounds) {
            (void)move_server();
            bytes += looker->sent();
            for (const auto& f : stomp_wire::take_frames(bytes)) {
                if (f.command != "MESSAGE") continue;
                ended |= f.get("browser") == "end";
                if (!f.body.empty()) rows.push_back(stomp_wire::job_of(f, "$queue/" + q->name));
            }
        }
        if (!ended) return check_.problem("looking into a queue does not end: " + q->name);
        const auto unacknowledged = node_->shard(q->owner).queues().use(*q).unacknowledged();
        check_.browsed("$queue/" + q->name, rows, static_cast<std::size_t>(q->messages.load()), unacknowledged);
    }
    auto upto_now = lost_;
    upto_now.from_queues += dropped_by_queues();
    check_.browsed_all(upto_now);
}

// By hand: what is ready goes, to another queue or for good.
void world::remove_from_queue() {
    if (disk_->fails() || !check_.problems().empty()) return;
    auto& table = node_->shared().queues;
    const auto from = roll_.below(2);
    auto* const q = table.find(std::to_string(from));
    if (q == nullptr) return;
    const bool moves = roll_.chance(50);
    if (moves) check_.moved_by_hand();
    const auto done = std::make_shared<std::optional<queue_removal::outcome>>();
    auto& its_shard = node_->shard(q->owner);
    auto& there = its_shard.queues().use(*q);
    there.remove({.messages_max = roll_.chance(50) ? roll_.between(1, 4) : 1000,
                  .to = moves ? std::to_string(1 - from) : "",
                  .done = [done](const queue_removal::outcome& o) { *done = o; }},
                 now());
    for (int rounds = 0; rounds != 100 && (move_server() || !*done); ++rounds) {}
    if (!*done) return check_.problem("removing from a queue does not end");
    const auto& o = **done;
    say("by hand", fmt::format("{} messages of queue {} {}", o.removed, from, moves ? "moved" : "purged"));
    count(moves ? event::moved_by_hand : event::purged, o.removed);
    if (!moves) lost_.from_queues += o.removed;
    if (o.durable_at > its_shard.desk().durable_upto()) check_.problem("a removal never reaches the disk");
    if (!o.more && !o.refused && there.messages() != there.unacknowledged()) {
        check_.problem(fmt::format("queue {} holds {} messages after all were removed that were ready, {} of them with consumers",
                                   from, there.messages(), there.unacknowledged()));
    }
}

void world::finish() {
    // The disk works, everybody comes back and answers everything; twice, since what was not answered comes again.
    disk_->fail_writes(0);
    settle();
    stomp_model::wishes all{.client_id = "drain", .version = "1.2", .sends = false, .transacts = false};
    for (const auto* const q : {"0", "1", "taken", "dlq.0", "dlq.1", "dlq.taken"}) {
        all.subscriptions.push_back({std::string{"/queue/"} + q, "client-individual"});
    }
    actors_.push_back(std::make_unique<stomp_model>(*this, std::move(all)));
    for (int i = 0; i != 3; ++i) {
        for (const auto& a : actors_) a->come_back();
        settle();
        node_->advance(seconds{11}); // wills that wait
        check_.clock(now());
        settle();
    }
    probe_retained();
    if (const auto wills = retained("w/#")) check_.retained_wills(*wills);
    look_into_queues();
    tell_counters();
    check_.at_the_end(lost_);
    if (!check_.problems().empty()) return;
    for (int rounds = 0; rounds != 20; ++rounds) {
        for (const auto& a : actors_) a->retire();
        settle();
    }
    check_leaks();
}

// Nothing of anybody is left.
void world::check_leaks() {
    // Messages several receivers had before a crash: whoever answered last since then did not know it was the last.
    sweep(session_id{sweep_before_}, message_id{~0ULL});
    for (const auto c : {column::sessions, column::subscriptions, column::messages, column::entries, column::inbound_qos2,
                         column::outbound_qos2, column::wills, column::queue_entries}) {
        if (disk_->rows(c) == 0) continue;
        check_.problem(fmt::format("{} rows of {} are left", disk_->rows(c), storage::name(c)));
        (void)disk_->scan(c, "", "", [this](std::string_view key, std::string_view value) {
            note("left", "", key);
            note("left", "", value);
            return true;
        });
    }
    auto& shared = node_->shared();
    if (shared.sessions.size() != 0) check_.problem(fmt::format("{} session slots are left", shared.sessions.size()));
    if (shared.trie.subscriptions() + shared.trie.shared_subscriptions() + shared.trie.nodes() != 0) {
        check_.problem("the trie is not empty");
    }
    for (std::size_t i = 0; i != node_->shards(); ++i) {
        auto& core = node_->shard(i);
        if (core.sessions().size() != 0) check_.problem(fmt::format("{} sessions are left", core.sessions().size()));
        if (!core.desk().waiters().empty()) check_.problem("somebody waits for a ticket");
        core.queues().for_each([this](const queue& q) {
            const auto counted = q.handle().messages.load();
            if (counted != 0 || q.handle().bytes != 0 || q.unacknowledged() + q.consumers() != 0) {
                check_.problem(fmt::format("queue {}: {} messages, {} bytes, {} unacknowledged, {} consumers are left",
                                           q.handle().name, counted, q.handle().bytes.load(), q.unacknowledged(), q.consumers()));
            }
        });
    }
    if (!node_->all_written()) check_.problem("something was not written");
}

} // namespace broker::sim
