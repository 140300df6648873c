// Listeners and their certificates, as the admin API shows them and reads them again.
#include "admin_node.hpp"
#include "net/tls_endpoint.hpp"

#include <fmt/format.h>

namespace broker {

using admin::admin_error;

admin::listener_row admin_node::listener_row_of(const listener_address& at, const listener_info& of) {
    admin::listener_row row{.name = at.name, .url = url(at), .connections = of.open->load(std::memory_order_relaxed), .connections_max = of.connections_max};
    if (!of.tls) return row;
    row.handshakes_under_way = of.tls->handshakes_under_way();
    row.handshakes = of.tls->handshakes.load(std::memory_order_relaxed);
    row.handshakes_resumed = of.tls->handshakes_resumed.load(std::memory_order_relaxed);
    row.handshakes_failed = of.tls->handshakes_failed.load(std::memory_order_relaxed);
    for (const auto& c : of.tls->current()->certificates()) {
        row.certificates.push_back({.file = c.file, .subject = c.subject, .issuer = c.issuer, .names = c.names, .fingerprint = c.fingerprint, .not_before = c.not_before, .not_after = c.not_after});
    }
    return row;
}

result<std::vector<std::string>, admin_error> admin_node::reload_tls(const std::string& listener) {
    std::vector<std::string> wrong;
    bool any = false;
    for (const auto& l : facts_.infos) {
        if (!l->tls || (!listener.empty() && l->name != listener)) continue;
        any = true;
        if (auto done = l->tls->reload("brokerctl"); !done) wrong.push_back(fmt::format("listener {}: {}", l->name, done.error()));
    }
    if (any) return wrong;
    return fail(admin_error{admin_error::kind::not_found, listener.empty() ? "no listener speaks TLS" : "no listener " + listener + " speaks TLS"});
}

} // namespace broker
