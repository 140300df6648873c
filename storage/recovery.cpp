#include "storage/recovery.hpp"

#include "storage/keys.hpp"

#include <algorithm>

namespace broker::storage {

namespace {

class reader {
public:
    reader(const backend& rows, recovered& into, const recovery_progress& told) : rows_{rows}, into_{into}, told_{told} {}

    [[nodiscard]] result<void, storage_error> read_all() {
        if (auto lease = read_lease(); !lease) return lease;
        if (auto revoked = read_revocations(); !revoked) return revoked;
        if (auto banned = read_bans(); !banned) return banned;
        if (auto keys = read_api_keys(); !keys) return keys;
        if (auto users = read_users(); !users) return users;
        if (auto sessions = read_sessions(); !sessions) return sessions;
        if (auto queues = read_queues(); !queues) return queues;
        return scan(column::retained, [this](std::string_view key, std::string_view value) {
            if (auto m = decode_message(value)) {
                into_.retained.push_back(make_message(*m));
            } else {
                set_aside(column::retained, key, m.error().what);
            }
            return true;
        });
    }

private:
    [[nodiscard]] backend::row_visitor counted(column c, backend::row_visitor take) const {
        return [this, c, take = std::move(take), rows = std::size_t{0}](std::string_view key, std::string_view value) mutable {
            if (++rows % recovery_step == 0 && told_) told_(c, rows);
            return take(key, value);
        };
    }
    [[nodiscard]] result<void, storage_error> scan(column c, backend::row_visitor take) const {
        return rows_.scan(c, "", "", counted(c, std::move(take)));
    }

    void set_aside(column in, std::string_view key, std::string why) {
        into_.quarantined.push_back({.in = in, .key_hex = to_hex(key), .why = std::move(why)});
    }

    result<void, storage_error> read_lease() {
        auto row = rows_.get(column::meta, id_lease_key());
        if (!row) return fail(row.error());
        if (!*row) return {};
        // Without the lease ids could repeat: unlike any other record it is worth refusing to start for.
        auto lease = decode_id_lease(**row);
        if (!lease) return fail(storage_error{"meta/id_lease: " + lease.error().what});
        into_.next_id = *lease;
        return {};
    }

    result<void, storage_error> read_revocations() {
        return rows_.scan(column::meta, revocation_prefix, "", [this](std::string_view key, std::string_view value) {
            const auto parts = decode_revocation_key(key);
            const auto at = decode_revocation(value);
            if (parts && at) into_.revocations.push_back({.what = parts->what, .name = std::string{parts->name}, .at_ms = *at});
            else set_aside(column::meta, key, at ? "malformed key" : at.error().what);
            return true;
        });
    }

    result<void, storage_error> read_bans() {
        return rows_.scan(column::meta, ban_prefix, "", [this](std::string_view key, std::string_view value) {
            const auto parts = decode_ban_key(key);
            auto record = decode_ban(value);
            if (parts && record) into_.bans.push_back({.kind = parts->kind, .whom = std::string{parts->whom}, .record = std::move(*record)});
            else set_aside(column::meta, key, record ? "malformed key" : record.error().what);
            return true;
        });
    }

    result<void, storage_error> read_api_keys() {
        return rows_.scan(column::meta, api_key_prefix, "", [this](std::string_view key, std::string_view value) {
            const auto name = decode_api_key_key(key);
            auto record = decode_api_key(value);
            if (name && record) into_.api_keys.push_back({.name = std::string{*name}, .key = std::move(*record)});
            else set_aside(column::meta, key, record ? "malformed key" : record.error().what);
            return true;
        });
    }

    result<void, storage_error> read_users() {
        return rows_.scan(column::meta, user_prefix, "", [this](std::string_view key, std::string_view value) {
            const auto name = decode_user_key(key);
            auto record = decode_user(value);
            if (name && record) into_.users.push_back({.name = std::string{*name}, .user = std::move(*record)});
            else set_aside(column::meta, key, record ? "malformed key" : record.error().what);
            return true;
        });
    }

    result<void, storage_error> read_sessions() {
        auto done = scan(column::sessions, [this](std::string_view key, std::string_view value) {
            const auto id = decode_session_key(key);
            auto record = decode_session(value);
            if (!id || !record) {
                set_aside(column::sessions, key, id ? record.error().what : "malformed key");
                return true;
            }
            into_.sessions.push_back({.id = *id, .session = std::move(*record)});
            return true;
        });
        if (done) done = read_subscriptions();
        if (done) done = read_inbound_qos2();
        if (done) done = read_outbound_qos2();
        if (done) done = read_wills();
        if (done) done = look_for_entries();
        return done;
    }

