#include "config/load.hpp"

#include "config/written.hpp"
#include "core/topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

namespace broker::config {

namespace {

bool is_loopback(std::string_view host) { return host.starts_with("127.") || host == "::1" || host == "localhost"; }

std::string read_file(const std::string& file) {
    std::ifstream in{file, std::ios::binary};
    if (!in) throw config_error{fmt::format("{}: cannot be read; check the name and its permissions", file)};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace

void load_file(options& o, const std::string& file) {
    apply_toml(o, read_file(file), file);
    const auto drop_ins = std::filesystem::path{file}.parent_path() / "conf.d";
    std::error_code ec;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator{drop_ins, ec}) {
        if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
    }
    std::ranges::sort(files);
    for (const auto& f : files) apply_toml(o, read_file(f), f);
}

void apply_environment(options& o, const char* const* environment) {
    constexpr std::string_view prefix = "BROKERD__";
    const auto table = option_table(o);
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view line{*environment};
        if (!line.starts_with(prefix)) continue;
        const auto equals = line.find('=');
        const std::string name{line.substr(0, equals)};
        std::string key;
        for (std::size_t i = prefix.size(); i < name.size(); ++i) {
            if (name.compare(i, 2, "__") == 0) {
                key += '.';
                ++i;
            } else {
                key += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
            }
        }
        const auto at = std::ranges::find(table, key, &option::key);
        if (at == table.end()) fail_at(name, key, fmt::format("unknown key; did you mean {}?", nearest(table, key)));
        const std::string value{line.substr(equals + 1)};
        written w{.text = value, .list = std::vector<std::string>{}};
        for (std::size_t from = 0; from < value.size();) {
            const auto comma = std::min(value.find(',', from), value.size());
            w.list->push_back(value.substr(from, comma - from));
            from = comma + 1;
        }
        if (value == "true" || value == "false") w.truth = value == "true";
        std::int64_t number = 0;
        const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (bad == std::errc{} && end == value.data() + value.size()) w.integer = number;
        assign(name, key, w, at->to);
    }
}

namespace {

// Values that the code could not keep to.
void check_ranges(const limits& b) {
    const auto within = [](std::string_view key, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
        if (value >= least && value <= most) return;
        throw config_error{fmt::format("{}: is {}; must be {} to {}", key, value, least, most)};
    };
    within("limits.max_topic_levels", b.max_topic_levels, 1, topic_levels_max);
    within("limits.tls_handshakes", b.tls_handshakes_max, 1, 1'000'000);
    within("limits.max_topic_bytes", b.max_topic_bytes, 1, 0xFFFF);                  // [MQTT-4.7.3-3]
    within("limits.max_message", b.max_message_bytes, 1024, 256 * 1024 * 1024);      // MQTT 5 §2.1.4
    within("mqtt.receive_maximum", b.mqtt_receive_maximum, 1, 0xFFFF);               // MQTT 5 §3.2.2.3.3
    within("mqtt.max_keep_alive", static_cast<std::uint64_t>(b.mqtt_max_keep_alive.count()), 0, 0xFFFF); // §3.2.2.3.14
}

void validate_queues(const options& o) {
    std::set<std::string_view> names;
    for (const auto& q : o.queues) {
        for (const auto& name : {q.name, q.settings.dead_letter.value_or("")}) {
            if (!name.empty() && !is_topic_name(std::string{queue_prefix} + name, o.bounds)) {
                throw config_error{fmt::format("queue {}: not a queue's name; it is text without wildcards, at most "
                                               "limits.max_topic_bytes long", name)};
            }
        }
        if (!names.insert(q.name).second) throw config_error{fmt::format("queue {}: is declared twice", q.name)};
    }
}

// A page of anybody could come in as its visitor.
void check_cookie_sources(const options& o) {
    if (std::ranges::none_of(o.auth.jwt_sources, [](const std::string& s) { return s.starts_with("cookie:"); })) return;
    for (const auto& l : o.listeners) {
        const auto& origins = l.allowed_origins.value_or(o.allowed_origins);
        if (l.protocol != listener_protocol::ws || std::ranges::find(origins, "*") == origins.end()) continue;
        throw config_error{fmt::format("listener {}: ws.allowed_origins has \"*\" and auth.jwt.sources a cookie: every page could come in as its visitor; "
                                       "write the origins of your own pages, as in [\"https://app.example.com\"]", l.name)};
    }
}

} // namespace

void validate(const options& o) {
    check_ranges(o.bounds);
    check_cookie_sources(o);
    validate_queues(o);
    if (o.admin_tls_cert.empty() != o.admin_tls_key.empty()) throw config_error{"admin.tls_cert and admin.tls_key belong together; write both, or neither"};
    if (o.listeners.empty()) throw config_error{"no listener: write a [[listener]] section or --listen ws://127.0.0.1:8083"};
    for (std::size_t i = 0; i != o.listeners.size(); ++i) {
        const auto& a = o.listeners[i];
        if (!o.auth.anonymous && !o.auth.has_method() && !is_loopback(a.host)) {
            throw config_error{fmt::format("listener {}: {} is not a loopback address and there is no authentication; write "
                                           "password_file, jwt.key_file or store = true in [auth], or anonymous = true if everybody may connect",
                                           a.name, a.host)};
        }
        if (a.tls && a.tls->certificates.empty()) {
            throw config_error{fmt::format("listener {}: TLS needs a certificate; add --tls-cert FILE --tls-key FILE, or write "
                                           "tls = {{ cert, key }} in its [[listener]] section", a.name)};
        }
        for (std::size_t j = 0; j != i; ++j) {
            const auto& b = o.listeners[j];
            if (a.port != 0 && a.host == b.host && a.port == b.port) {
                throw config_error{fmt::format("listeners {} and {}: both bind {}:{}", b.name, a.name, a.host, a.port)};
            }
        }
    }
}

listener parse_listen_url(std::string_view url) {
    const auto colon = url.find("://");
    const auto scheme = url.substr(0, colon);
    listener l;
    if (scheme == "ws" || scheme == "wss") l.protocol = listener_protocol::ws;
    else if (scheme == "mqtt" || scheme == "mqtts") l.protocol = listener_protocol::mqtt;
    else if (scheme == "stomp" || scheme == "stomps") l.protocol = listener_protocol::stomp;
    else if (scheme == "tcp" || scheme == "tls") l.protocol = listener_protocol::tcp;
    else {
        throw config_error{fmt::format("--listen {}: unknown scheme; known are ws, mqtt, stomp and tcp, and with TLS wss, mqtts, "
                                       "stomps and tls", url)};
    }
    if (scheme == "wss" || scheme == "mqtts" || scheme == "stomps" || scheme == "tls") l.tls.emplace();
    auto rest = colon == std::string_view::npos ? std::string_view{} : url.substr(colon + 3);
    rest = rest.substr(0, rest.find('/', rest.find(']') == std::string_view::npos ? 0 : rest.find(']')));
    std::tie(l.host, l.port) = parse_bind("--listen", std::string{url}, rest);
    l.name = std::string{scheme};
    return l;
}

} // namespace broker::config
