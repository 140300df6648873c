#include "support/test_node.hpp"

#include "core/assert.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>
#include <limits>

namespace broker::test {

// --- clients ---

test_client::test_client(test_node& node, std::size_t shard, maker make)
    : node_{node}, shard_{shard}, out_{blocks_, node.bounds().outbox_bytes_max} {
    auto& core = node.shard(shard);
    out_.tell(this);
    engine_ = make({.route = core.route(),
                    .sessions = core.sessions(),
                    .out = out_,
                    .bounds = node.bounds(),
                    .wire = core.wire(),
                    .new_ids = *this,
                    .dotted = node.dotted_,
                    .authenticate = node.authenticate,
                    .admit = node.admit},
                   node.now());
    node.clients_.push_back(this);
}

std::string test_client::new_client_id() { return "auto-" + std::to_string(++node_.client_ids_); }

void test_client::receive(std::string_view bytes) {
    BROKER_ASSERT(engine_ != nullptr);
    engine_->on_bytes(as_bytes(bytes), node_.now());
    // Too much for one turn: in as many as it takes.
    while (engine_ && node_.shard(shard_).desk().full()) {
        node_.end_turn(shard_);
        if (engine_) engine_->go_on(node_.now());
    }
    if (!node_.stepwise_) return node_.settle();
    watch_ticket();
    if (engine_ && engine_->closing()) out_.touch();
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
        out_.consume(size);
        if (!engine_) continue;
        if (node_.stepwise_) {
            dirty_ = true; // the socket became writable: the turn's end goes on
        } else {
            engine_->on_writable(node_.now());
        }
    }
    return all;
}

void test_client::disconnect() {
    std::erase(node_.clients_, this);
    if (!engine_) return;
    engine_->on_disconnected(node_.now());
    engine_.reset();
    if (!node_.stepwise_) node_.settle();
}

void test_client::watch_ticket() {
    waiting_for_ticket_ = engine_ && engine_->awaiting() > node_.shard(shard_).desk().durable_upto();
}

void test_client::on_durable() {
    if (!std::exchange(waiting_for_ticket_, false) || !engine_) return;
    engine_->on_durable(node_.shard(shard_).desk().durable_upto(), node_.now());
    watch_ticket();
}

void test_client::end_of_turn() {
    dirty_ = false;
    out_.end_turn();
    if (!engine_) return;
    if (engine_->closing()) {
        engine_->on_disconnected(node_.now());
        engine_.reset();
        return;
    }
    if (!out_.over_limit()) engine_->on_writable(node_.now());
    engine_->go_on(node_.now());
    watch_ticket();
}

// --- the store ---

ticket test_node::gate::submit(shard_index from, storage::batch&& operations, std::vector<storage::load_request>&& loads) {
    auto& number = submitted_[from.value()];
    number = ticket{number.value() + 1};
    waiting_.push_back({.from = from, .operations = std::move(operations), .loads = std::move(loads)});
    told_(from.value(), number);
    return number;
}

void test_node::gate::pass(std::size_t count) {
    for (; count != 0 && !waiting_.empty(); --count) {
        auto& s = waiting_.front();
        (void)behind_.submit(s.from, std::move(s.operations), std::move(s.loads));
        waiting_.pop_front();
    }
}

bool test_node::write(std::size_t batches, std::size_t in_group) {
    gate_->pass(batches);
    return store_->run_once(in_group);
}

void test_node::commit() {
    gate_->pass(std::numeric_limits<std::size_t>::max());
    while (store_->run_once()) {}
    if (!stepwise_) settle();
}

// --- the node ---

test_node::test_node(std::size_t shards, const limits& bounds)
    : bounds_{bounds}, count_{shards}, disk_{std::make_unique<storage::memory_backend>()} {
    start(1);
}

test_node::test_node(std::size_t shards, const limits& bounds, std::unique_ptr<storage::backend> disk,
                     storage::durability level, test_faults faults)
    : bounds_{bounds}, count_{shards}, stepwise_{true}, level_{level}, faults_{faults}, disk_{std::move(disk)} {
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
    durable_news_.assign(count_, false);
    std::vector<storage::committer::callback> callbacks;
    for (std::size_t i = 0; i != count_; ++i) {
        callbacks.emplace_back([this, i](storage::completion&& c) { post(count_, i, std::move(c)); });
    }
    store_ = std::make_unique<storage::committer>(*disk_, level_, std::move(callbacks));
    gate_ = std::make_unique<gate>(*store_, count_, [this](std::size_t from, ticket number) {
        if (faults_.acknowledge_before_write) post(count_, from, storage::completion{.upto = number});
    });
    commons_ = std::make_unique<commons>(bounds_, *gate_, next_id, count_, level_, temporary_names{{}});
    for (std::size_t i = 0; i != count_; ++i) {
        shards_.push_back(std::make_unique<shard_core>(shard_index{static_cast<std::uint16_t>(i)}, *commons_));
    }
}

