#include "session/entry_record.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"

namespace broker {

using storage::column;

message_ptr own_copy(shard_desk& desk, const message& m) {
    auto fields = m.fields();
    fields.id = message_id{desk.next_id()};
    return make_message(fields);
}

void put_entry(shard_desk& desk, const entry& e, session_id holder) {
    const auto body = e.message->fields();
    std::string record;
    storage::encode_entry({.level = e.level,
                           .retain = e.retain,
                           .redelivery_count = e.redelivery_count,
                           .identifiers = e.identifiers,
                           .share = e.share ? std::string_view{e.share->filter()} : std::string_view{}},
                          &body, record);
    desk.open().put(column::entries, storage::entry_key(holder, e.message->id()), record);
    desk.require(e.message->persistent());
}

void erase_entry(shard_desk& desk, const entry& e, session_id holder, bool answered) {
    if (e.stored) {
        desk.erase(column::entries, storage::entry_key(holder, e.message->id()), answered);
        desk.require(true);
        for (auto& w : desk.watched()) w.erased |= w.of == holder && w.message == e.message->id();
    }
    if (e.shared_record && e.message->drop_stored_entry()) {
        desk.erase(column::messages, storage::message_key(e.message->id()), answered);
    }
}

} // namespace broker
