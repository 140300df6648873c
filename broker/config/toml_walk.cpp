#include "config/load.hpp"
#include "config/written.hpp"
#include "security/address.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <span>

namespace broker::config {

namespace {

class toml_walk {
public:
    toml_walk(options& o, const std::string& file) : options_{o}, table_{option_table(o)}, file_{file} {}

    void table(const toml::table& t, const std::string& prefix) {
        for (const auto& [name, node] : t) {
            const auto key = prefix.empty() ? std::string{name.str()} : fmt::format("{}.{}", prefix, name.str());
            if (key == "listener") {
                each(node, key, [this](const toml::table& one) { options_.listeners.push_back(listener_of(one)); });
            } else if (key == "queue") {
                each(node, key, [this](const toml::table& one) { options_.queues.push_back(queue_of(one)); });
            } else if (key == "role") {
                each(node, key, [this](const toml::table& one) { options_.auth.roles.push_back(role_of(one)); });
            } else if (const auto* const inner = node.as_table()) {
                if (std::ranges::none_of(table_, [&](const option& o) { return o.key.starts_with(key + "."); })) {
                    fail_at(where(node), key, fmt::format("unknown section; did you mean {}?", nearest(table_, key)));
                }
                table(*inner, key);
            } else {
                value(key, node);
            }
        }
    }

private:
    std::string where(const toml::node& n) const {
        return fmt::format("{}:{}:{}", file_, n.source().begin.line, n.source().begin.column);
    }
    void value(const std::string& key, const toml::node& node) {
        const auto at = std::ranges::find(table_, key, &option::key);
        if (at == table_.end()) {
            fail_at(where(node), key, fmt::format("unknown key; did you mean {}?", nearest(table_, key)));
        }
        const auto w = as_written(node);
        const auto place = where(node);
        assign(place, key, w, at->to);
    }
    static written as_written(const toml::node& node) {
        written w;
        if (const auto* const b = node.as_boolean()) w.truth = b->get();
        if (const auto* const i = node.as_integer()) w.integer = i->get();
        if (const auto* const s = node.as_string()) w.text = s->get();
        if (const auto* const all = node.as_array()) {
            w.list.emplace();
            for (const auto& one : *all) {
                const auto* const s = one.as_string();
                if (s == nullptr) return {};
                w.list->push_back(s->get());
            }
        }
        return w;
    }
    // Tables in an array, [[key]].
    void each(const toml::node& node, const std::string& key, const std::function<void(const toml::table&)>& take) {
        const auto* const all = node.as_array();
        if (all == nullptr) fail_at(where(node), key, fmt::format("must be written as [[{}]]", key));
        for (const auto& one : *all) {
            const auto* const table_of_it = one.as_table();
            if (table_of_it == nullptr) fail_at(where(one), key, fmt::format("must be written as [[{}]]", key));
            take(*table_of_it);
        }
    }
    declared_queue queue_of(const toml::table& t) {
        declared_queue q;
        auto& s = q.settings;
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("queue.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const auto set = [&](const target& to) { assign(place, key, w, to); };
            if (name.str() == "name") set(&q.name);
            else if (name.str() == "messages") set(count_value{&s.messages_max.emplace()});
            else if (name.str() == "bytes") set(size_value{&s.bytes_max.emplace()});
            else if (name.str() == "ttl") set(&s.ttl.emplace());
            else if (name.str() == "policy") set(&s.policy.emplace());
            else if (name.str() == "dead_letter") set(&s.dead_letter.emplace());
            else if (name.str() == "max_deliveries") set(&s.max_deliveries.emplace());
            else if (name.str() == "priority") set(&s.priority.emplace());
            else fail_at(place, key, "unknown key; known are name, messages, bytes, ttl, policy, dead_letter, max_deliveries and priority");
        }
        if (q.name.empty()) fail_at(where(t), "queue.name", "is missing; write name = \"jobs\"");
        return q;
    }
    role role_of(const toml::table& t) {
        role r;
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("role.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const auto set = [&](const target& to) { assign(place, key, w, to); };
            if (name.str() == "name") set(&r.name);
            else if (name.str() == "rules") set(&r.rules);
            else if (name.str() == "users") set(&r.users);
            else if (name.str() == "everybody") set(&r.everybody);
            else if (name.str() == "anonymous") set(&r.anonymous);
            else fail_at(place, key, "unknown key; known are name, rules, users, everybody and anonymous");
        }
        if (r.name.empty()) fail_at(where(t), "role.name", "is missing; write name = \"driver\"");
        return r;
    }
    std::string separator_of(const toml::table& t) {
        for (const auto& [name, node] : t) {
            const auto* const text = node.as_string();
            if (name.str() != "separator") {
                fail_at(where(node), fmt::format("listener.stomp.{}", name.str()), "unknown key; known is stomp.separator");
            }
            if (text == nullptr || (text->get() != "slash" && text->get() != "dot")) {
                fail_at(where(node), "listener.stomp.separator", "must be \"slash\" or \"dot\"");
            }
            return text->get();
        }
        return {};
    }
    listener_compression compression_of(const toml::table& t) {
        listener_compression c;
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("listener.ws.compression.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const auto set = [&](const target& to) { assign(place, key, w, to); };
            if (name.str() == "enabled") set(&c.enabled.emplace());
            else if (name.str() == "min_size") set(size_value{&c.min_size.emplace()});
            else if (name.str() == "context_takeover") set(&c.context_takeover.emplace());
            else fail_at(place, key, "unknown key; known are enabled, min_size and context_takeover");
        }
        return c;
    }
    void take_ws(const toml::table& t, listener& l) {
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("listener.ws.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const auto set = [&](const target& to) { assign(place, key, w, to); };
            if (name.str() == "allowed_origins") set(&l.allowed_origins.emplace());
            else if (name.str() == "allow_missing_origin") set(&l.allow_missing_origin.emplace());
            else if (name.str() == "compression" && node.is_table()) l.compression = compression_of(*node.as_table());
            else fail_at(place, key, "unknown key; known are ws.allowed_origins, ws.allow_missing_origin and ws.compression = { enabled, min_size, context_takeover }");
        }
    }
    // "file:/etc/x.pem" and "/etc/x.pem" are the same.
    std::string file_of(const toml::node& node, const std::string& key) {
        const auto* const text = node.as_string();
        if (text == nullptr || text->get().empty()) fail_at(where(node), key, "must be a file's name, as in \"/etc/brokerd/tls/key.pem\"");
        const std::string_view name{text->get()};
        if (name.starts_with("env:")) fail_at(where(node), key, "certificates and keys are read from files; write file:/PATH");
        return std::string{name.starts_with("file:") ? name.substr(5) : name};
    }
    static void check_named(const tls_certificate_files& files, const std::string& place, const std::string& key) {
        for (const auto& [part, name] : {std::pair{"cert", &files.cert}, {"key", &files.key}}) {
            if (name->empty()) fail_at(place, fmt::format("{}.{}", key, part), fmt::format("is missing; write {} = \"FILE\"", part));
        }
    }
    // One more than the listener's own.
    tls_certificate_files certificate_of(const toml::node& one, const std::string& key) {
        const auto* const table_of_it = one.as_table();
        if (table_of_it == nullptr) fail_at(where(one), key, "must be a list of { cert, key }");
        tls_certificate_files files;
        for (const auto& [name, node] : *table_of_it) {
            const auto part = fmt::format("{}.{}", key, name.str());
            if (name.str() == "cert") files.cert = file_of(node, part);
            else if (name.str() == "key") files.key = file_of(node, part);
            else fail_at(where(node), part, "unknown key; known are cert and key");
        }
        check_named(files, where(one), key);
        return files;
    }
    tls_client_settings client_of(const toml::table& t, const std::string& key) {
        tls_client_settings s;
        for (const auto& [name, node] : t) {
            const auto part = fmt::format("{}.{}", key, name.str());
            const auto text = node.value_or(std::string{});
            if (name.str() == "ca") s.ca = file_of(node, part);
            else if (name.str() == "crl") s.crl = file_of(node, part);
            else if (name.str() == "verify") s.verify = static_cast<tls_client_settings::verification>(one_of(node, part, text, tls_verifications));
            else if (name.str() == "identity") s.identity = static_cast<tls_client_settings::name>(one_of(node, part, text, tls_identities));
            else fail_at(where(node), part, "unknown key; known are verify, ca, crl and identity");
        }
        if (s.verify != tls_client_settings::verification::none && s.ca.empty()) {
            fail_at(where(t), key + ".ca", "is missing; write ca = \"FILE\" with the certificates that sign clients'");
        }
        if (s.verify == tls_client_settings::verification::none && !(s.ca.empty() && s.crl.empty())) {
            fail_at(where(t), key + ".verify", "is missing; write verify = \"required\" or \"optional\"");
        }
        return s;
    }
    std::size_t one_of(const toml::node& node, const std::string& key, std::string_view text, std::span<const std::string_view> words) {
        const auto at = std::ranges::find(words, text);
        if (at == words.end()) fail_at(where(node), key, fmt::format("must be one of {}", fmt::join(words, ", ")));
        return static_cast<std::size_t>(at - words.begin());
    }
    tls_settings tls_of(const toml::table& t) {
        tls_settings s;
        tls_certificate_files files;
        std::vector<tls_certificate_files> more;
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("listener.tls.{}", name.str());
            if (name.str() == "cert") {
                files.cert = file_of(node, key);
            } else if (name.str() == "key") {
                files.key = file_of(node, key);
            } else if (name.str() == "min") {
                const auto text = node.value_or(std::string{});
                if (text != "1.2" && text != "1.3") fail_at(where(node), key, "must be \"1.2\" or \"1.3\"");
                s.min = text == "1.3" ? tls_version::v1_3 : tls_version::v1_2;
            } else if (name.str() == "watch") {
                const auto* const truth = node.as_boolean();
                if (truth == nullptr) fail_at(where(node), key, "must be true or false");
                s.watch = truth->get();
            } else if (name.str() == "certificates" && node.is_array()) {
                for (const auto& one : *node.as_array()) more.push_back(certificate_of(one, key));
            } else if (name.str() == "client" && node.is_table()) {
                s.client = client_of(*node.as_table(), key);
            } else {
                fail_at(where(node), key, "unknown key; known are cert, key, min, watch, client = { verify, ca, crl, identity } and "
                                          "certificates = [{ cert, key }]");
            }
        }
        check_named(files, where(t), "listener.tls");
        s.certificates.push_back(std::move(files));
        s.certificates.insert(s.certificates.end(), more.begin(), more.end());
        return s;
    }
    proxy_settings proxy_of(const toml::table& t) {
        proxy_settings s;
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("listener.proxy.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const auto set = [&](const target& to) { assign(place, key, w, to); };
            if (name.str() == "trusted") {
                set(&s.trusted);
                if (const auto parsed = security::networks::parse(s.trusted); !parsed) fail_at(place, key, parsed.error());
            } else if (name.str() == "headers") {
                set(&s.headers);
                for (auto& h : s.headers) {
                    std::ranges::transform(h, h.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
                    if (h != "x-forwarded-for" && h != "forwarded") fail_at(place, key, fmt::format("\"{}\" is neither x-forwarded-for nor forwarded", h));
                }
            } else if (name.str() == "protocol") {
                set(choice_value{&s.protocol, "off|optional|required"});
            } else {
                fail_at(place, key, "unknown key; known are trusted, headers and protocol");
            }
        }
        if (s.trusted.empty()) fail_at(where(t), "listener.proxy.trusted", "is missing; write the proxies' addresses, as in [\"10.0.0.0/8\"]");
        return s;
    }
    listener listener_of(const toml::table& t) {
        listener l;
        std::vector<std::string> protocols;
        bool bound = false;
        for (const auto& [name, node] : t) {
            const auto place = where(node);
            const auto* const text = node.as_string();
            if (name.str() == "name" && text != nullptr) {
                l.name = text->get();
            } else if (name.str() == "bind" && text != nullptr) {
                std::tie(l.host, l.port) = parse_bind(place, "listener.bind", text->get());
                bound = true;
            } else if (name.str() == "protocols" && node.is_array()) {
                for (const auto& p : *node.as_array()) protocols.push_back(p.value_or(std::string{}));
            } else if (name.str() == "stomp" && node.is_table()) {
                l.stomp_separator = separator_of(*node.as_table());
            } else if (name.str() == "ws" && node.is_table()) {
                take_ws(*node.as_table(), l);
            } else if (name.str() == "tls" && node.is_table()) {
                l.tls = tls_of(*node.as_table());
            } else if (name.str() == "proxy" && node.is_table()) {
                l.proxy = proxy_of(*node.as_table());
            } else if (name.str() == "max_connections") {
                assign(place, "listener.max_connections", as_written(node), count_value{&l.max_connections});
            } else if (name.str() == "name" || name.str() == "bind" || name.str() == "protocols") {
                fail_at(place, fmt::format("listener.{}", name.str()), "name and bind are strings, protocols a list");
            } else {
                fail_at(place, fmt::format("listener.{}", name.str()),
                        "unknown key; known are name, bind, protocols, ws.allowed_origins, ws.allow_missing_origin, ws.compression, stomp.separator, "
                        "max_connections, tls = { cert, key } and proxy = { trusted, headers, protocol }");
            }
        }
        if (!bound) fail_at(where(t), "listener.bind", "is missing; write bind = \"127.0.0.1:8083\"");
        std::ranges::sort(protocols);
        if (protocols == std::vector<std::string>{"ws"}) l.protocol = listener_protocol::ws;
        else if (protocols == std::vector<std::string>{"mqtt"}) l.protocol = listener_protocol::mqtt;
        else if (protocols == std::vector<std::string>{"stomp"}) l.protocol = listener_protocol::stomp;
        else if (protocols == std::vector<std::string>{"mqtt", "stomp"}) l.protocol = listener_protocol::tcp;
        else fail_at(where(t), "listener.protocols", "must be [\"ws\"], [\"mqtt\"], [\"stomp\"] or [\"mqtt\", \"stomp\"]");
        if (l.name.empty()) l.name = protocols.front();
        return l;
    }

    options& options_;
    std::vector<option> table_;
    const std::string& file_;
};

} // namespace

void apply_toml(options& o, std::string_view text, const std::string& file) {
    try {
        toml_walk{o, file}.table(toml::parse(text, file), "");
    } catch (const toml::parse_error& e) {
        throw config_error{fmt::format("{}:{}:{}: {}", file, e.source().begin.line, e.source().begin.column, e.description())};
    }
}

} // namespace broker::config