void test_node::count_queues() {
    std::unordered_map<session_id, storage::queue_counts> counts;
    BROKER_ASSERT(storage::count_queues(*disk_, [] {}, [] { return true; }, counts));
    for (const auto& [id, c] : counts) {
        commons_->queues.add_counts(id, static_cast<std::int64_t>(c.messages), static_cast<std::int64_t>(c.bytes));
    }
}

void test_node::crash_and_recover() {
    for (auto* const c : std::exchange(clients_, {})) {
        c->out_.clear();
        c->engine_.reset();
    }
    shards_.clear();
    commons_.reset();
    gate_.reset();
    store_.reset();
    const auto found = storage::recover(*disk_);
    BROKER_ASSERT(found.has_value());
    start(found->next_id);
    commons_->restore(*found);
    count_queues(); // the server does it beside serving
    for (auto& s : shards_) s->restore(*found, now_);
    if (!stepwise_) settle();
}

void test_node::advance(nanoseconds by) {
    const auto until = now_ + by;
    if (stepwise_) {
        now_ = until;
        return;
    }
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

// --- mail ---

void test_node::post(std::size_t from, std::size_t to, mail m) {
    if (faults_.answer_markers_at_once && std::holds_alternative<marker>(m)) {
        inboxes_[from].push_front({.from = to, .content = marker_answer{.token = std::get<marker>(m).token}});
        return;
    }
    inboxes_[to].push_back({.from = from, .content = std::move(m)});
}

void test_node::post_all(std::size_t from, std::size_t to, std::vector<mail>& batch) {
    for (auto& m : batch) post(from, to, std::move(m));
    batch.clear();
}

void test_node::receive(std::size_t i, mail m) {
    const auto* const request = std::get_if<session_request>(&m);
    const slot* const wanted = request == nullptr ? nullptr : request->which;
    const bool here = wanted != nullptr && wanted->owner.load() == i;
    if (shards_[i]->receive(std::move(m), now_)) durable_news_[i] = true;
    if (here && wanted->owner.load() != i) drop_marker(i); // it moves: its markers are the last that was sent
}

void test_node::drop_marker(std::size_t from) {
    if (!faults_.skip_marker_of_move && !faults_.lose_marker_of_move) return;
    const auto to = (from + 1) % count_;
    auto& sent = shards_[from]->desk().outgoing(to);
    const auto token = std::get<marker>(sent.back()).token;
    sent.pop_back();
    if (faults_.skip_marker_of_move) inboxes_[from].push_front({.from = to, .content = marker_answer{.token = token}});
}

void test_node::deliver_one(std::size_t i, std::size_t position) {
    auto& inbox = inboxes_[i];
    const auto first = std::ranges::find(inbox, inbox[position].from, &letter::from);
    auto m = std::move(first->content);
    inbox.erase(first);
    receive(i, std::move(m));
}

void test_node::end_turn(std::size_t i) {
    auto& core = *shards_[i];
    if (core.next_deadline() <= now_) core.on_deadline(now_);
    const auto send = [&](std::size_t to, std::vector<mail>& batch) { post_all(i, to, batch); };
    core.end_turn(now_, send);
    const auto mine = [&] {
        auto all = clients_;
        std::erase_if(all, [&](const test_client* c) { return c->shard_ != i; });
        return all;
    }();
    if (durable_news_[i]) {
        durable_news_[i] = false;
        for (auto* const c : mine) c->on_durable();
    }
    for (int rounds = 0; rounds != 4; ++rounds) {
        bool any = false;
        for (auto* const c : mine) {
            if (!c->dirty_) continue;
            any = true;
            c->end_of_turn();
        }
        if (!any) break;
        core.end_turn(now_, send);
    }
}

bool test_node::turn(std::size_t i) {
    auto& core = *shards_[i];
    auto now_here = std::exchange(inboxes_[i], {});
    bool moved = !now_here.empty();
    for (auto& l : now_here) {
        receive(i, std::move(l.content));
        if (!durable_news_[i]) continue;
        durable_news_[i] = false;
        const auto clients = clients_;
        for (auto* const c : clients) {
            if (c->engine_ && c->shard_ == i) c->engine_->on_durable(core.desk().durable_upto(), now_);
        }
    }
    const auto before = gate_->size();
    core.end_turn(now_, [&](std::size_t to, std::vector<mail>& batch) {
        moved = true;
        post_all(i, to, batch);
    });
    return moved || gate_->size() != before;
}

void test_node::settle() {
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t i = 0; i != shards_.size(); ++i) moved |= turn(i);
        const auto clients = clients_;
        for (auto* const c : clients) {
            if (c->closed()) continue;
            if (!c->out_.over_limit()) c->engine_->on_writable(now_);
            c->engine_->go_on(now_);
        }
        if (automatic_) {
            gate_->pass(std::numeric_limits<std::size_t>::max());
            moved |= store_->run_once();
        }
    }
}

} // namespace broker::test
