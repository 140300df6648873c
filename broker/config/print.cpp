#include "config/load.hpp"
#include "config/written.hpp"

#include <fmt/format.h>

#include <array>

namespace broker::config {

namespace {

std::string queue_text(declared_queue q) {
    auto& s = q.settings;
    std::string text = "\n[[queue]]\n";
    const auto line = [&text](std::string_view key, auto to) {
        text += fmt::format("{} = {}\n", key, value_text({.key = key, .to = to}));
    };
    line("name", &q.name);
    if (s.messages_max) line("messages", count_value{&*s.messages_max});
    if (s.bytes_max) line("bytes", size_value{&*s.bytes_max});
    if (s.ttl) line("ttl", &*s.ttl);
    if (s.policy) line("policy", &*s.policy);
    if (s.dead_letter) line("dead_letter", &*s.dead_letter);
    if (s.max_deliveries) line("max_deliveries", &*s.max_deliveries);
    if (s.priority) line("priority", &*s.priority);
    return text;
}

std::string role_text(role& r) {
    std::string text = "\n[[role]]\n";
    const auto line = [&text](std::string_view key, auto to) { text += fmt::format("{} = {}\n", key, value_text({.key = key, .to = to})); };
    line("name", &r.name);
    line("rules", &r.rules);
    line("users", &r.users);
    line("everybody", &r.everybody);
    line("anonymous", &r.anonymous);
    return text;
}

std::string tls_text(const tls_settings& s) {
    const auto& own = s.certificates.front();
    std::string client;
    if (s.client.verify != tls_client_settings::verification::none) {
        client = fmt::format(", client = {{ verify = \"{}\", ca = \"{}\", {}identity = \"{}\" }}",
                             tls_verifications[static_cast<std::size_t>(s.client.verify)], s.client.ca,
                             s.client.crl.empty() ? "" : fmt::format("crl = \"{}\", ", s.client.crl),
                             tls_identities[static_cast<std::size_t>(s.client.identity)]);
    }
    std::string more;
    for (std::size_t i = 1; i != s.certificates.size(); ++i) {
        more += fmt::format("{}{{ cert = \"{}\", key = \"{}\" }}", i == 1 ? "" : ", ", s.certificates[i].cert, s.certificates[i].key);
    }
    return fmt::format("tls = {{ cert = \"{}\", key = \"{}\", min = \"{}\", watch = {}{} }}\n", own.cert, own.key,
                       s.min == tls_version::v1_3 ? "1.3" : "1.2", s.watch,
                       client + (more.empty() ? "" : fmt::format(", certificates = [{}]", more)));
}

} // namespace

std::string print(options o) {
    std::string text;
    std::string section;
    for (const auto& one : option_table(o)) {
        const auto dot = one.key.find('.');
        if (one.key.substr(0, dot) != section) {
            section = one.key.substr(0, dot);
            text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
        }
        text += fmt::format("{} = {}\n", one.key.substr(dot + 1), value_text(one));
    }
    for (const auto& q : o.queues) text += queue_text(q);
    for (auto r : o.auth.roles) text += role_text(r);
    for (auto& l : o.listeners) {
        constexpr std::array<std::string_view, 4> names{"\"ws\"", "\"mqtt\"", "\"stomp\"", "\"mqtt\", \"stomp\""};
        const bool v6 = l.host.find(':') != std::string::npos;
        text += fmt::format("\n[[listener]]\nname = \"{}\"\nbind = \"{}{}{}:{}\"\nprotocols = [{}]\n", l.name, v6 ? "[" : "",
                            l.host, v6 ? "]" : "", l.port, names[static_cast<std::size_t>(l.protocol)]);
        if (l.allowed_origins) text += fmt::format("ws.allowed_origins = {}\n", value_text({.key = "", .to = &*l.allowed_origins}));
        if (l.allow_missing_origin) text += fmt::format("ws.allow_missing_origin = {}\n", *l.allow_missing_origin);
        const auto& c = l.compression;
        if (c.enabled) text += fmt::format("ws.compression.enabled = {}\n", *c.enabled);
        if (c.min_size) text += fmt::format("ws.compression.min_size = {}\n", value_text({.key = "", .to = size_value{&*l.compression.min_size}}));
        if (c.context_takeover) text += fmt::format("ws.compression.context_takeover = {}\n", *c.context_takeover);
        if (!l.stomp_separator.empty()) text += fmt::format("stomp.separator = \"{}\"\n", l.stomp_separator);
        if (l.max_connections != 0) text += fmt::format("max_connections = {}\n", l.max_connections);
        if (l.tls) text += tls_text(*l.tls);
        if (l.proxy) {
            text += fmt::format("proxy = {{ trusted = {}, headers = {}, protocol = \"{}\" }}\n", value_text({.key = "", .to = &l.proxy->trusted}),
                                value_text({.key = "", .to = &l.proxy->headers}), l.proxy->protocol);
        }
    }
    return text;
}

} // namespace broker::config
