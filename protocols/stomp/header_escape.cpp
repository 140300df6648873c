#include "protocols/stomp/header_escape.hpp"

namespace broker::stomp {

std::optional<std::string> unescape(std::string_view text, version v) {
    std::string plain;
    if (v == version::v1_0 || text.find('\\') == std::string_view::npos) return plain.assign(text);
    plain.reserve(text.size());
    for (std::size_t i = 0; i != text.size(); ++i) {
        if (text[i] != '\\') {
            plain.push_back(text[i]);
            continue;
        }
        if (++i == text.size()) return std::nullopt;
        switch (text[i]) {
        case 'n': plain.push_back('\n'); break;
        case 'c': plain.push_back(':'); break;
        case '\\': plain.push_back('\\'); break;
        case 'r':
            if (v != version::v1_2) return std::nullopt;
            plain.push_back('\r');
            break;
        default: return std::nullopt;
        }
    }
    return plain;
}

void append_escaped(std::string& to, std::string_view text, version v) {
    for (const char c : text) {
        if (v == version::v1_0) {
            // Nothing can be escaped: what would end the line is replaced.
            to.push_back(c == '\n' || c == '\r' ? ' ' : c);
            continue;
        }
        switch (c) {
        case '\n': to += "\\n"; break;
        case ':': to += "\\c"; break;
        case '\\': to += "\\\\"; break;
        case '\r': to += v == version::v1_2 ? "\\r" : " "; break;
        default: to.push_back(c);
        }
    }
}

} // namespace broker::stomp
