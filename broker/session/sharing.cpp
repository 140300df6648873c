#include "session/sharing.hpp"

#include "routing/topic_trie.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

namespace broker {

using storage::column;

void erase_entry(shard_desk& desk, const entry& e, session_id holder) {
    if (e.stored) {
        desk.open().erase(column::entries, storage::entry_key(holder, e.message->id()));
        desk.require(true);
    }
    if (e.shared_record && e.message->drop_stored_entry()) {
        desk.open().erase(column::messages, storage::message_key(e.message->id()));
    }
}

bool pass_on(shard_desk& desk, const entry& e, session_id holder, const slot* except, takers who) {
    const auto found = desk.trie().choose(shard_index{desk.self()}, *e.share, except, who == takers::online);
    if (!found) return false;
    auto body = e.message->fields();
    body.id = message_id{desk.next_id()};
    entry next{.message = make_message(body),
               .level = found->options.level_for(body.level), // [MQTT-4.8.2-3]
               .retain = found->options.retain_as_published && body.retain,
               .redelivery_count = e.redelivery_count,
               .share = found->of,
               .elsewhere = true};
    if (found->options.identifier != 0) next.identifiers.push_back(found->options.identifier);
    if (next.level != qos::at_most_once && found->to->durable.load(std::memory_order_relaxed)) {
        next.stored = true;
        std::string record;
        storage::encode_entry({.level = next.level,
                               .retain = next.retain,
                               .redelivery_count = next.redelivery_count,
                               .identifiers = next.identifiers,
                               .share = found->of->filter()},
                              &body, record);
        desk.open().put(column::entries, storage::entry_key(found->to->id, body.id), record);
        desk.require(body.persistent);
    }
    erase_entry(desk, e, holder);
    ++desk.count().shared_passed_on;
    desk.send(found->to->owner.load(std::memory_order_acquire), entry_mail{.to = found->to, .value = std::move(next)});
    return true;
}

} // namespace broker
