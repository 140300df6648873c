#include "security/credentials.hpp"

#include "core/utf8.hpp"
#include "security/base64.hpp"
#include "security/text_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace broker::security {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) { // without case
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(at);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<int> hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    if (l >= 'a' && l <= 'f') return l - 'a' + 10;
    return std::nullopt;
}

// Nothing: a '%' without two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            made += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const auto high = i + 1 < text.size() ? hex(text[i + 1]) : std::nullopt;
        const auto low = i + 2 < text.size() ? hex(text[i + 2]) : std::nullopt;
        if (!high || !low) return std::nullopt;
        made += static_cast<char>(*high * 16 + *low);
        i += 2;
    }
    return made;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// RFC 6750 §2.1: b64token. What else a token must be says its verifier.
bool is_bearer_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view{"-._~+/="}.contains(c);
    });
}

using found = result<std::optional<credentials>, std::string>; // of one source

found bearer(std::string_view token, std::string_view where) {
    if (!is_bearer_token(token)) return fail(fmt::format("{}: not a bearer token (RFC 6750 §2.1)", where));
    return credentials{.token = std::string{token}};
}

// RFC 7617: user-id ":" password in base64; the user's name has no colon, the password may.
found basic(std::string_view text) {
    const auto decoded = from_base64(text);
    const auto colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos || has_control(*decoded) || !is_utf8(*decoded)) {
        return fail(std::string{"Authorization: not Basic credentials (RFC 7617)"});
    }
    return credentials{.user = decoded->substr(0, colon), .password = decoded->substr(colon + 1)};
}

found in_authorization(std::span<const header_line> headers) {
    const auto is = [](const header_line& h) { return same_word(h.name, "authorization"); };
    const auto line = std::ranges::find_if(headers, is);
    if (line == headers.end()) return std::nullopt;
    if (std::ranges::count_if(headers, is) > 1) return fail(std::string{"Authorization: there twice"});
    const auto value = trimmed(line->value);
    const auto space = value.find(' ');
    const auto scheme = value.substr(0, space);
    const auto rest = space == std::string_view::npos ? std::string_view{} : trimmed(value.substr(space));
    if (same_word(scheme, "bearer")) return bearer(rest, "Authorization");
    if (same_word(scheme, "basic")) return basic(rest);
    return fail(std::string{"Authorization: neither Bearer nor Basic"});
}

found in_query(std::string_view target, std::string_view parameter) {
    const auto question = target.find('?');
    if (question == std::string_view::npos) return std::nullopt;
    found token = std::nullopt;
    for (const auto pair : split(target.substr(question + 1), '&')) { // a request's target has no fragment
        const auto equals = pair.find('=');
        const auto name = percent_decoded(pair.substr(0, equals));
        if (!name || *name != parameter) continue;
        if (!token || *token) return fail(std::string{"the token is in the query twice"});
        const auto value = percent_decoded(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
        token = bearer(value.value_or(""), "the query's token");
        if (!token) return token;
    }
    return token;
}

found in_cookies(std::span<const header_line> headers, std::string_view cookie) {
    found token = std::nullopt;
    for (const auto& h : headers) {
        if (!same_word(h.name, "cookie")) continue;
        for (const auto pair : split(h.value, ';')) {
            const auto equals = pair.find('=');
            if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != cookie) continue;
            if (*token) return fail(std::string{"Cookie: the token is there twice"}); // one of them may be planted by another host of the domain
            auto value = trimmed(pair.substr(equals + 1));
            if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
            token = bearer(value, "Cookie");
            if (!token) return token;
        }
    }
    return token;
}

found in_subprotocols(std::span<const header_line> headers) {
    found token = std::nullopt;
    for (const auto& h : headers) {
        if (!same_word(h.name, "sec-websocket-protocol")) continue;
        for (const auto one : split(h.value, ',')) {
            const auto offered = trimmed(one);
            if (!offered.starts_with(bearer_subprotocol)) continue;
            if (*token) return fail(std::string{"Sec-WebSocket-Protocol: the token is there twice"});
            token = bearer(offered.substr(bearer_subprotocol.size()), "Sec-WebSocket-Protocol");
            if (!token) return token;
        }
    }
    return token;
}

} // namespace

result<credentials, std::string> credentials_in(std::string_view target, std::span<const header_line> headers, const credential_sources& sources) {
    std::vector<found> all;
    if (sources.authorization) all.push_back(in_authorization(headers));
    if (!sources.query.empty()) all.push_back(in_query(target, sources.query));
    if (!sources.cookie.empty()) all.push_back(in_cookies(headers, sources.cookie));
    if (sources.subprotocol) all.push_back(in_subprotocols(headers));
    credentials only;
    for (const auto& one : all) {
        if (!one) return fail(one.error());
        if (!*one || **one == only) continue; // the same in two places is no contradiction
        if (!only.none()) return fail(std::string{"the request has several different credentials (RFC 6750 §2)"});
        only = **one;
    }
    return only;
}

std::string redacted(std::string_view target, std::string_view parameter) {
    const auto question = target.find('?');
    if (question == std::string_view::npos) return std::string{target};
    std::string made{target.substr(0, question)};
    char between = '?';
    for (const auto pair : split(target.substr(question + 1), '&')) {
        const auto equals = pair.find('=');
        const auto name = percent_decoded(pair.substr(0, equals));
        made += between;
        between = '&';
        // What cannot be decoded may be anything.
        if (equals != std::string_view::npos && (!name || *name == parameter)) {
            made.append(pair.substr(0, equals + 1)).append("REDACTED");
        } else {
            made += pair;
        }
    }
    return made;
}

} // namespace broker::security
