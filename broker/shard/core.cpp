#include "shard/core.hpp"

#include "core/assert.hpp"

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
    for (const auto& q : from.queues) queues.restore(q.name, q.id);
    for (const auto& m : from.retained) (void)kept.set(m);
}

shard_core::shard_core(shard_index self, commons& shared)
    : shared_{shared}, desk_{self, shared.shards, shared.bounds, shared.store, shared.ids, shared.trie, shared.kept, shared.level},
      sessions_{desk_, shared.sessions, shared.trie, shared.queues,
                [this](message_ptr m, time_point now) { router_.publish_will(m, now); }},
      queue_router_{desk_, shared.queues},
      router_{desk_, shared.trie, shared.kept, shared.own, sessions_, queue_router_} {}

queue& shard_core::queue_of(queue_slot& handle) {
    auto& known = queues_[handle.id];
    if (!known) known = std::make_unique<queue>(handle, desk_);
    return *known;
}

bool shard_core::receive(mail m, time_point now) {
    bool durable = false;
    std::visit(handlers{
                   [&](topic_mail& t) { sessions_.deliver(t, now); },
                   [&](entry_mail& e) { sessions_.deliver_to(*e.to, std::move(e.value), now); },
                   [&](queue_arrival& a) { queue_of(*a.queue).arrive(std::move(a.value), now); },
                   [&](queue_join& j) { queue_of(*j.queue).join(j.who, now); },
                   [&](queue_leave& l) { queue_of(*l.queue).leave(*l.who, now); },
                   [&](queue_settlement& s) { queue_of(*s.queue).settled(s.id, *s.who, s.how, now); },
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
        if (const auto it = queues_.find(rows.request.of); it != queues_.end()) {
            // When everything in it has been announced (backlog.hpp); a queue stays as long as its shard.
            sessions_.after_all_shards([q = it->second.get(), now, answer = std::make_shared<storage::loaded_rows>(std::move(rows))](
                                           time_point later) { q->loaded(*answer, std::max(now, later)); });
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
    desk_.submit();
    for (std::size_t to = 0; to != shared_.shards; ++to) {
        if (to != desk_.self() && !desk_.outgoing(to).empty()) post(to, desk_.outgoing(to));
    }
    sessions_.end_of_turn();
}

void shard_core::restore(const storage::recovered& from, time_point now) {
    for (const auto& q : from.queues) {
        auto* const handle = shared_.queues.find(q.name);
        if (handle == nullptr || handle->owner != desk_.self()) continue;
        auto& known = queue_of(*handle);
        if (q.has_entries) known.waiting().assume_stored();
    }
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

void shard_core::for_each_queue(const queue_visitor& visit) const {
    for (const auto& [id, q] : queues_) visit(*q);
}

} // namespace broker