    // Rows of all sessions, in the order of their ids: `take` gets those of sessions that are there. (The others are swept.)
    result<void, storage_error> merge(column c, const std::function<void(recovered_session&, std::string_view, std::string_view)>& take) {
        auto of = into_.sessions.begin();
        return scan(c, [&](std::string_view key, std::string_view value) {
            if (auto* const s = owner(of, key)) take(*s, key, value);
            return of != into_.sessions.end();
        });
    }
    // `from` goes on to the first session that may own this key and what follows it.
    recovered_session* owner(std::vector<recovered_session>::iterator& from, std::string_view key) {
        const auto id = decode_session_key(key.substr(0, owner_size));
        if (!id) return nullptr;
        while (from != into_.sessions.end() && from->id < *id) ++from;
        return from != into_.sessions.end() && from->id == *id ? &*from : nullptr;
    }

    result<void, storage_error> read_subscriptions() {
        return merge(column::subscriptions, [&](recovered_session& s, std::string_view key, std::string_view value) {
            const auto parts = decode_subscription_key(key);
            auto record = decode_subscription(value);
            if (parts && record) {
                s.subscriptions.emplace_back(parts->filter, record->options);
            } else {
                set_aside(column::subscriptions, key, parts ? record.error().what : "malformed key");
            }
        });
    }

    result<void, storage_error> read_inbound_qos2() {
        return merge(column::inbound_qos2, [&](recovered_session& s, std::string_view key, std::string_view) {
            if (const auto parts = decode_inbound_qos2_key(key)) {
                s.inbound_qos2.push_back(parts->packet);
            } else {
                set_aside(column::inbound_qos2, key, "malformed key");
            }
        });
    }

    result<void, storage_error> read_outbound_qos2() {
        return merge(column::outbound_qos2, [&](recovered_session& s, std::string_view key, std::string_view value) {
            const auto parts = decode_entry_key(key);
            auto record = decode_outbound_qos2(value);
            if (parts && record) {
                s.outbound_qos2.emplace_back(parts->message, *record);
            } else {
                set_aside(column::outbound_qos2, key, parts ? record.error().what : "malformed key");
            }
        });
    }

    // A will whose session is not there was lost with its connection, and is still to be published.
    result<void, storage_error> read_wills() {
        auto of = into_.sessions.begin();
        return scan(column::wills, [&](std::string_view key, std::string_view value) {
            const auto id = decode_session_key(key);
            const auto record = decode_will(value);
            if (!id || !record) {
                set_aside(column::wills, key, id ? record.error().what : "malformed key");
            } else if (auto* const s = owner(of, key)) {
                s->will = recovered_will{.message = make_message(record->message), .delay_s = record->delay_s, .due_at_ms = record->due_at_ms};
            } else {
                into_.lost_wills.emplace_back(*id, make_message(record->message));
            }
            return true;
        });
    }

    result<void, storage_error> look_for_entries() {
        auto of = into_.sessions.begin();
        return rows_.scan_owners(column::entries, counted(column::entries, [&](std::string_view key, std::string_view) {
            if (auto* const s = owner(of, key)) s->has_entries = true;
            return of != into_.sessions.end();
        }));
    }

    // What follows a queue's record. True: read on.
    template <class To, class Decode>
    bool read_queue_row(session_id of, std::string_view key, std::string_view value, To recovered_queue::*to, Decode decode) {
        if (into_.queues.empty() || into_.queues.back().id != of) return true;
        if (auto record = decode(value)) into_.queues.back().*to = std::move(*record);
        else set_aside(column::queues, key, record.error().what);
        return true;
    }

    result<void, storage_error> read_queues() {
        auto done = scan(column::queues, [this](std::string_view key, std::string_view value) {
            if (const auto of = decode_queue_state_key(key)) return read_queue_row(*of, key, value, &recovered_queue::state, decode_queue_state);
            if (const auto of = decode_queue_settings_key(key)) return read_queue_row(*of, key, value, &recovered_queue::declared, decode_queue_settings);
            const auto id = decode_session_key(key);
            auto record = decode_queue(value);
            if (id && record) {
                into_.queues.push_back({.id = *id, .queue = std::move(*record)});
            } else {
                set_aside(column::queues, key, id ? record.error().what : "malformed key");
            }
            return true;
        });
        if (!done) return done;
        const auto exact = rows_.get(column::meta, exact_counts_key());
        if (!exact) return fail(exact.error());
        into_.counts_are_exact = exact->has_value();
        return {};
    }

