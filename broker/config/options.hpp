// What an operator can set, with its defaults. option_table.cpp says how each is written.
#pragma once

#include "core/limits.hpp"
#include "core/queue_settings.hpp"
#include "storage/store.hpp"

#include <string>
#include <vector>

namespace broker::config {

enum class listener_protocol : std::uint8_t { ws, mqtt, stomp, tcp };

struct listener {
    std::string name{};
    listener_protocol protocol = listener_protocol::ws;
    std::string host{"127.0.0.1"};
    std::uint16_t port = 0;
    std::string stomp_separator{}; // slash or dot; empty: as stomp.separator says
};

struct options {
    std::string node_name = "brokerd";
    std::string data_dir = "data";
    std::uint32_t threads = 0; // 0: one per core
    storage::durability durability = storage::durability::sync;
    bool anonymous = false;    // written out: other than loopback addresses may be bound without authentication
    std::string log_level = "info";
    std::string log_format = "auto"; // text on a terminal, JSON otherwise
    std::string admin_socket{};      // empty: DATA_DIR/admin.sock
    std::string admin_http = "off";  // HOST:PORT
    seconds sys_interval{10};        // 0: no $SYS topics
    std::string stomp_separator = "slash"; // of listeners that do not say
    std::vector<listener> listeners{};
    std::vector<declared_queue> queues{}; // [[queue]]
    limits bounds{};
};

} // namespace broker::config
