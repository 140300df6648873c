// Exchanges with engines on a node without threads, sockets or a clock of its own.
#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/engine.hpp"
#include "protocols/stomp/exchange.hpp"
#include "support/test_node.hpp"

#include <array>

namespace broker::test {

namespace {

class engine_party final : public party {
public:
    engine_party(test_node& node, bool is_mqtt)
        : is_mqtt_{is_mqtt}, client_{node, 0, is_mqtt ? mqtt::make_engine : stomp::make_engine} {}
    void send(std::string_view bytes) override { client_.receive(bytes); }
    std::vector<std::string> take(bool) override {
        std::size_t used = 0;
        return is_mqtt_ ? mqtt_packets(client_.sent(), used) : stomp_frames(client_.sent(), used);
    }
    bool closed() override { return client_.closed(); }

private:
    bool is_mqtt_;
    test_client client_;
};

class node_venue final : public venue {
public:
    node_venue(const limits& bounds, bool dotted) : node_{1, bounds} {
        if (dotted) node_.use_dots();
    }
    std::unique_ptr<party> join(bool is_mqtt) override { return std::make_unique<engine_party>(node_, is_mqtt); }
    time_point now() override { return node_.now(); }
    void hold() override { node_.commit_automatically(false); }
    void commit() override {
        node_.commit();
        node_.commit_automatically(true);
    }
    void crash() override {
        node_.crash_and_recover();
        node_.commit_automatically(true);
    }
    void advance(seconds by) override { node_.advance(by); }

private:
    test_node node_;
};

} // namespace

void run(const std::vector<exchange>& table) {
    constexpr std::array<std::pair<unsigned, std::string_view>, 3> versions{{{v10, "1.0"}, {v11, "1.1"}, {v12, "1.2"}}};
    for (const auto& e : table) {
        limits bounds;
        if (e.bounds != nullptr) e.bounds(bounds);
        for (const auto& [bit, version] : versions) {
            if ((e.versions & bit) == 0) continue;
            node_venue at{bounds, e.dotted};
            play(e, version, at);
        }
    }
}

} // namespace broker::test
