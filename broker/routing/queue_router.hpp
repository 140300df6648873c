// queue_router: one shard's way into the queues of all shards: finding and making them, room, the entry in the store.
// Threading: its shard's thread only.
#pragma once

#include "routing/desk.hpp"
#include "routing/router.hpp"

#include <string>
#include <string_view>
#include <unordered_set>

namespace broker {

class queue_router {
public:
    queue_router(shard_desk& desk, queue_table& queues) : desk_{desk}, queues_{queues} {}

    // The queue of this name; made, and recorded in this turn's batch, when there is none. Null: max_queues.
    [[nodiscard]] queue_slot* find_or_create(std::string_view name);
    [[nodiscard]] queue_slot* find(std::string_view name) const { return queues_.find(name); }

    // Room for one message. Taken at once, so that no other shard takes it too; put() fills it, give_back() frees it.
    struct place {
        queue_slot* in = nullptr;
        std::size_t bytes = 0;
        refusal refused = refusal::none; // then nothing was taken
    };
    [[nodiscard]] place reserve(const message& m, std::string_view name);
    void give_back(const place& taken);
    // The message has its id. Its entry is in this turn's batch, the queue's shard hears of it behind that.
    [[nodiscard]] routed put(const message_ptr& m, const place& taken);

private:
    shard_desk& desk_;
    queue_table& queues_;
    std::unordered_set<session_id> recorded_; // in a batch of this shard; at most max_queues
    std::string record_; // scratch
};

} // namespace broker
