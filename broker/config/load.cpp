#include "config/load.hpp"

#include "config/option_table.hpp"
#include "core/topic.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <sstream>

namespace broker::config {

namespace {

[[noreturn]] void fail_at(const std::string& where, std::string_view key, std::string_view why) {
    throw config_error{fmt::format("{}: {}: {}", where, key, why)};
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i != a.size(); ++i) {
        auto diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j != b.size(); ++j) {
            const auto next = std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    return row.back();
}

std::string nearest(const std::vector<option>& table, std::string_view key) {
    const auto best = std::ranges::min_element(table, {}, [&](const option& o) { return distance(o.key, key); });
    return std::string{best->key};
}

// "10s" → 10 and "s".
std::optional<std::pair<std::uint64_t, std::string_view>> number_and_unit(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{}) return std::nullopt;
    auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    return std::pair{value, unit};
}

std::uint64_t parse_size(const std::string& where, std::string_view key, std::string_view text) {
    const auto parsed = number_and_unit(text);
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units{
        {{"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}}};
    for (const auto& [unit, factor] : units) {
        if (parsed && parsed->second == unit && parsed->first <= (std::uint64_t{1} << 40) / factor) return parsed->first * factor;
    }
    fail_at(where, key, fmt::format("\"{}\" is not a size; write a number with B, KiB, MiB or GiB, as in \"64KiB\"", text));
}

milliseconds parse_duration(const std::string& where, std::string_view key, std::string_view text) {
    const auto parsed = number_and_unit(text);
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    for (const auto& [unit, factor] : units) {
        if (parsed && parsed->second == unit && parsed->first < 1'000'000'000) {
            return milliseconds{static_cast<std::int64_t>(parsed->first) * factor};
        }
    }
    fail_at(where, key, fmt::format("\"{}\" is not a duration; write a number with ms, s, m, h or d, as in \"10s\"", text));
}

// One value as the file or the environment wrote it.
struct written {
    std::optional<bool> truth{};
    std::optional<std::int64_t> integer{};
    std::optional<std::string> text{};
    std::optional<std::vector<std::string>> list{};
};

struct assigner {
    const std::string& where;
    std::string_view key;
    const written& value;

    std::int64_t integer(std::int64_t most) const {
        if (!value.integer) fail_at(where, key, "must be an integer");
        if (*value.integer < 0 || *value.integer > most) fail_at(where, key, fmt::format("must be 0 to {}", most));
        return *value.integer;
    }
    const std::string& text(std::string_view example) const {
        if (!value.text) fail_at(where, key, fmt::format("must be a string, as in {}", example));
        return *value.text;
    }
    void operator()(bool* to) const {
        if (!value.truth) fail_at(where, key, "must be true or false");
        *to = *value.truth;
    }
    void operator()(std::uint16_t* to) const { *to = static_cast<std::uint16_t>(integer(65'535)); }
    void operator()(std::uint32_t* to) const { *to = static_cast<std::uint32_t>(integer(1'000'000)); }
    void operator()(const count_value& to) const { *to.to = static_cast<std::size_t>(integer(1'000'000'000'000)); }
    void operator()(const size_value& to) const { *to.to = parse_size(where, key, text("\"64KiB\"")); }
    void operator()(seconds* to) const {
        *to = std::chrono::duration_cast<seconds>(parse_duration(where, key, text("\"10s\"")));
    }
    void operator()(milliseconds* to) const { *to = parse_duration(where, key, text("\"500ms\"")); }
    void operator()(std::string* to) const { *to = text("\"text\""); }
    void operator()(std::vector<std::string>* to) const {
        if (!value.list) fail_at(where, key, "must be a list of strings, as in [\"a\", \"b\"]");
        *to = *value.list;
    }
    void operator()(const choice_value& to) const {
        const auto& chosen = text("\"text\"");
        const auto known = fmt::format("|{}|", to.choices);
        if (known.find(fmt::format("|{}|", chosen)) == std::string::npos) {
            fail_at(where, key, fmt::format("\"{}\" is not one of {}", chosen, to.choices));
        }
        *to.to = chosen;
    }
    void operator()(overflow_policy* to) const {
        const auto chosen = policy_of(text("\"reject\""));
        if (!chosen) fail_at(where, key, fmt::format("\"{}\" is not one of {}", *value.text, fmt::join(policy_words, "|")));
        *to = *chosen;
    }
    void operator()(storage::durability* to) const {
        const auto& chosen = text("\"sync\"");
        if (chosen != "sync" && chosen != "async" && chosen != "none") {
            fail_at(where, key, fmt::format("\"{}\" is not one of sync|async|none", chosen));
        }
        *to = chosen == "sync"    ? storage::durability::sync
              : chosen == "async" ? storage::durability::async
                                  : storage::durability::none;
    }
};

std::pair<std::string, std::uint16_t> parse_bind(const std::string& where, std::string_view key, std::string_view text) {
    const auto colon = text.rfind(':');
    std::uint32_t port = 0;
    const auto digits = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || ec != std::errc{} || end != digits.data() + digits.size() || port > 65'535) {
        fail_at(where, key, fmt::format("\"{}\" is not HOST:PORT, as in \"127.0.0.1:8083\"", text));
    }
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return {std::string{host}, static_cast<std::uint16_t>(port)};
}

constexpr std::array<std::string_view, 3> tls_verifications{"none", "optional", "required"}; // by their enumerators
constexpr std::array<std::string_view, 2> tls_identities{"cn", "san"};

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
        std::visit(assigner{place, key, w}, at->to);
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
            const assigner set{place, key, w};
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
            const assigner set{place, key, w};
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
    void take_ws(const toml::table& t, listener& l) {
        for (const auto& [name, node] : t) {
            const auto key = fmt::format("listener.ws.{}", name.str());
            const auto place = where(node);
            const auto w = as_written(node);
            const assigner set{place, key, w};
            if (name.str() == "allowed_origins") set(&l.allowed_origins.emplace());
            else if (name.str() == "allow_missing_origin") set(&l.allow_missing_origin.emplace());
            else fail_at(place, key, "unknown key; known are ws.allowed_origins and ws.allow_missing_origin");
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
            } else if (name.str() == "name" || name.str() == "bind" || name.str() == "protocols") {
                fail_at(place, fmt::format("listener.{}", name.str()), "name and bind are strings, protocols a list");
            } else {
                fail_at(place, fmt::format("listener.{}", name.str()),
                        "unknown key; known are name, bind, protocols, ws.allowed_origins, ws.allow_missing_origin, stomp.separator and "
                        "tls = { cert, key }");
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

bool is_loopback(std::string_view host) { return host.starts_with("127.") || host == "::1" || host == "localhost"; }

std::string read_file(const std::string& file) {
    std::ifstream in{file, std::ios::binary};
    if (!in) throw config_error{fmt::format("{}: cannot be read; check the name and its permissions", file)};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace

void apply_toml(options& o, std::string_view text, const std::string& file) {
    try {
        toml_walk{o, file}.table(toml::parse(text, file), "");
    } catch (const toml::parse_error& e) {
        throw config_error{fmt::format("{}:{}:{}: {}", file, e.source().begin.line, e.source().begin.column, e.description())};
    }
}

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
        std::visit(assigner{name, key, w}, at->to);
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

} // namespace

void validate(const options& o) {
    check_ranges(o.bounds);
    validate_queues(o);
    if (o.listeners.empty()) throw config_error{"no listener: write a [[listener]] section or --listen ws://127.0.0.1:8083"};
    for (std::size_t i = 0; i != o.listeners.size(); ++i) {
        const auto& a = o.listeners[i];
        if (!o.auth.anonymous && !o.auth.has_method() && !is_loopback(a.host)) {
            throw config_error{fmt::format("listener {}: {} is not a loopback address and there is no authentication; write "
                                           "password_file or jwt.key_file in [auth], or anonymous = true if everybody may connect",
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
        if (!l.stomp_separator.empty()) text += fmt::format("stomp.separator = \"{}\"\n", l.stomp_separator);
        if (l.tls) text += tls_text(*l.tls);
    }
    return text;
}

} // namespace broker::config
