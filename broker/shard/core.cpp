#include "shard/core.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <ranges>

namespace broker {

namespace {

template <class... Handlers>
struct handlers : Handlers... {
    using Handlers::operator()...;
};

} // namespace

std::uint16_t home_shard(std::string_view client_id, std::size_t shards) {
    return static_cast<std::uint16_t>(std::hash<std::string_view>{}(client_id) % shards);
}

void commons::restore(const storage::recovered& from) {
    for (const auto& q : from.queues) {
        auto& slot = queues.restore(q.queue.name, q.id);
        if (q.declared) (void)queues.declare(slot, *q.declared, queue_table::origin::administrator);
        if (from.counts_are_exact) {
            slot.count(static_cast<std::int64_t>(q.state.messages), static_cast<std::int64_t>(q.state.bytes));
        }
    }
    for (const auto& m : from.retained) (void)kept.set(m);
}

std::optional<std::string> commons::declare(std::span<const declared_queue> all, storage::batch& records) {
    for (const auto& q : all) {
        const auto found = queues.find_or_create(q.name, [this] { return session_id{ids.draw().id}; });
        if (found.slot == nullptr) return "limits.max_queues is reached";
        if (found.created) {
            std::string value;
            storage::encode_queue({.name = q.name}, value);
            records.put(storage::column::queues, storage::queue_key(found.slot->id), value);
            found.slot->restored = true;
        }
        if (auto wrong = queues.declare(*found.slot, q.settings, queue_table::origin::file)) {
            return "queue " + q.name + ": " + *wrong;
        }
    }
    return std::nullopt;
}

shard_core::shard_core(shard_index self, commons& shared)
    : shared_{shared}, desk_{self, shared.shards, shared.bounds, shared.store, shared.ids, shared.trie, shared.kept, shared.level},
      sessions_{desk_, shared.sessions, shared.trie, shared.queues,
                [this](message_ptr m, time_point now) { router_.publish_will(m, now); }},
      queue_router_{desk_, shared.queues},
      router_{desk_, shared.trie, shared.kept, shared.own, shared.temporary, sessions_, queue_router_},
      queues_{desk_, shared.queues,
              [this](std::function<void(time_point)> then) { sessions_.after_all_shards(std::move(then)); }} {
    desk_.use(queue_router_);
}

bool shard_core::receive(mail m, time_point now) {
    bool durable = false;
    std::visit(handlers{
                   [&](topic_mail& t) { sessions_.deliver(t, now); },
                   [&](entry_mail& e) { sessions_.deliver_to(*e.to, std::move(e.value), now); },
                   [&](queue_arrival& a) { queues_.use(*a.queue).arrive(std::move(a.value), now); },
                   [&](queue_join& j) { queues_.use(*j.queue).join(j.who, now); },
                   [&](queue_leave& l) { queues_.use(*l.queue).leave(*l.who, now); },
                   [&](queue_settlement& s) { queues_.use(*s.queue).settled(s.id, *s.who, s.how, now); },
                   [&](queue_closed& c) { sessions_.on(c); },
                   [&](queue_delivery& d) { sessions_.on(std::move(d), now); },
                   [&](session_request& r) { sessions_.on(std::move(r), now); },
                   [&](session_gone& g) { sessions_.on(std::move(g), now); },
                   [&](session_refused& r) { sessions_.on(std::move(r), now); },
                   [&](session_arrival& a) { sessions_.on(std::move(a), now); },
                   [&](marker& k) { desk_.send(k.from, marker_answer{.token = k.token}); },
                   [&](marker_answer& a) { sessions_.on(a, now); },
                   [&](storage::completion& c) {
                       on_completion(c, now);
                       durable = true;
                   },
                   [&](errand& e) { e.run(); },
               },
               m);
    return durable;
}

void shard_core::on_completion(storage::completion& done, time_point now) {
    desk_.completed(done.upto, done.failed, done.full);
    sessions_.on_durable(done.upto, now);
    for (auto& rows : done.loaded) {
        if (rows.request.cursor != 0 && rows.request.priority) {
            queue_router_.on_loaded(rows, now);
        } else if (rows.request.priority) {
            queues_.on_loaded(std::move(rows), now);
        } else {
            sessions_.on_loaded(std::move(rows), now);
        }
    }
}

void shard_core::end_turn(time_point now, const poster& post) {
    auto& own = desk_.outgoing(desk_.self());
    while (!own.empty()) {
        own_mail_.swap(own);
        for (auto& m : own_mail_) (void)receive(std::move(m), now);
        own_mail_.clear();
    }
    queues_.before_submit();
    desk_.submit();
    for (std::size_t to = 0; to != shared_.shards; ++to) {
        if (to != desk_.self() && !desk_.outgoing(to).empty()) post(to, desk_.outgoing(to));
    }
    sessions_.end_of_turn();
    queues_.end_of_turn();
}

void shard_core::restore(const storage::recovered& from, time_point now) {
    queues_.restore(from);
    for (const auto& s : from.sessions | std::views::reverse) { // of two with one client id the newer one
        if (home_shard(s.session.client_id, shared_.shards) == desk_.self()) sessions_.restore(s, now);
    }
    for (const auto& [id, lost_will] : from.lost_wills) {
        if (id.value() % shared_.shards == desk_.self()) sessions_.restore(id, lost_will);
    }
    for (const auto& m : from.retained) {
        const bool expires = m->expires_at() != never;
        if (expires && home_shard(m->topic(), shared_.shards) == desk_.self()) router_.expire_later(*m);
    }
}

} // namespace broker
