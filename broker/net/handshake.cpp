#include "net/handshake.hpp"

#include "net/security_headers.hpp"
#include "protocols/subprotocol.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

namespace broker {

namespace http = boost::beast::http;

namespace {

constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3

std::string base64(byte_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3), '\0');
    const auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                      static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string accept_of(std::string_view key) {
    const auto text = std::string{key} + std::string{guid};
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return base64(std::span{digest}.first(size));
}

// RFC 6455 §4.2.1: 16 bytes in base64, which is 22 characters of its alphabet and "==".
bool is_key(std::string_view key) {
    const auto in_alphabet = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    };
    return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), in_alphabet);
}

std::string_view phrase(unsigned status) { return http::obsolete_reason(static_cast<http::status>(status)); }

std::string help_text() {
    return fmt::format("This is a WebSocket port of brokerd. Connect with a WebSocket client and one of the "
                       "subprotocols\n  {}\n",
                       fmt::join(supported_tokens(), ", "));
}

} // namespace

void handshake::refuse(unsigned status, std::string_view reason, std::string_view extra_headers) {
    const auto body = fmt::format("{}\n{}", reason, help_text());
    response_ = fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "{}{}{}Content-Length: {}\r\n\r\n{}",
                            status, phrase(status), security_headers, strict_transport(policy_.over_tls), extra_headers, body.size(), body);
    reason_ = reason;
    state_ = outcome::refused;
}

void handshake::feed(byte_view bytes) {
    if (state_ != outcome::need_more) return;
    buffer_ += as_text(bytes);
    // Only the request counts against the limit; what follows it is the WebSocket codec's.
    const auto end = buffer_.find("\r\n\r\n");
    if (end != std::string::npos ? end + 4 > bounds_.handshake_bytes_max : buffer_.size() > bounds_.handshake_bytes_max) {
        return refuse(431, "the request is larger than limits.handshake_bytes");
    }
    if (end != std::string::npos) decide(end + 4);
}

void handshake::decide(std::size_t request_size) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(bounds_.handshake_bytes_max));
    boost::system::error_code ec;
    parser.put(boost::asio::buffer(buffer_.data(), request_size), ec);
    if (ec && ec != http::error::unexpected_body) return refuse(400, "the request is not HTTP/1.1");
    if (!parser.is_header_done()) return refuse(400, "the request is not HTTP/1.1");
    const auto& request = parser.get();
    std::vector<security::header_line> headers;
    for (const auto& f : request) headers.push_back({{f.name_string().data(), f.name_string().size()}, {f.value().data(), f.value().size()}});
    if (policy_.proxies != nullptr) client_ = security::client_address(*policy_.peer, headers, *policy_.proxies);
    if (request.method() != http::verb::get) return refuse(405, "only GET is answered here", "Allow: GET\r\n");
    if (request.version() < 11) return refuse(400, "RFC 6455 §4.1: HTTP/1.1 or higher is needed");
    const auto has_token = [&](http::field name, std::string_view token) {
        const auto [first, last] = request.equal_range(name);
        return std::any_of(first, last, [&](const auto& f) { return http::token_list{f.value()}.exists(token); });
    };
    constexpr std::string_view upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    if (!has_token(http::field::upgrade, "websocket") || !has_token(http::field::connection, "upgrade")) {
        return refuse(426, "this port speaks WebSocket", upgrade);
    }
    if (request.count(http::field::host) != 1) return refuse(400, "RFC 6455 §4.2.1: one Host header is needed");
    if (request["Sec-WebSocket-Version"] != "13") {
        return refuse(426, "RFC 6455 §4.4: only version 13 is served", upgrade);
    }
    const auto key = request["Sec-WebSocket-Key"];
    if (request.count("Sec-WebSocket-Key") != 1 || !is_key({key.data(), key.size()})) {
        return refuse(400, "RFC 6455 §4.2.1: Sec-WebSocket-Key must be 16 bytes in base64, given once");
    }
    if (parser.chunked() || parser.content_length().value_or(0) != 0) {
        return refuse(400, "a WebSocket upgrade has no body");
    }

    if (policy_.origins != nullptr) {
        std::optional<std::string_view> origin;
        if (const auto it = request.find(http::field::origin); it != request.end()) origin.emplace(it->value().data(), it->value().size());
        const auto host = request[http::field::host];
        if (request.count(http::field::origin) > 1 || !policy_.origins->allows(origin, {host.data(), host.size()})) {
            return refuse(403, "pages of this origin may not connect (ws.allowed_origins)");
        }
    }
    if (policy_.credentials != nullptr) {
        const auto target = request.target();
        // Browsers send a cookie by themselves, whatever page asks for it: it counts only from pages that are known. See check_cookie_sources().
        auto sources = *policy_.credentials;
        if (request.count(http::field::origin) == 0) sources.cookie.clear();
        auto brought = security::credentials_in({target.data(), target.size()}, headers, sources);
        if (!brought) return refuse(401, "the credentials of the request are malformed, or more than one", "WWW-Authenticate: Bearer\r\n");
        credentials_ = std::move(*brought);
    }

    // The client's order among what we serve decides.
    std::vector<std::string> offered;
    const auto [first, last] = request.equal_range("Sec-WebSocket-Protocol");
    for (auto it = first; it != last; ++it) {
        const auto value = it->value();
        if (!http::validate_list(http::opt_token_list{value})) {
            return refuse(400, "RFC 6455 §4.1: malformed Sec-WebSocket-Protocol");
        }
        for (const auto& token : http::token_list{value}) {
            std::string text{token.data(), token.size()};
            if (std::ranges::find(offered, text) != offered.end()) {
                return refuse(400, "RFC 6455 §4.1: a subprotocol is offered twice");
            }
            offered.push_back(std::move(text));
        }
    }
    const auto chosen = std::ranges::find_if(offered, [](const auto& t) { return find_subprotocol(t) != nullptr; });
    if (chosen == offered.end()) return refuse(400, "no subprotocol in common");
    subprotocol_ = *chosen;
    if (policy_.compression.enabled) {
        std::string offers; // RFC 6455 §9.1: several headers are one list
        const auto [from, to] = request.equal_range(http::field::sec_websocket_extensions);
        for (auto it = from; it != to; ++it) offers.append(it->value().data(), it->value().size()).append(", ");
        const auto taken = websocket::choose_deflate_offer(offers, policy_.compression.context_takeover);
        if (!taken) return refuse(400, taken.error());
        deflate_ = *taken;
    }
    pipelined_ = buffer_.substr(request_size);
    response_ = fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n{}\r\n",
                            accept_of({key.data(), key.size()}), subprotocol_,
                            deflate_ ? fmt::format("Sec-WebSocket-Extensions: {}\r\n", websocket::deflate_answer(*deflate_)) : "");
    buffer_.clear();
    state_ = outcome::accepted;
}

} // namespace broker
