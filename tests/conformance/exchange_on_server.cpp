// The exchanges of tests/protocols/stomp with a running brokerd, over TCP and over WebSocket: all that need no fake clock, no
// store to hold back and no other limits. After each a witness is served.
#include "conformance/brokerd_process.hpp"
#include "conformance/peer.hpp"

#include "protocols/stomp/corpus.hpp"
#include "protocols/stomp/exchange.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <utility>

namespace broker::test {

namespace {

#ifdef BROKER_SANITIZED
constexpr std::size_t slowness = 8;
#else
constexpr std::size_t slowness = 1;
#endif

constexpr std::array<std::pair<unsigned, std::string_view>, 3> versions{{{v10, "1.0"}, {v11, "1.1"}, {v12, "1.2"}}};

// What was sent is dealt with when the broker has answered something harmless that was sent behind it.
class socket_party final : public party {
public:
    socket_party(transport over, std::uint16_t port, bool is_mqtt)
        : is_mqtt_{is_mqtt}, peer_{over, port, is_mqtt ? "mqtt" : "v12.stomp"} {}

    void send(std::string_view bytes) override { peer_.send(bytes); }

    std::vector<std::string> take(bool patient) override {
        synchronize();
        read();
        while (patient && got_.empty() && peer_.read_more()) read();
        return std::exchange(got_, {});
    }

    bool closed() override {
        while (!peer_.ended() && peer_.read_more()) {}
        return peer_.ended();
    }

private:
    void synchronize() {
        using namespace std::string_literals;
        const auto token = "sync-" + std::to_string(++syncs_);
        peer_.send(is_mqtt_ ? "\xC0\0"s : "UNSUBSCRIBE\nid:" + token + "\nreceipt:" + token + "\n\n\0"s);
        const auto answer = is_mqtt_ ? "\xD0\0"s : "RECEIPT\nreceipt-id:" + token + "\n\n\0"s;
        const auto find = [&] {
            read();
            return std::ranges::find(got_, answer);
        };
        auto at = find();
        while (at == got_.end() && peer_.read_more()) at = find();
        if (at != got_.end()) got_.erase(at);
    }

    void read() {
        std::size_t used = 0;
        const auto received = std::string_view{peer_.received()}.substr(used_);
        for (auto& p : is_mqtt_ ? mqtt_packets(received, used) : stomp_frames(received, used)) got_.push_back(std::move(p));
        used_ += used;
    }

    bool is_mqtt_;
    peer peer_;
    std::size_t used_ = 0; // of what was received
    std::vector<std::string> got_{};
    int syncs_ = 0;
};

class server_venue final : public venue {
public:
    explicit server_venue(transport over)
        : over_{over}, server_{{"stomp", "mqtt", "ws"}, {"BROKERD__SYS__INTERVAL=0s"}, 1}, witness_{over, port(false), "v12.stomp"} {
        using namespace std::string_literals;
        serve_witness("CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:w\ndestination:/topic/witness\nreceipt:s\n\n\0"s,
                      {like("CONNECTED\n*\n\n\0"s), like("RECEIPT\nreceipt-id:s\n\n\0"s)}, "hello");
    }
    std::unique_ptr<party> join(bool is_mqtt) override { return std::make_unique<socket_party>(over_, port(is_mqtt), is_mqtt); }
    time_point now() override { return {}; } // playable() sees to it that nobody asks

    void check_witness(const std::string& behind) {
        using namespace std::string_literals;
        serve_witness("SEND\ndestination:/topic/witness\nreceipt:w\n\nround\0"s,
                      {like("MESSAGE\nsubscription:w\n*\n\nround\0"s), like("RECEIPT\nreceipt-id:w\n\n\0"s)}, behind);
        REQUIRE_MESSAGE(server_.running(), behind, ": ", server_.log());
    }

private:
    [[nodiscard]] std::uint16_t port(bool is_mqtt) const {
        return server_.port(over_ != transport::tcp ? "ws" : is_mqtt ? "mqtt" : "stomp");
    }
    // The answers come in any order.
    void serve_witness(std::string_view sent, const std::vector<std::string>& answers, const std::string& behind) {
        witness_.send(sent);
        std::size_t used = 0;
        const auto served = [&] { return std::ranges::is_permutation(stomp_frames(witness_.received(), used), answers, looks_like); };
        while (!served() && witness_.read_more()) {}
        CHECK_MESSAGE(served(), behind, ": the witness got ", witness_.received());
        witness_.forget_received();
    }

    transport over_;
    brokerd_process server_;
    peer witness_;
};

bool playable(const exchange& e) {
    return e.bounds == nullptr && !e.dotted && std::ranges::none_of(e.script, [](const std::string& line) {
        return line == "hold" || line == "commit" || line == "crash" || line.front() == '+' || line.contains("{now+");
    });
}

// It leaves something behind that the next one would find, or may still be there when that one begins.
bool leaves_something(const exchange& e) {
    constexpr std::array<std::string_view, 9> words{"queue", "retain", "will-", "durable", "activemq", "x-group", "$share", ": 31:", ": 10:"};
    return std::ranges::any_of(e.script, [&](const std::string& line) {
        return std::ranges::any_of(words, [&](std::string_view word) { return line.contains(word); });
    });
}

} // namespace

void run(const std::vector<exchange>& table) {
    std::size_t played = 0;
    for (const auto over : {transport::tcp, transport::websocket}) {
        server_venue shared{over};
        for (std::size_t row = 0; row != table.size(); ++row) {
            const auto& e = table[row];
            if (!playable(e)) continue;
            const bool alone = leaves_something(e);
            // A server of its own takes a while: then one version over one transport, by turns, and with a sanitizer some of them.
            if (alone && row % (2 * slowness) != static_cast<std::size_t>(over)) continue;
            std::vector<std::string_view> chosen;
            for (const auto& [bit, version] : versions) {
                if ((e.versions & bit) != 0) chosen.push_back(version);
            }
            if (alone) chosen = {chosen[row / 2 % chosen.size()]};
            for (const auto version : chosen) {
                ++played;
                if (alone) {
                    server_venue own{over};
                    play(e, version, own);
                    own.check_witness(e.name);
                } else {
                    play(e, version, shared);
                    shared.check_witness(e.name);
                }
            }
        }
    }
    MESSAGE(played, " played");
}

} // namespace broker::test
