// recovery: what a new process reads before it serves. Bounded by the number of sessions, queues and retained messages,
// not by backlogs: entries are loaded when their receiver comes back.
#pragma once

#include "storage/keys.hpp"
#include "storage/records.hpp"
#include "storage/store.hpp"

#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace broker::storage {

struct recovered_will {
    message_ptr message{};
    std::uint32_t delay_s = 0;
    std::int64_t due_at_ms = 0;
};

struct recovered_session {
    session_id id{};
    session_record session{};
    std::vector<std::pair<std::string, subscription_options>> subscriptions{};
    std::vector<packet_id> inbound_qos2{};
    std::vector<std::pair<message_id, outbound_qos2_record>> outbound_qos2{};
    std::optional<recovered_will> will{};
    bool has_entries = false;
};

struct recovered_queue { // whether it has entries nobody looks: its consumers find out
    session_id id{};
    queue_record queue{};
    std::optional<queue_settings> declared{};
    queue_state_record state{};
};

struct revocation { // of tokens
    revoked what{};
    std::string name{};
    std::int64_t at_ms = 0; // a token: when it would have ended, 0: nobody knows; else those issued before
};

struct recovered_ban {
    char kind = 0; // as in ban_key()
    std::string whom{};
    ban_record record{};
};

struct recovered_api_key {
    std::string name{};
    api_key_record key{};
};

struct recovered_user {
    std::string name{};
    user_record user{};
};

struct quarantined_row {
    column in{};
    std::string key_hex{};
    std::string why{};
};

struct recovered {
    std::uint64_t next_id = 1; // the stored lease
    bool counts_are_exact = false; // of queue_state_record: the last process stopped cleanly
    std::vector<recovered_session> sessions{};
    std::vector<std::pair<session_id, message_ptr>> lost_wills{}; // of connections whose sessions were not stored
    std::vector<recovered_queue> queues{};
    std::vector<message_ptr> retained{};
    std::vector<revocation> revocations{};
    std::vector<recovered_ban> bans{};
    std::vector<recovered_api_key> api_keys{};
    std::vector<recovered_user> users{};
    std::vector<quarantined_row> quarantined{}; // left where they are
};

// `told` hears every recovery_step rows how many of a column have been read.
inline constexpr std::size_t recovery_step = 10'000;
using recovery_progress = std::function<void(column in, std::size_t rows)>;
[[nodiscard]] result<recovered, storage_error> recover(const backend& rows, const recovery_progress& told = {});

// Messages and bytes of every queue that has some, as committed when the call begins: `begun` is called once that is
// settled, before the first row. Stops early, false, when `go_on` says so.
struct queue_counts {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};
[[nodiscard]] result<bool, storage_error> count_queues(const backend& rows, const std::function<void()>& begun,
                                                       const std::function<bool()>& go_on,
                                                       std::unordered_map<session_id, queue_counts>& into);

// Erases the records of `messages` with ids below `before` that no entry refers to: their last receiver answered after
// a restart, when nobody counted any more. Reads beside the running store; `submit` takes the erasures. Ends early when
// `stop` says so.
[[nodiscard]] result<std::size_t, storage_error> sweep_orphan_messages(const backend& rows, message_id before,
                                                                       const std::function<void(batch&&)>& submit,
                                                                       const std::function<bool()>& stop);

// Erases what is kept for sessions and queues with ids below `before` that are not there any more: an entry was written by
// one shard while another ended its session, and the server died before the two met. Wills are not: they are published. One look
// per owner, not per row. Returns the number of owners. Ends early when `stop` says so.
[[nodiscard]] result<std::size_t, storage_error> sweep_ownerless_rows(const backend& rows, session_id before,
                                                                      const std::function<void(batch&&)>& submit,
                                                                      const std::function<bool()>& stop);

} // namespace broker::storage
