// The ids of the broker. Zero is "none" for every one of them except shard_index.
#pragma once

#include "core/strong.hpp"

#include <cstdint>

namespace broker {

using packet_id = strong<std::uint16_t, struct packet_id_tag>;         // MQTT packet identifier
using connection_id = strong<std::uint64_t, struct connection_id_tag>; // never reused while the process lives
using session_id = strong<std::uint64_t, struct session_id_tag>;       // sessions and queues; never reused, also after a restart
using message_id = strong<std::uint64_t, struct message_id_tag>;       // process-wide, monotone, never repeats across restarts
using shard_index = strong<std::uint16_t, struct shard_index_tag>;

// A shard's store batches are numbered from 1. "Ticket n is durable": batch n and every earlier one of the same
// shard is on disk as the durability level promises. Ticket 0 is always durable.
using ticket = strong<std::uint64_t, struct ticket_tag>;

} // namespace broker
