// session_table: client id → slot, for all shards. Cold path: connects and session ends.
// Threading: any shard; one mutex.
#pragma once

#include "session/slot.hpp"

#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace broker {

class session_table {
public:
    explicit session_table(std::size_t sessions_max) : sessions_max_{sessions_max} {}

    struct found {
        slot* value = nullptr; // null: max_sessions reached
        bool created = false;  // it is the caller's: owner and holder are its shard
        std::uint64_t claim = 0; // later claims have higher numbers
    };
    // `make_id` is asked for only when the client id is new.
    template <class MakeId>
    [[nodiscard]] found find_or_create(std::string_view client_id, std::uint16_t shard, MakeId make_id) {
        const std::lock_guard lock{mutex_};
        if (const auto it = by_client_id_.find(client_id); it != by_client_id_.end()) return {it->second, false, ++claims_};
        if (slots_.size() >= sessions_max_) return {};
        return {&add(client_id, shard, make_id(), true), true, ++claims_};
    }

    // A slot nobody finds by client id. Null: max_sessions reached.
    [[nodiscard]] slot* create_unlisted(std::string_view label, std::uint16_t shard, session_id id) {
        const std::lock_guard lock{mutex_};
        if (slots_.size() >= sessions_max_) return nullptr;
        return &add(label, shard, id, false);
    }

    // At start-up. Null: the client id is taken.
    [[nodiscard]] slot* restore(std::string_view client_id, std::uint16_t shard, session_id id) {
        const std::lock_guard lock{mutex_};
        return by_client_id_.contains(client_id) ? nullptr : &add(client_id, shard, id, true);
    }

    // From now on the client id is free; the slot stays valid until free().
    void unlist(slot& s) {
        const std::lock_guard lock{mutex_};
        if (!s.listed) return;
        if (const auto it = by_client_id_.find(s.client_id); it != by_client_id_.end() && it->second == &s) {
            by_client_id_.erase(it);
        }
    }
    void free(slot& s) {
        const std::lock_guard lock{mutex_};
        slots_.erase(&s);
    }
    [[nodiscard]] slot* find(std::string_view client_id) const {
        const std::lock_guard lock{mutex_};
        const auto it = by_client_id_.find(client_id);
        return it == by_client_id_.end() ? nullptr : it->second;
    }
    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock{mutex_};
        return slots_.size();
    }

private:
    slot& add(std::string_view client_id, std::uint16_t shard, session_id id, bool listed) {
        auto made = std::make_unique<slot>();
        made->id = id;
        made->client_id = client_id;
        made->listed = listed;
        made->owner = shard;
        made->holder = shard;
        auto& s = *made;
        if (listed) by_client_id_.emplace(s.client_id, &s);
        slots_.emplace(&s, std::move(made));
        return s;
    }

    mutable std::mutex mutex_;
    std::size_t sessions_max_;
    std::uint64_t claims_ = 0;
    std::unordered_map<std::string_view, slot*> by_client_id_; // keys live in the slots
    std::unordered_map<slot*, std::unique_ptr<slot>> slots_;
};

} // namespace broker