    const backend& rows_;
    recovered& into_;
    const recovery_progress& told_;
};

} // namespace

result<recovered, storage_error> recover(const backend& rows, const recovery_progress& told) {
    recovered found;
    if (auto done = reader{rows, found, told}.read_all(); !done) return fail(done.error());
    return found;
}

result<bool, storage_error> count_queues(const backend& rows, const std::function<void()>& begun,
                                         const std::function<bool()>& go_on,
                                         std::unordered_map<session_id, queue_counts>& into) {
    bool first = true;
    bool stopped = false;
    const auto start = [&] {
        if (std::exchange(first, false)) begun();
    };
    auto done = rows.scan(column::queue_entries, "", "", [&](std::string_view key, std::string_view value) {
        start();
        const auto parts = decode_queue_entry_key(key);
        if (!parts || parts->redelivery) return true;
        auto& count = into[parts->of];
        ++count.messages;
        count.bytes += queue_entry_footprint(value);
        stopped = count.messages % 1024 == 0 && !go_on();
        return !stopped;
    });
    start();
    if (!done) return fail(done.error());
    return !stopped;
}

result<std::size_t, storage_error> sweep_orphan_messages(const backend& rows, message_id before,
                                                         const std::function<void(batch&&)>& submit,
                                                         const std::function<bool()>& stop) {
    // A million ids are 8 MB of memory; more records than that take several passes.
    constexpr std::size_t pass_max = 1'000'000;
    std::size_t erased = 0;
    std::string from;
    for (bool more = true; more;) {
        more = false;
        std::vector<std::uint64_t> stored;
        auto done = rows.scan(column::messages, "", from, [&](std::string_view key, std::string_view) {
            const auto id = decode_session_key(key); // the same form: eight bytes
            if (stop() || !id || id->value() >= before.value()) return false;
            if (stored.size() == pass_max) {
                from = key;
                more = true;
                return false;
            }
            stored.push_back(id->value());
            return true;
        });
        if (!done) return fail(done.error());
        if (stored.empty() || stop()) break;
        std::vector<bool> used(stored.size());
        done = rows.scan(column::entries, "", "", [&](std::string_view key, std::string_view) {
            const auto parts = decode_entry_key(key);
            if (stop()) return false;
            if (!parts) return true;
            const auto at = std::ranges::lower_bound(stored, parts->message.value());
            if (at != stored.end() && *at == parts->message.value()) {
                used[static_cast<std::size_t>(at - stored.begin())] = true;
            }
            return true;
        });
        if (!done) return fail(done.error());
        if (stop()) break; // not every entry was looked at
        batch erasures;
        for (std::size_t i = 0; i != stored.size(); ++i) {
            if (used[i]) continue;
            erasures.erase(column::messages, message_key(message_id{stored[i]}));
            ++erased;
        }
        if (!erasures.empty()) submit(std::move(erasures));
    }
    return erased;
}

result<std::size_t, storage_error> sweep_ownerless_rows(const backend& rows, session_id before,
                                                        const std::function<void(batch&&)>& submit,
                                                        const std::function<bool()>& stop) {
    std::size_t owners = 0;
    for (const auto in : {column::subscriptions, column::entries, column::inbound_qos2, column::outbound_qos2,
                          column::queue_entries}) {
        batch erasures;
        for (std::uint64_t from = 0; !stop();) {
            std::optional<session_id> owner;
            auto done = rows.scan(in, "", session_prefix(session_id{from}), [&](std::string_view key, std::string_view) {
                owner = decode_session_key(key.substr(0, 8));
                return false;
            });
            if (!done) return fail(done.error());
            if (!owner || *owner >= before) break;
            from = owner->value() + 1;
            for (const auto c : {column::sessions, column::queues}) {
                auto row = rows.get(c, session_key(*owner));
                if (!row) return fail(row.error());
                if (*row) owner.reset();
                if (!owner) break;
            }
            if (!owner) continue;
            erasures.erase_prefix(in, session_prefix(*owner));
            ++owners;
        }
        if (!erasures.empty()) submit(std::move(erasures));
    }
    return owners;
}

} // namespace broker::storage
