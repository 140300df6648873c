#include "protocols/websocket/deflate_offer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace broker::websocket {

namespace {

struct parameter {
    std::string name{};
    std::optional<std::string> value{};
};

struct extension {
    std::string name{};
    std::vector<parameter> parameters{};
};

bool is_token_char(char c) { // RFC 7230 §3.2.6
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos);
}

// extension-list = 1#( token *( ";" token [ "=" ( token / quoted-string ) ] ) ), empty elements allowed as in every list of HTTP.
class list_reader {
public:
    explicit list_reader(std::string_view text) : left_{text} {}

    [[nodiscard]] std::optional<std::vector<extension>> read() {
        std::vector<extension> all;
        for (skip_space(); !left_.empty(); skip_space()) {
            if (take(',')) continue;
            extension one;
            if (!read_token(one.name)) return {};
            while (take(';')) {
                auto& p = one.parameters.emplace_back();
                if (!read_token(p.name)) return {};
                if (take('=') && !read_value(p.value.emplace())) return {};
            }
            if (!left_.empty() && !take(',')) return {};
            all.push_back(std::move(one));
        }
        return all;
    }

private:
    void skip_space() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t"), left_.size())); }
    bool take(char c) {
        skip_space();
        if (!left_.starts_with(c)) return false;
        left_.remove_prefix(1);
        skip_space();
        return true;
    }
    bool read_token(std::string& to) {
        const auto end = std::ranges::find_if_not(left_, is_token_char);
        to.assign(left_.begin(), end);
        left_.remove_prefix(to.size());
        skip_space();
        return !to.empty();
    }
    // What a quoted string says must be a token (RFC 6455 §9.1).
    bool read_value(std::string& to) {
        if (!left_.starts_with('"')) return read_token(to);
        left_.remove_prefix(1);
        while (!left_.empty() && left_.front() != '"') {
            if (left_.front() == '\\') left_.remove_prefix(1);
            if (left_.empty() || !is_token_char(left_.front())) return false;
            to += left_.front();
            left_.remove_prefix(1);
        }
        return take('"') && !to.empty();
    }

    std::string_view left_;
};

// A decimal number without leading zeros, 8 to 15 (RFC 7692 §7.1.2.1).
std::optional<std::uint8_t> window_bits(std::string_view text) {
    if (text == "8" || text == "9") return static_cast<std::uint8_t>(text[0] - '0');
    if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5') return static_cast<std::uint8_t>(10 + text[1] - '0');
    return {};
}

std::optional<deflate_agreement> accept(const extension& offer, bool context_takeover) {
    deflate_agreement agreed{.server_keeps_context = context_takeover, .client_keeps_context = context_takeover};
    for (std::size_t i = 0; i != offer.parameters.size(); ++i) {
        const auto& [name, value] = offer.parameters[i];
        if (std::any_of(offer.parameters.begin(), offer.parameters.begin() + static_cast<std::ptrdiff_t>(i), [&](const parameter& p) { return p.name == name; })) {
            return {};
        }
        if (name == "server_no_context_takeover" && !value) {
            agreed.server_keeps_context = false;
        } else if (name == "client_no_context_takeover" && !value) {
            agreed.client_keeps_context = false;
        } else if (name == "server_max_window_bits" && value) {
            const auto bits = window_bits(*value);
            if (!bits || *bits == 8) return {};
            agreed.server_window_bits = *bits;
            agreed.server_bits_asked = true;
        } else if (name == "client_max_window_bits") {
            const auto bits = value ? window_bits(*value) : 15;
            if (!bits) return {};
            agreed.client_window_bits = *bits;
            agreed.client_bits_asked = true;
        } else {
            return {};
        }
    }
    if (agreed.client_keeps_context && agreed.client_bits_asked) {
        agreed.client_window_bits = std::min(agreed.client_window_bits, context_window_bits);
    }
    return agreed;
}

} // namespace

result<std::optional<deflate_agreement>, std::string_view> choose_deflate_offer(std::string_view header, bool context_takeover) {
    const auto offers = list_reader{header}.read();
    if (!offers) return fail(std::string_view{"RFC 6455 §9.1: malformed Sec-WebSocket-Extensions"});
    for (const auto& offer : *offers) {
        if (offer.name != "permessage-deflate") continue;
        if (auto agreed = accept(offer, context_takeover)) return agreed;
    }
    return std::optional<deflate_agreement>{};
}

std::string deflate_answer(const deflate_agreement& agreed) {
    std::string text = "permessage-deflate";
    if (!agreed.server_keeps_context) text += "; server_no_context_takeover";
    if (!agreed.client_keeps_context) text += "; client_no_context_takeover";
    if (agreed.server_bits_asked) text += fmt::format("; server_max_window_bits={}", agreed.server_window_bits);
    if (agreed.client_bits_asked && agreed.client_window_bits != 15) text += fmt::format("; client_max_window_bits={}", agreed.client_window_bits);
    return text;
}

} // namespace broker::websocket
