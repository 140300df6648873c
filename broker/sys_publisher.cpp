#include "sys_publisher.hpp"

#include "version.hpp"

#include <fstream>

#include <unistd.h>

namespace broker {

namespace {

// Resident memory. Asking malloc itself walks its free lists, which takes long in a large process.
std::size_t memory_in_use() {
    std::ifstream statm{"/proc/self/statm"};
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

admin::sys_reading reading_of(shard& on) {
    admin::sys_reading r{.sums = on.core().desk().count(), .sessions = on.core().sessions().size()};
    on.core().queues().for_each([&](const queue& q) {
        r.queued_messages += q.messages();
        r.queued_bytes += q.bytes();
    });
    return r;
}

} // namespace

sys_publisher::sys_publisher(std::vector<shard*> shards, const process_clock& clock, seconds interval)
    : shards_{std::move(shards)}, clock_{clock}, interval_{interval}, started_at_{clock.now()}, timer_{home().io()},
      tree_{version} {
    say(tree_.version());
    for (auto* const s : shards_) add(reading_of(*s));
    announce();
    arm();
}

void sys_publisher::arm() {
    const auto now = clock_.now();
    timer_.expires_after(interval_ - now.time_since_epoch() % interval_);
    timer_.async_wait([this](boost::system::error_code ec) {
        if (ec) return;
        begin_round();
        arm();
    });
}

void sys_publisher::begin_round() {
    if (missing_ != 0) return;
    sum_ = {};
    missing_ = shards_.size();
    for (auto* const s : shards_) {
        s->inbox().post(errand{[this, s] {
            home().inbox().post(errand{[this, r = reading_of(*s)] {
                add(r);
                if (--missing_ == 0) announce();
            }});
        }});
    }
}

void sys_publisher::add(const admin::sys_reading& of_one_shard) {
    sum_.sums.add(of_one_shard.sums);
    sum_.sessions += of_one_shard.sessions;
    sum_.queued_messages += of_one_shard.queued_messages;
    sum_.queued_bytes += of_one_shard.queued_bytes;
}

void sys_publisher::announce() {
    const auto& shared = home().core().shared();
    sum_.now = clock_.now();
    sum_.started_at = started_at_;
    sum_.subscriptions = shared.trie.subscriptions();
    sum_.shared_subscriptions = shared.trie.shared_subscriptions();
    sum_.retained_messages = shared.kept.count();
    sum_.retained_bytes = shared.kept.bytes();
    sum_.heap_bytes = memory_in_use();
    for (const auto& v : tree_.update(sum_)) say(v);
}

void sys_publisher::say(const admin::sys_value& v) {
    const auto now = home().now();
    home().core().route().announce(
        make_message({.topic = v.topic, .payload = as_bytes(v.text), .retain = true, .received_at = now}), now);
}

} // namespace broker
