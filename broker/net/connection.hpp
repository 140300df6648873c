// connection: one socket: [handshake] → [WebSocket codec] → engine → outbox. Reads all there is, routes it, writes once
// per turn.
//
// Phases: opening (TLS handshake on TLS listeners, then handshake on WebSocket listeners or sniffing on tcp listeners) → open
// → draining (nothing is read into the engine any more; what is owed is written, then the sending side is shut) → gone.
#pragma once

#include "core/close_reason.hpp"
#include "net/doorkeeper.hpp"
#include "net/gate.hpp"
#include "net/listener_info.hpp"
#include "net/socket_stream.hpp"
#include "net/user_quotas.hpp"
#include "protocols/engine.hpp"
#include "shard/shard.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace broker {


// What connections of all shards share.
struct connection_environment {
    std::string node_name;
    doorkeeper& door;
    user_quotas& quotas;
    std::atomic<std::uint64_t> next_id{1};
    access_desk* access = nullptr; // null: everybody is let in
};

// What listings show beside the engine's own words.
struct connection_summary {
    std::string_view listener;
    security::ip_endpoint client; // behind proxies that are believed
    std::string_view transport;
    time_point connected_at{};
    std::size_t outbox_bytes = 0;
    std::string_view identity{}; // of its TLS certificate; empty: it has shown none
};

class connection;

// Takes an accepted socket: the shard owns the connection from then on. One more than are served is closed at once.
void open_connection(shard& on, int socket, const boost::asio::ip::tcp::endpoint& peer, const listener_info& from,
                     connection_environment& environment);

// The summary of a connection of a shard (every shard_connection is a connection).
[[nodiscard]] connection_summary summary(const shard_connection& c);

// A new token or API key for the client of a connection, as if it had brought it itself: what is not good ends the connection. When it ends, or
// why it was refused; nothing: no client that had to prove itself is in over it. Threading: its shard's thread.
[[nodiscard]] std::optional<result<time_point, close_cause>> renew_token(shard_connection& c, std::string_view token);

} // namespace broker
