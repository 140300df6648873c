#include "session/shard_queues.hpp"

#include "routing/desk.hpp"

namespace broker {

queue& shard_queues::use(queue_slot& handle) {
    auto& s = seats_[handle.id];
    if (!s.value) s.value = std::make_unique<queue>(handle, desk_);
    if (!std::exchange(s.touched, true)) touched_.push_back(handle.id);
    return *s.value;
}

// When everything in it has been announced (backlog.hpp).
void shard_queues::on_loaded(storage::loaded_rows&& rows, time_point now) {
    after_all_shards_([this, now, answer = std::make_shared<storage::loaded_rows>(std::move(rows))](time_point later) {
        const auto it = seats_.find(answer->request.of);
        if (it != seats_.end()) use(it->second.value->handle()).loaded(*answer, std::max(now, later));
    });
}

void shard_queues::before_submit() {
    for (std::size_t i = 0; i != touched_.size(); ++i) { // what follows from it may touch it again
        const auto it = seats_.find(touched_[i]);
        if (it != seats_.end()) look_after(it->first, it->second);
    }
    touched_.clear();
}

void shard_queues::look_after(session_id id, seat& s) {
    s.touched = false;
    auto& q = *s.value;
    if (q.state_changed()) {
        q.write_state(false, desk_.open());
        desk_.require(false);
    }
    if (const auto at = q.next_deadline(); at < s.looked_at) {
        s.looked_at = at;
        deadlines_.emplace(at, id);
    }
    if (!q.wants_mark()) return;
    // Whatever got a lower id than this has been announced when all shards have answered.
    const message_id below{desk_.next_id()};
    q.begin_mark();
    after_all_shards_([this, id, below](time_point) {
        if (const auto it = seats_.find(id); it != seats_.end()) use(it->second.value->handle()).mark(below);
    });
}

void shard_queues::on_deadline(time_point now) {
    std::vector<session_id> due;
    while (!deadlines_.empty() && deadlines_.top().first <= now) {
        due.push_back(deadlines_.top().second);
        deadlines_.pop();
    }
    for (const auto id : due) {
        const auto it = seats_.find(id);
        if (it == seats_.end()) continue;
        it->second.looked_at = never;
        use(it->second.value->handle()).on_deadline(now);
    }
}

void shard_queues::end_of_turn() {
    for (auto* const q : freeable_) {
        seats_.erase(q->id);
        table_.free(*q);
    }
    freeable_.clear();
}

void shard_queues::restore(const storage::recovered& from) {
    table_.for_each([this](queue_slot& handle, const queue_table::declaration&) {
        if (handle.owner == desk_.self()) (void)use(handle);
    });
    for (const auto& q : from.queues) {
        if (const auto it = seats_.find(q.id); it != seats_.end()) it->second.value->restored(q.state);
    }
}

void shard_queues::write_states(storage::batch& to) {
    for (auto& [id, s] : seats_) {
        if (!s.value->closed()) s.value->write_state(true, to);
    }
}

shard_queues::deletion shard_queues::remove(std::string_view name, bool force) {
    auto* const handle = table_.find(name);
    if (handle == nullptr) return deletion::not_found;
    if (table_.declared(*handle).by == queue_table::origin::file) return deletion::declared_in_file;
    auto& q = use(*handle);
    if (q.consumers() != 0 && !force) return deletion::has_consumers;
    if (!table_.unlist(*handle)) return deletion::not_found;
    q.close();
    after_all_shards_([this, handle, &q](time_point) {
        q.erase_records();
        freeable_.push_back(handle);
    });
    return deletion::done;
}

void shard_queues::for_each(const visitor& visit) const {
    for (const auto& [id, s] : seats_) {
        if (!s.value->closed()) visit(*s.value);
    }
}

} // namespace broker
