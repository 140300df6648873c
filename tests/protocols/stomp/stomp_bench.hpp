// stomp_bench: STOMP clients on a test_node. A frame is written as a person would: "SEND\ndestination:/topic/a\n\nhi";
// the NUL is added here. What comes back is cut into frames again.
#pragma once

#include "core/properties.hpp"
#include "protocols/stomp/engine.hpp"
#include "support/test_node.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace broker::test {

// As a client sees it; header values as they are on the wire.
struct stomp_frame {
    std::string command{};
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};

    [[nodiscard]] std::string operator[](std::string_view name) const {
        for (const auto& [key, value] : headers) {
            if (key == name) return value;
        }
        return "(none)";
    }
    [[nodiscard]] std::size_t count(std::string_view name) const {
        std::size_t n = 0;
        for (const auto& [key, value] : headers) n += key == name ? 1 : 0;
        return n;
    }
};

// Reads strictly, as a client would that trusts content-length: what does not parse becomes a frame named "BROKEN".
inline std::vector<stomp_frame> frames_in(std::string_view bytes) {
    std::vector<stomp_frame> all;
    const auto broken = [&] {
        all.push_back({.command = "BROKEN", .body = std::string{bytes}});
        return all;
    };
    const auto line = [&]() -> std::optional<std::string> {
        const auto end = bytes.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        std::string found{bytes.substr(0, end)};
        bytes.remove_prefix(end + 1);
        return found;
    };
    while (!bytes.empty()) {
        if (bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        stomp_frame f;
        const auto command = line();
        if (!command) return broken();
        f.command = *command;
        for (;;) {
            const auto header = line();
            if (!header) return broken();
            if (header->empty()) break;
            const auto colon = header->find(':');
            if (colon == std::string::npos || colon == 0) return broken();
            f.headers.emplace_back(header->substr(0, colon), header->substr(colon + 1));
        }
        const auto length = f["content-length"];
        const auto size = length == "(none)" ? bytes.find('\0') : std::stoul(length);
        if (size >= bytes.size() || bytes[size] != '\0') return broken();
        f.body = bytes.substr(0, size);
        bytes.remove_prefix(size + 1);
        all.push_back(std::move(f));
    }
    return all;
}

inline std::unique_ptr<engine> make_stomp(const engine_context& with, time_point now) {
    return stomp::make_engine(with, now);
}

class stomp_client {
public:
    explicit stomp_client(test_node& node, std::size_t shard = 0) : client_{node, shard, make_stomp} {}
    // Connected already.
    stomp_client(test_node& node, std::string_view version, std::string_view more = "", std::size_t shard = 0)
        : stomp_client{node, shard} {
        put("CONNECT\naccept-version:" + std::string{version} + "\nhost:h\n" + std::string{more} + "\n");
        const auto answer = take();
        REQUIRE(answer.size() == 1);
        REQUIRE(answer[0].command == "CONNECTED");
    }

    void put(std::string_view frame) { client_.receive(std::string{frame} + '\0'); }
    void raw(std::string_view bytes) { client_.receive(bytes); }
    [[nodiscard]] std::string bytes() { return client_.sent(); }
    [[nodiscard]] std::vector<stomp_frame> take() { return frames_in(client_.sent()); }
    // Exactly one frame is expected.
    [[nodiscard]] stomp_frame one() {
        auto all = take();
        REQUIRE(all.size() == 1);
        return all[0];
    }
    [[nodiscard]] std::vector<std::string> bodies() {
        std::vector<std::string> all;
        for (const auto& f : take()) all.push_back(f.body);
        return all;
    }
    // The frame ends in ERROR with this code, and in the end of the connection.
    [[nodiscard]] stomp_frame refused(std::string_view frame, std::string_view code = "protocol_error") {
        put(frame);
        auto all = take();
        REQUIRE(!all.empty());
        CHECK(all.back().command == "ERROR");
        CHECK(all.back()["code"] == code);
        CHECK(!all.back()["message"].empty());
        CHECK(client_.closed());
        return all.back();
    }
    // The transport's part: deadlines that are due at once are honoured.
    [[nodiscard]] test_client& transport() { return client_; }

private:
    test_client client_;
};

} // namespace broker::test
