#include "cli/bench/stomp.hpp"

#include <fmt/format.h>

#include <charconv>

namespace broker::cli::bench::stomp {

namespace {

std::string escaped(std::string_view value) {
    std::string made;
    for (const char c : value) {
        switch (c) {
        case '\\': made += "\\\\"; break;
        case ':': made += "\\c"; break;
        case '\n': made += "\\n"; break;
        case '\r': made += "\\r"; break;
        default: made += c;
        }
    }
    return made;
}

} // namespace

std::string_view frame::get(std::string_view name) const {
    for (auto rest = headers; !rest.empty();) {
        const auto end = rest.find('\n');
        auto line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.size() <= name.size() || line[name.size()] != ':' || !line.starts_with(name)) continue;
        line.remove_prefix(name.size() + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
    return {};
}

// Neither escaped in CONNECT nor with heart-beats: the load is what keeps a connection busy.
std::string connect(std::string_view host, std::string_view user, std::string_view passcode) {
    auto made = fmt::format("CONNECT\naccept-version:1.2\nhost:{}\nheart-beat:0,0\n", host);
    if (!user.empty()) made += fmt::format("login:{}\n", user);
    if (!passcode.empty()) made += fmt::format("passcode:{}\n", passcode);
    made += '\n';
    made += '\0';
    return made;
}

std::string subscribe(std::string_view destination, bool acknowledges) {
    auto made = fmt::format("SUBSCRIBE\nid:0\nreceipt:sub\nack:{}\ndestination:{}\n\n", acknowledges ? "client-individual" : "auto", escaped(destination));
    made += '\0';
    return made;
}

std::string send_head(std::string_view destination, bool receipt, std::size_t body_size) {
    return fmt::format("SEND\ndestination:{}\ncontent-length:{}\n{}", escaped(destination), body_size, receipt ? "receipt:" : "\n");
}

std::string ack(std::string_view id) {
    auto made = fmt::format("ACK\nid:{}\n\n", id); // as it came: already escaped
    made += '\0';
    return made;
}

std::string destination_of(std::string_view topic) { return topic.starts_with('/') ? std::string{topic} : fmt::format("/topic/{}", topic); }

std::optional<frame> take(std::string_view& bytes) {
    while (!bytes.empty() && (bytes.front() == '\n' || bytes.front() == '\r')) bytes.remove_prefix(1); // heart-beats
    const auto line = bytes.find('\n');
    if (line == std::string_view::npos) return std::nullopt;
    frame f{.command = bytes.substr(0, line)};
    if (f.command.ends_with('\r')) f.command.remove_suffix(1);
    std::optional<std::size_t> length;
    auto at = line + 1;
    for (;;) {
        const auto end = bytes.find('\n', at);
        if (end == std::string_view::npos) return std::nullopt;
        const auto header = bytes.substr(at, end - at);
        at = end + 1;
        if (header.empty() || header == "\r") break;
        constexpr std::string_view name = "content-length:";
        if (!header.starts_with(name)) continue;
        std::size_t n = 0;
        (void)std::from_chars(header.data() + name.size(), header.data() + header.size(), n);
        length = n;
    }
    f.headers = bytes.substr(line + 1, at - line - 1);
    const auto end = length ? at + *length : bytes.find('\0', at);
    if (end >= bytes.size()) return std::nullopt; // npos as well
    f.body = bytes.substr(at, end - at);
    bytes.remove_prefix(end + 1);
    return f;
}

} // namespace broker::cli::bench::stomp
