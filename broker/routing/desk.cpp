#include "routing/desk.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

#include <algorithm>

namespace broker {

std::uint64_t shard_desk::next_id() {
    const auto drawn = ids_->draw();
    if (drawn.new_lease != 0) {
        open_.put(storage::column::meta, storage::id_lease_key(), storage::encode_id_lease(drawn.new_lease));
        require(true);
    }
    return drawn.id;
}

// Two shards may change one topic at the same time; each writes what the topic holds now, under the lock that the change
// needed, so the last submission about it has the last word.
void shard_desk::write_retained() {
    std::ranges::sort(retained_changed_); // a topic that changed more than once is written once
    retained_changed_.erase(std::ranges::unique(retained_changed_).begin(), retained_changed_.end());
    std::string record;
    for (const auto& topic : retained_changed_) {
        if (const auto m = kept_->get_held(topic)) {
            record.clear();
            storage::encode_message(m->fields(), record);
            open_.put(storage::column::retained, storage::retained_key(topic), record);
        } else {
            open_.erase(storage::column::retained, storage::retained_key(topic));
        }
    }
    retained_changed_.clear();
}

void shard_desk::submit() {
    if (open_.empty() && loads_.empty() && retained_changed_.empty()) return;
    std::shared_lock<std::shared_mutex> held;
    if (!retained_changed_.empty()) {
        held = kept_->hold();
        write_retained();
    }
    submitted_ = store_->submit(self_, std::move(open_), std::move(loads_));
    open_ = storage::batch{};
    loads_.clear();
}

} // namespace broker
