#include "support/wire.hpp"

#include "core/assert.hpp"

#include <optional>
#include <vector>

namespace broker::test {

namespace {

unsigned digit(char c) {
    BROKER_ASSERT((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

std::string variable_integer(std::size_t value) {
    std::string bytes;
    do {
        bytes.push_back(static_cast<char>((value & 0x7F) | (value >= 0x80 ? 0x80 : 0)));
        value >>= 7;
    } while (value != 0);
    return bytes;
}

struct writer {
    std::string_view rest;
    std::string bytes{};
    std::optional<std::size_t> packet_from{}; // behind the colon
    std::vector<std::size_t> blocks_from{};

    char next() {
        const char c = rest.front();
        rest.remove_prefix(1);
        return c;
    }
    std::string_view until(char end) {
        const auto text = rest.substr(0, rest.find(end));
        rest.remove_prefix(text.size() + 1);
        return text;
    }
    void insert_length(std::size_t from) { bytes.insert(from, variable_integer(bytes.size() - from)); }
    void end_packet() {
        if (packet_from) insert_length(*packet_from);
        packet_from.reset();
    }
    void repeat() {
        std::size_t count = 0;
        while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') count = count * 10 + digit(next());
        bytes.append(count - 1, bytes.back());
    }
    void take() {
        const char c = next();
        switch (c) {
        case ' ':
        case '\n': break;
        case '\'': {
            const auto text = until('\'');
            bytes.push_back(static_cast<char>(text.size() >> 8));
            bytes.push_back(static_cast<char>(text.size() & 0xFF));
            bytes += text;
            break;
        }
        case '"': bytes += until('"'); break;
        case '*': repeat(); break;
        case ':': packet_from = bytes.size(); break;
        case ';': end_packet(); break;
        case '[': blocks_from.push_back(bytes.size()); break;
        case ']':
            insert_length(blocks_from.back());
            blocks_from.pop_back();
            break;
        default: bytes.push_back(static_cast<char>(digit(c) << 4 | digit(next())));
        }
    }
};

} // namespace

std::string wire(std::string_view text) {
    writer w{text};
    while (!w.rest.empty()) w.take();
    w.end_packet();
    BROKER_ASSERT(w.blocks_from.empty());
    return w.bytes;
}

bool looks_like(std::string_view bytes, std::string_view pattern) {
    while (!pattern.empty() && pattern.front() == ' ') pattern.remove_prefix(1);
    if (pattern.empty()) return bytes.empty();
    if (pattern.front() == '*') {
        for (std::size_t skip = 0; skip <= bytes.size(); ++skip) {
            if (looks_like(bytes.substr(skip), pattern.substr(1))) return true;
        }
        return false;
    }
    if (bytes.empty()) return false;
    if (pattern.front() != '.' &&
        static_cast<unsigned char>(bytes.front()) != (digit(pattern[0]) << 4 | digit(pattern[1]))) {
        return false;
    }
    return looks_like(bytes.substr(1), pattern.substr(2));
}

} // namespace broker::test
