#include "cli/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

namespace broker::cli {

namespace http = boost::beast::http;

void client::ask(wire& on, const std::string& method, const std::string& target, const std::string& body) const {
    on.send(fmt::format("{} {} HTTP/1.1\r\nHost: brokerd\r\nConnection: close\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", method,
                        target, key_.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", key_), body.size(), body));
}

answer client::call(const std::string& method, const std::string& target, const std::string& body) const {
    wire broker{to_};
    ask(broker, method, target, body);
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(1ULL << 30);
    std::string buffer;
    boost::system::error_code ec;
    while (!parser.is_done()) {
        char bytes[64 * 1024];
        const auto got = broker.receive(bytes, patience_);
        if (!got) throw unreachable{fmt::format("the broker did not answer within {} ms; give it more with --timeout", patience_.count())};
        if (*got == 0) throw unreachable{"the broker closed the connection"};
        buffer.append(bytes, *got);
        buffer.erase(0, parser.put(boost::asio::buffer(buffer), ec));
        if (ec && ec != http::error::need_more) throw unreachable{"the broker's answer is not HTTP: " + ec.message()};
    }
    return {.status = parser.get().result_int(), .body = parser.get().body()};
}

answer client::stream(const std::string& target, const std::function<bool(const std::string&)>& on_event,
                      const std::function<bool()>& idle) const {
    wire broker{to_};
    ask(broker, "GET", target, "");
    std::string buffer;
    bool begun = false;
    for (;;) {
        char bytes[64 * 1024];
        const auto got = broker.receive(bytes, std::chrono::milliseconds{200});
        if (!got) {
            if (!idle()) return {.status = 200};
            continue;
        }
        if (*got == 0 && !begun) throw unreachable{"the broker closed the connection"};
        if (*got == 0) return {.status = 200};
        buffer.append(bytes, *got);
        if (!begun) {
            const auto end = buffer.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            if (!buffer.starts_with("HTTP/1.1 200")) {
                const bool refused_us = buffer.starts_with("HTTP/1.1 401") || buffer.starts_with("HTTP/1.1 403");
                return {.status = refused_us ? 403U : 400U, .body = buffer.substr(end + 4)};
            }
            buffer.erase(0, end + 4);
            begun = true;
        }
        for (auto end = buffer.find("\n\n"); end != std::string::npos; end = buffer.find("\n\n")) {
            const auto event = buffer.substr(0, end);
            buffer.erase(0, end + 2);
            if (event.starts_with("data: ") && !on_event(event.substr(6))) return {.status = 200};
        }
    }
}

std::string encode_percent(const std::string& text) {
    std::string encoded;
    for (const char c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.') {
            encoded.push_back(c);
        } else {
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return encoded;
}

} // namespace broker::cli
