#include "routing/desk.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

namespace broker {

std::uint64_t shard_desk::next_id() {
    const auto drawn = ids_->draw();
    if (drawn.new_lease != 0) {
        open_.put(storage::column::meta, storage::id_lease_key(), storage::encode_id_lease(drawn.new_lease));
        require(true);
    }
    return drawn.id;
}

void shard_desk::submit() {
    if (open_.empty() && loads_.empty()) return;
    submitted_ = store_->submit(self_, std::move(open_), std::move(loads_));
    open_ = storage::batch{};
    loads_.clear();
}

} // namespace broker
