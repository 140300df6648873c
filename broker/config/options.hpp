// What an operator can set, with its defaults. option_table.cpp says how each is written.
#pragma once

#include "core/compression.hpp"
#include "core/limits.hpp"
#include "core/queue_settings.hpp"
#include "core/tls_settings.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace broker::config {

enum class listener_protocol : std::uint8_t { ws, mqtt, stomp, tcp };

struct proxy_settings { // listener key `proxy`
    std::vector<std::string> trusted{}; // addresses and networks
    std::vector<std::string> headers{"x-forwarded-for"};
    std::string protocol = "off"; // the PROXY protocol's header: off, optional or required
};

struct listener_compression { // nothing: as ws.compression says
    std::optional<bool> enabled{};
    std::optional<std::size_t> min_size{};
    std::optional<bool> context_takeover{};

    [[nodiscard]] compression_settings over(const compression_settings& all) const {
        return {enabled.value_or(all.enabled), min_size.value_or(all.min_size), context_takeover.value_or(all.context_takeover)};
    }
};

struct listener {
    std::string name{};
    listener_protocol protocol = listener_protocol::ws;
    std::string host{"127.0.0.1"};
    std::uint16_t port = 0;
    std::string stomp_separator{}; // slash or dot; empty: as stomp.separator says
    std::optional<std::vector<std::string>> allowed_origins{}; // nothing: as ws.allowed_origins says
    std::optional<bool> allow_missing_origin{};
    listener_compression compression{};
    std::optional<tls_settings> tls{}; // nothing: plain
    std::optional<proxy_settings> proxy{};
    std::size_t max_connections = 0; // 0: as limits.max_connections says
};

struct role { // [[role]]
    std::string name{};
    std::vector<std::string> rules{}; // "allow publish fleet/%u/#"
    std::vector<std::string> users{}; // who has it
    bool everybody = false;
    bool anonymous = false;           // clients without a user
};

struct auth_options {
    bool anonymous = false; // written out: clients without credentials are let in
    std::vector<std::string> order{"jwt", "apikeys", "users", "http"};
    std::string default_policy = "open-without-rules";
    bool store = false; // somebody has to prove who he is, with what the store has: users and API keys
    std::string password_file{};
    std::string acl_file{};
    std::string jwt_key_file{};
    std::string jwt_jwks_file{};
    std::string jwt_jwks_url{};
    seconds jwt_jwks_refresh{3'600};
    std::string jwt_jwks_ca{}; // empty: the authorities the system trusts
    bool plain_http = false;   // http:// also to hosts that are not this one
    std::vector<std::string> jwt_algorithms{};
    std::string jwt_issuer{};
    std::vector<std::string> jwt_audience{};
    std::vector<std::string> jwt_sources{"header", "query:access_token", "subprotocol", "password"};
    seconds jwt_leeway{30};
    std::string jwt_user_claim = "sub";
    bool jwt_require_expiry = true;
    std::string jwt_scope_prefix = "brokerd:";
    std::size_t jwt_token_bytes_max = 8 * 1024;
    seconds jwt_grace{15};
    seconds jwt_warn_before{60};
    std::string http_url{};
    milliseconds http_timeout{2'000};
    seconds http_cache{10};
    std::string http_secret{}; // file:PATH, env:NAME
    std::vector<std::string> http_headers{};
    std::string http_ca{}; // empty: the authorities the system trusts
    std::vector<role> roles{};

    // Somebody has to prove who he is.
    [[nodiscard]] bool has_method() const {
        return store || std::ranges::find(order, "certificate") != order.end() || !password_file.empty() || !jwt_key_file.empty() || !jwt_jwks_file.empty() || !jwt_jwks_url.empty() || !http_url.empty();
    }
};

struct options {
    std::string node_name = "brokerd";
    std::string data_dir = "data";
    std::uint32_t threads = 0; // 0: one per core
    storage::durability durability = storage::durability::sync;
    auth_options auth{};
    std::string log_level = "info";
    std::string log_format = "auto"; // text on a terminal, JSON otherwise
    std::string admin_socket{};      // empty: DATA_DIR/admin.sock
    std::string admin_http = "off";  // HOST:PORT
    std::string admin_tls_cert{};    // empty: admin.http is plain
    std::string admin_tls_key{};
    seconds sys_interval{10};        // 0: no $SYS topics
    std::string stomp_separator = "slash"; // of listeners that do not say
    std::vector<std::string> allowed_origins{"same-origin"}; // of listeners that do not say
    bool allow_missing_origin = true;
    compression_settings compression{}; // of listeners that do not say
    std::vector<listener> listeners{};
    std::vector<declared_queue> queues{}; // [[queue]]
    limits bounds{};
};

} // namespace broker::config
