// session_table: client id → slot, for all shards. Cold path: connects and session ends.
// Threading: any shard; one mutex.
#pragma once

#include "session/slot.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

class session_table {
public:
    explicit session_table(std::size_t sessions_max) : sessions_max_{sessions_max} {}

    struct found {
        slot* value = nullptr; // null: max_sessions reached, or `ending`
        bool created = false;  // it is the caller's: owner and holder are its shard
        bool ending = false;   // the disk does not know yet that the last one has ended; ended() will tell this shard
        std::uint64_t claim = 0; // later claims have higher numbers
    };
    // `make_id` is asked for only when the client id is new.
    template <class MakeId>
    [[nodiscard]] found find_or_create(std::string_view client_id, std::uint16_t shard, MakeId make_id) {
        const std::lock_guard lock{mutex_};
        if (const auto it = by_client_id_.find(client_id); it != by_client_id_.end()) return {*it, false, false, ++claims_};
        if (const auto it = ending_.find(client_id); it != ending_.end()) {
            if (std::ranges::find(it->second.waiting, shard) == it->second.waiting.end()) it->second.waiting.push_back(shard);
            return {nullptr, false, true, ++claims_};
        }
        if (slots_.size() >= sessions_max_) return {};
        return {&add(client_id, shard, make_id(), true), true, false, ++claims_};
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
        if (const auto it = by_client_id_.find(s.client_id); it != by_client_id_.end() && *it == &s) {
            by_client_id_.erase(it);
        }
    }
    // A stored session was unlisted: until ended(), nobody is told that its client id has none, for a crash might bring it
    // back.
    void ending(const slot& s) {
        const std::lock_guard lock{mutex_};
        if (s.listed) ending_.try_emplace(s.client_id).first->second.of = s.id;
    }
    // Its end is on disk. The shards that have asked meanwhile.
    [[nodiscard]] std::vector<std::uint16_t> ended(std::string_view client_id, session_id of) {
        const std::lock_guard lock{mutex_};
        const auto it = ending_.find(client_id);
        if (it == ending_.end() || it->second.of != of) return {};
        auto waiting = std::move(it->second.waiting);
        ending_.erase(it);
        return waiting;
    }
    void free(slot& s) {
        const std::lock_guard lock{mutex_};
        slots_.erase(slots_.find(&s));
    }
    [[nodiscard]] slot* find(std::string_view client_id) const {
        const std::lock_guard lock{mutex_};
        const auto it = by_client_id_.find(client_id);
        return it == by_client_id_.end() ? nullptr : *it;
    }
    // The shard that has, or is about to get, the session of this client id.
    [[nodiscard]] std::optional<std::uint16_t> owner_of(std::string_view client_id) const {
        const std::lock_guard lock{mutex_};
        const auto it = by_client_id_.find(client_id);
        if (it == by_client_id_.end()) return std::nullopt;
        return (*it)->owner.load(std::memory_order_acquire);
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
        if (listed) by_client_id_.insert(&s);
        slots_.insert(std::move(made));
        return s;
    }

    struct id_hash {
        using is_transparent = void;
        [[nodiscard]] std::size_t operator()(std::string_view client_id) const { return std::hash<std::string_view>{}(client_id); }
        [[nodiscard]] std::size_t operator()(const slot* s) const { return (*this)(s->client_id); }
    };
    struct id_equal {
        using is_transparent = void;
        [[nodiscard]] bool operator()(const slot* a, const slot* b) const { return a->client_id == b->client_id; }
        [[nodiscard]] bool operator()(std::string_view a, const slot* b) const { return a == b->client_id; }
        [[nodiscard]] bool operator()(const slot* a, std::string_view b) const { return a->client_id == b; }
    };
    struct owner_hash {
        using is_transparent = void;
        [[nodiscard]] std::size_t operator()(const slot* s) const { return std::hash<const slot*>{}(s); }
        [[nodiscard]] std::size_t operator()(const std::unique_ptr<slot>& s) const { return (*this)(s.get()); }
    };
    struct owner_equal {
        using is_transparent = void;
        [[nodiscard]] bool operator()(const std::unique_ptr<slot>& a, const std::unique_ptr<slot>& b) const { return a == b; }
        [[nodiscard]] bool operator()(const slot* a, const std::unique_ptr<slot>& b) const { return a == b.get(); }
        [[nodiscard]] bool operator()(const std::unique_ptr<slot>& a, const slot* b) const { return a.get() == b; }
    };

    struct end {
        session_id of{};
        std::vector<std::uint16_t> waiting{}; // shards
    };

    mutable std::mutex mutex_;
    std::size_t sessions_max_;
    std::map<std::string, end, std::less<>> ending_; // no more than the store has pending
    std::uint64_t claims_ = 0;
    boost::unordered_flat_set<slot*, id_hash, id_equal> by_client_id_;
    boost::unordered_flat_set<std::unique_ptr<slot>, owner_hash, owner_equal> slots_;
};

} // namespace broker
