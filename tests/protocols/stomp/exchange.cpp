#include "protocols/stomp/exchange.hpp"

#include "protocols/mqtt/engine.hpp"
#include "protocols/stomp/corpus.hpp"
#include "protocols/stomp/engine.hpp"
#include "support/hex.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <deque>

namespace broker::test {

namespace {

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

std::string header_of(std::string_view frame, std::string_view name) {
    const auto at = frame.find("\n" + std::string{name} + ":");
    if (at == std::string_view::npos) return {};
    const auto from = at + name.size() + 2;
    return std::string{frame.substr(from, frame.find('\n', from) - from)};
}

// MQTT packets, one string each.
std::vector<std::string> packets_of(std::string_view bytes) {
    std::vector<std::string> packets;
    while (!bytes.empty()) {
        std::size_t remaining = 0;
        std::size_t at = 1;
        for (unsigned shift = 0; at < bytes.size(); shift += 7) {
            const auto byte = static_cast<unsigned char>(bytes[at++]);
            remaining |= static_cast<std::size_t>(byte & 0x7F) << shift;
            if ((byte & 0x80) == 0) break;
        }
        const auto size = std::min(at + remaining, bytes.size());
        packets.emplace_back(bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
    return packets;
}

class stage {
public:
    stage(const exchange& e, std::string_view version, const limits& bounds)
        : exchange_{e}, version_{version}, node_{1, bounds} {
        if (e.dotted) node_.use_dots();
    }

    void play() {
        for (const auto& line : exchange_.script) {
            at_ = &line;
            if (!step(line)) return; // the rest would only repeat the failure
        }
        for (auto& [who, a] : actors_) {
            look(a);
            CHECK_MESSAGE(a.got.empty(), where(), ": at the end ", std::string{who}, " has got ", shown(a, a.got.front()));
        }
    }

private:
    struct actor {
        std::unique_ptr<test_client> client{};
        bool is_mqtt = false;
        std::deque<std::string> got{};
        std::vector<std::string> messages{}; // every MESSAGE it ever got
    };

    [[nodiscard]] std::string where() const {
        return exchange_.name + " (" + std::string{version_} + "): " + (at_ == nullptr ? "" : replaced(*at_, "\n", "\\n"));
    }
    [[nodiscard]] static std::string shown(const actor& a, const std::string& packet) {
        return a.is_mqtt ? to_hex(packet) : replaced(replaced(packet, "\n", "\\n"), std::string_view{"\0", 1}, "@");
    }

    void look(actor& a) {
        const auto bytes = a.client->sent();
        for (auto& p : a.is_mqtt ? packets_of(bytes) : stomp_dialect().split(bytes)) {
            if (!a.is_mqtt && p.starts_with("MESSAGE\n")) a.messages.push_back(p);
            a.got.push_back(std::move(p));
        }
    }

    actor& who(char name, std::string_view first = "") {
        auto& a = actors_[name];
        if (a.client) return a;
        a.is_mqtt = name >= 'm' && name <= 't';
        a.client = std::make_unique<test_client>(node_, 0, a.is_mqtt ? mqtt::make_engine : stomp::make_engine);
        if (a.is_mqtt) {
            if (first.starts_with("10")) return a;
            const bool v5 = name <= 'p';
            a.client->receive(wire(std::string{"10: 'MQTT' "} + (v5 ? "05" : "04") + " 02 0000 " + (v5 ? "[]" : "") + " '" + name + "'"));
            look(a);
            a.got.clear();
        } else if (!first.starts_with("CONNECT") && !first.starts_with("STOMP")) {
            a.client->receive("CONNECT\naccept-version:" + std::string{version_} + "\nhost:h\nclient-id:" + name + "\n\n" + '\0');
            look(a);
            a.got.clear();
        }
        return a;
    }

    // "ACK\n" and what acknowledges the n-th MESSAGE.
    [[nodiscard]] std::string acknowledging(const actor& a, std::string_view command, std::size_t n) const {
        if (n > a.messages.size()) return "(no such message)";
        const auto& m = a.messages[n - 1];
        auto text = std::string{command} + "\n";
        if (version_ == "1.2") return text + "id:" + header_of(m, "ack") + "\n";
        if (version_ == "1.1") text += "subscription:" + header_of(m, "subscription") + "\n";
        return text + "message-id:" + header_of(m, "message-id") + "\n";
    }

    [[nodiscard]] std::string expanded(std::string text, const actor& a) const {
        text = replaced(text, "{v}", version_);
        text = replaced(text, "{ack}", version_ == "1.2" ? "ack:*\n" : "");
        for (const std::string_view command : {"ACK", "NACK"}) {
            const auto opening = "{" + std::string{command} + " ";
            for (auto at = text.find(opening); at != std::string::npos; at = text.find(opening)) {
                const auto end = text.find('}', at);
                const auto n = std::stoul(text.substr(at + opening.size(), end - at - opening.size()));
                text.replace(at, end + 1 - at, acknowledging(a, command, n));
            }
        }
        for (auto at = text.find("{reply "); at != std::string::npos; at = text.find("{reply ")) {
            const auto end = text.find('}', at);
            const auto n = std::stoul(text.substr(at + 7, end - at - 7));
            text.replace(at, end + 1 - at, n > a.messages.size() ? "(no such message)" : header_of(a.messages[n - 1], "reply-to"));
        }
        for (auto at = text.find("{now+"); at != std::string::npos; at = text.find("{now+")) {
            const auto end = text.find('}', at);
            const auto more = std::stoll(text.substr(at + 5, end - at - 5));
            text.replace(at, end + 1 - at, std::to_string(epoch_ms(node_.now()) + more));
        }
        return text;
    }

    bool step(const std::string& line) {
        if (line == "hold") return node_.commit_automatically(false), true;
        if (line == "commit") return node_.commit(), node_.commit_automatically(true), true;
        if (line == "crash") {
            node_.crash_and_recover();
            node_.commit_automatically(true);
            actors_.clear();
            return true;
        }
        if (line.front() == '+') {
            node_.advance(seconds{std::stol(line.substr(1))});
            return true;
        }
        const auto text = line.size() > 3 ? line.substr(3) : std::string{};
        auto& a = who(line.front(), text);
        switch (line[1]) {
        case ':': send(a, text); return true;
        case '/': a.client->disconnect(); return actors_.erase(line.front()), true;
        default: break;
        }
        look(a);
        switch (line[1]) {
        case '.':
            CHECK_MESSAGE(a.got.empty(), where(), " but it got ", shown(a, a.got.front()));
            return a.got.empty();
        case '!': return refused(a, text);
        case '>':
        case '=': return receives(a, text, line[1] == '=');
        default: FAIL("not a step: ", line); return false;
        }
    }

    void send(actor& a, const std::string& text) {
        if (a.is_mqtt) return a.client->receive(wire(text));
        auto bytes = expanded(text, a);
        std::ranges::replace(bytes, '@', '\0');
        a.client->receive(bytes + '\0');
    }

    bool receives(actor& a, const std::string& text, bool exact) {
        CHECK_MESSAGE(!a.got.empty(), where(), " but it got nothing");
        if (a.got.empty()) return false;
        const auto packet = a.got.front();
        a.got.pop_front();
        const auto pattern = a.is_mqtt ? (exact ? to_hex(wire(text)) : text) : like(expanded(text, a) + '\0');
        const bool ok = looks_like(packet, pattern);
        CHECK_MESSAGE(ok, where(), " but it got ", shown(a, packet));
        return ok;
    }

    bool refused(actor& a, const std::string& code) {
        const bool ok = a.got.size() == 1 && looks_like(a.got.front(), like("ERROR\nmessage:*code:" + code + "\n*"));
        CHECK_MESSAGE(ok, where(), " but it got ", a.got.empty() ? "nothing" : shown(a, a.got.front()));
        CHECK_MESSAGE(a.client->closed(), where(), " but it is not closed");
        a.got.clear();
        return ok;
    }

    const exchange& exchange_;
    std::string_view version_;
    test_node node_;
    std::map<char, actor> actors_; // gone before the node
    const std::string* at_ = nullptr;
};

} // namespace

void run(const std::vector<exchange>& table) {
    constexpr std::array<std::pair<unsigned, std::string_view>, 3> versions{{{v10, "1.0"}, {v11, "1.1"}, {v12, "1.2"}}};
    for (const auto& e : table) {
        for (const auto& [bit, version] : versions) {
            if ((e.versions & bit) == 0) continue;
            limits bounds;
            if (e.bounds != nullptr) e.bounds(bounds);
            stage{e, version, bounds}.play();
        }
    }
}

} // namespace broker::test
