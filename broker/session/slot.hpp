// slot: the process-wide, stable handle of a session. The trie, groups, queues and mail hold slots, never sessions.
//
// Invariants
// 1. `owner` is where deliveries are sent; `holder` is the shard that has the session object. They differ only while
//    the session moves (session/takeover.cpp).
// 2. `held` is read and written by the holder's thread alone; it changes hands through mail.
// 3. A slot is freed only after every shard has answered a marker sent after its last subscription left the trie.
#pragma once

#include "core/ids.hpp"

#include <atomic>
#include <string>

namespace broker {

class session;

struct slot {
    session_id id;                // immutable
    std::string client_id;        // immutable; transient sessions have a descriptive name
    bool listed = false;          // immutable: found by client id (a claimable session)

    std::atomic<std::uint16_t> owner{0};
    std::atomic<std::uint16_t> holder{0};
    std::atomic<bool> online{false};  // a subscriber is attached
    std::atomic<bool> durable{false}; // outlives its connection: QoS > 0 for it is stored
    std::atomic<bool> room{false};    // a member of shared groups that would hand over at once; kept by the holder's thread
    std::atomic<std::uint32_t> plain_filters{0}; // its filters in the trie that are not shared; kept by the trie
    session* held = nullptr;
};

} // namespace broker
