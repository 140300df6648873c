// mail: everything that crosses from one shard to another, as values. Mail of one shard to another arrives in the order
// it was sent; all protocols between shards (moving a session, freeing a slot, queues) rest on that.
#pragma once

#include "core/message.hpp"
#include "session/queue.hpp"
#include "session/session.hpp"
#include "session/slot.hpp"
#include "storage/store.hpp"

#include <functional>
#include <memory>
#include <variant>
#include <vector>

namespace broker {

// One receiver of a publication.
struct receiver {
    slot* to = nullptr;
    qos level{};
    bool retain = false;
    bool stored = false;
    bool shared_record = false;
    bool of_share = false;         // the next of topic_mail::shares is its group
    std::uint16_t identifiers = 0; // how many of topic_mail::identifiers are this receiver's, in order
};

struct topic_mail { // a publication and its receivers on one shard
    message_ptr message{};
    std::vector<receiver> to{};
    std::vector<std::uint32_t> identifiers{};
    std::vector<group_ptr> shares{};
};

struct entry_mail { // one entry to its session: passed on by another member of its group, or by a shard it has left
    slot* to = nullptr;
    entry value{};
};

struct queue_arrival { // to the queue's shard
    queue_slot* queue = nullptr;
    entry value{};
};
struct queue_join {
    queue_slot* queue = nullptr;
    queue::consumer who{};
};
struct queue_leave {
    queue_slot* queue = nullptr;
    slot* who = nullptr;
};
struct queue_settlement {
    queue_slot* queue = nullptr;
    slot* who = nullptr;
    message_id id{};
    queue_outcome how{};
};
struct queue_closed { // to the consumer's shard: the queue was deleted, another one may have its name
    queue_slot* queue = nullptr;
    slot* who = nullptr;
};
struct queue_delivery { // to the consumer's shard
    slot* to = nullptr;
    std::uint32_t joined = 0; // one for an earlier time than the consumer's present one is the queue's again
    entry value{};
};

struct session_request { // a client came to `to`: hand its session over, or end it
    slot* which = nullptr;
    std::string client_id{};
    std::string user{}; // who claims it
    std::uint16_t to = 0;
    bool clean = false;
    std::uint64_t claim = 0; // its number
};
struct session_gone { // the answer when there is none (any more)
    std::string client_id{};
};
struct session_refused { // the answer when a later claim has it, or another user
    std::string client_id{};
    std::uint64_t claim = 0;
    bool forbidden = false;
};
struct session_arrival {
    slot* which = nullptr;
    std::unique_ptr<session> value{};
};

struct marker { // "everything you sent me before is ahead of your answer"
    std::uint64_t token = 0;
    std::uint16_t from = 0;
};
struct marker_answer {
    std::uint64_t token = 0;
};

struct errand { // cold path: admin reads, shutdown
    std::function<void()> run{};
};

using mail = std::variant<topic_mail, entry_mail, queue_arrival, queue_join, queue_leave, queue_settlement, queue_closed,
                          queue_delivery, session_request, session_gone, session_refused, session_arrival, marker,
                          marker_answer, storage::completion,
                          errand>;

} // namespace broker
