#include "support/test_node.hpp"

#include "core/assert.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker::test {

// --- clients ---

test_client::test_client(test_node& node, std::size_t shard, maker make)
    : node_{node}, shard_{shard}, out_{blocks_, node.bounds().outbox_bytes_max} {
    auto& core = node.shard(shard);
    engine_ = make({.route = core.route(),
                    .sessions = core.sessions(),
                    .out = out_,
                    .bounds = node.bounds(),
                    .new_client_id = [&node] { return "auto-" + std::to_string(++node.client_ids_); }},
                   node.now());
    node.clients_.push_back(this);
}

void test_client::receive(std::string_view bytes) {
    BROKER_ASSERT(engine_ != nullptr);
    engine_->on_bytes(as_bytes(bytes), node_.now());
    node_.settle();
}

std::string test_client::sent() {
    std::string all;
    std::array<byte_view, 16> views;
    while (!out_.empty()) {
        const auto n = out_.gather(views);
        std::size_t size = 0;
        for (std::size_t i = 0; i != n; ++i) {
            all += as_text(views[i]);
            size += views[i].size();
        }
        const bool was_over = out_.over_limit();
        out_.consume(size);
        if (was_over && engine_) engine_->on_writable(node_.now());
    }
    return all;
}

void test_client::disconnect() {
    std::erase(node_.clients_, this);
    if (!engine_) return;
    engine_->on_disconnected(node_.now());
    engine_.reset();
    node_.settle();
}

// --- the node ---

test_node::test_node(std::size_t shards, const limits& bounds)
    : bounds_{bounds}, count_{shards}, disk_{std::make_unique<storage::memory_backend>()} {
    start(1);
}

test_node::~test_node() {
    while (!clients_.empty()) clients_.back()->disconnect();
}

void test_node::start(std::uint64_t next_id) {
    // As the server does: ids of this life begin behind the last lease, and the new lease is on disk first.
    storage::batch lease;
    lease.put(storage::column::meta, storage::id_lease_key(), storage::encode_id_lease(next_id + id_source::lease_step));
    const auto* const group = &lease;
    BROKER_ASSERT(disk_->write({&group, 1}, true).has_value());
    inboxes_.clear();
    inboxes_.resize(count_);
    std::vector<storage::committer::callback> callbacks;
    for (std::size_t i = 0; i != count_; ++i) {
        callbacks.emplace_back([this, i](storage::completion&& c) { inboxes_[i].emplace_back(std::move(c)); });
    }
    store_ = std::make_unique<storage::committer>(*disk_, storage::durability::sync, std::move(callbacks));
    commons_ = std::make_unique<commons>(bounds_, *store_, next_id, count_, storage::durability::sync);
    for (std::size_t i = 0; i != count_; ++i) {
        shards_.push_back(std::make_unique<shard_core>(shard_index{static_cast<std::uint16_t>(i)}, *commons_));
    }
}

void test_node::crash_and_recover() {
    // Engines let go of the dying process; what that writes is never committed.
    for (auto* const c : std::exchange(clients_, {})) {
        c->out_.clear();
        c->engine_->on_disconnected(now_);
        c->engine_.reset();
    }
    shards_.clear();
    commons_.reset();
    store_.reset();
    const auto found = storage::recover(*disk_);
    BROKER_ASSERT(found.has_value());
    start(found->next_id);
    commons_->restore(*found);
    for (auto& s : shards_) s->restore(*found, now_);
    settle();
}

void test_node::advance(nanoseconds by) {
    const auto until = now_ + by;
    while (now_ < until) {
        auto next = until;
        for (const auto& s : shards_) next = std::min(next, s->next_deadline());
        for (const auto* c : clients_) {
            if (!c->closed()) next = std::min(next, c->engine_->next_deadline());
        }
        now_ = std::max(next, now_ + milliseconds{1}); // a deadline that stays due must not stop the clock
        now_ = std::min(now_, until);
        for (auto& s : shards_) {
            if (s->next_deadline() <= now_) s->on_deadline(now_);
        }
        const auto clients = clients_;
        for (auto* const c : clients) {
            if (!c->closed() && c->engine_->next_deadline() <= now_) c->engine_->on_deadline(now_);
        }
        settle();
    }
}

void test_node::commit() {
    while (store_->run_once()) {}
    settle();
}

bool test_node::turn(std::size_t i) {
    auto& core = *shards_[i];
    auto mail_now = std::exchange(inboxes_[i], {});
    bool moved = !mail_now.empty();
    for (auto& m : mail_now) {
        if (core.receive(std::move(m), now_)) {
            const auto clients = clients_;
            for (auto* const c : clients) {
                if (c->engine_ && c->shard_ == i) c->engine_->on_durable(core.desk().durable_upto(), now_);
            }
        }
    }
    const auto before = core.desk().open_ticket();
    core.end_turn(now_, [&](std::size_t to, std::vector<mail>& batch) {
        moved = true;
        for (auto& m : batch) inboxes_[to].push_back(std::move(m));
        batch.clear();
    });
    return moved || core.desk().open_ticket() != before;
}

void test_node::settle() {
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t i = 0; i != shards_.size(); ++i) moved |= turn(i);
        const auto clients = clients_;
        for (auto* const c : clients) {
            if (!c->closed() && !c->out_.over_limit()) c->engine_->on_writable(now_);
        }
        if (automatic_) moved |= store_->run_once();
    }
}

} // namespace broker::test
