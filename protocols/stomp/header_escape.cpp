#include "protocols/stomp/header_escape.hpp"

#include <algorithm>
#include <array>

namespace broker::stomp {

namespace {

constexpr auto special = [] {
    std::array<bool, 256> made{};
    for (const char c : {'\0', '\n', '\r', ':', '\\'}) made[static_cast<unsigned char>(c)] = true;
    return made;
}();

// Of the first special character, or the text's size. (find_first_of() calls memchr for each character.)
std::size_t plain_size(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::find_if(text, [](char c) { return special[static_cast<unsigned char>(c)]; }) -
                                    text.begin());
}

// What no receiver of this version could read back as it is. No version has room for NUL, which ends a frame.
bool expressible(std::string_view name, version v) {
    if (name.empty() || name.find('\0') != std::string_view::npos) return false; // header-name = 1*…
    switch (v) {
    case version::v1_2: return true;
    // Lone carriage returns are legal in 1.1, but a reader that takes CR LF for a line end would lose them.
    case version::v1_1: return name.find('\r') == std::string_view::npos;
    // The first colon ends the name, and readers trim what 1.0's examples pad.
    case version::v1_0:
        return name.find_first_of("\n\r:") == std::string_view::npos && name.front() != ' ' && name.back() != ' ';
    }
    return false;
}

// True: every character as it was.
bool append_escaped(std::string& to, std::string_view text, version v) {
    bool exact = true;
    const auto replace = [&] {
        to.push_back(' ');
        exact = false;
    };
    for (;;) {
        const auto plain = plain_size(text);
        to.append(text.substr(0, plain));
        if (plain == text.size()) return exact;
        const char c = text[plain];
        text.remove_prefix(plain + 1);
        if (c == '\0') {
            replace();
        } else if (v == version::v1_0) {
            if (c == '\n' || c == '\r') {
                replace();
            } else {
                to.push_back(c); // a colon in a value and a backslash mean themselves
            }
        } else if (c == '\r' && v == version::v1_1) {
            replace();
        } else { // [STOMP11-ENC-3] [STOMP12-ENC-3]
            to.push_back('\\');
            to.push_back(c == '\n' ? 'n' : c == '\r' ? 'r' : c == ':' ? 'c' : '\\');
        }
    }
}

} // namespace

bool append_unescaped(std::string& to, std::string_view text, version v) {
    if (v == version::v1_0) {
        to.append(text);
        return true;
    }
    for (;;) {
        const auto plain = text.find('\\');
        to.append(text.substr(0, plain));
        if (plain == std::string_view::npos) return true;
        if (plain + 1 == text.size()) return false;
        const char c = text[plain + 1];
        text.remove_prefix(plain + 2);
        switch (c) {
        case 'n': to.push_back('\n'); break;
        case 'c': to.push_back(':'); break;
        case '\\': to.push_back('\\'); break;
        case 'r':
            if (v != version::v1_2) return false; // [STOMP11-ENC-2]
            to.push_back('\r');
            break;
        default: return false; // [STOMP12-ENC-2]
        }
    }
}

written append_header(std::string& to, std::string_view name, std::string_view value, version v) {
    if (!expressible(name, v)) return written::dropped;
    (void)append_escaped(to, name, v);
    to.push_back(':');
    const bool exact = append_escaped(to, value, v);
    to.push_back('\n');
    return exact ? written::exact : written::altered;
}

} // namespace broker::stomp
