#include "protocols/stomp/exchange.hpp"

#include "protocols/stomp/corpus.hpp"
#include "support/hex.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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

class stage {
public:
    stage(const exchange& e, std::string_view version, venue& at) : exchange_{e}, version_{version}, venue_{at} {}

    void play() {
        for (const auto& line : exchange_.script) {
            at_ = &line;
            if (!step(line)) return; // the rest would only repeat the failure
        }
        for (auto& [who, a] : actors_) {
            look(a, false);
            CHECK_MESSAGE(a.got.empty(), where(), ": at the end ", std::string{who}, " has got ", shown(a, a.got.front()));
        }
    }

private:
    struct actor {
        std::unique_ptr<party> client{};
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

    void look(actor& a, bool patient) {
        for (auto& p : a.client->take(patient && a.got.empty())) {
            if (!a.is_mqtt && p.starts_with("MESSAGE\n")) a.messages.push_back(p);
            a.got.push_back(std::move(p));
        }
    }

    actor& who(char name, std::string_view first = "") {
        auto& a = actors_[name];
        if (a.client) return a;
        a.is_mqtt = name >= 'm' && name <= 't';
        a.client = venue_.join(a.is_mqtt);
        if (a.is_mqtt) {
            if (first.starts_with("10")) return a;
            const bool v5 = name <= 'p';
            a.client->send(wire(std::string{"10: 'MQTT' "} + (v5 ? "05" : "04") + " 02 0000 " + (v5 ? "[]" : "") + " '" + name + "'"));
            look(a, true);
            a.got.clear();
        } else if (!first.starts_with("CONNECT") && !first.starts_with("STOMP")) {
            a.client->send("CONNECT\naccept-version:" + std::string{version_} + "\nhost:h\nclient-id:" + name + "\n\n" + '\0');
            look(a, true);
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
            text.replace(at, end + 1 - at, std::to_string(epoch_ms(venue_.now()) + more));
        }
        return text;
    }

    bool step(const std::string& line) {
        if (line == "hold") return venue_.hold(), true;
        if (line == "commit") return venue_.commit(), true;
        if (line == "crash") {
            venue_.crash();
            actors_.clear();
            return true;
        }
        if (line.front() == '+') return venue_.advance(seconds{std::stol(line.substr(1))}), true;
        const auto text = line.size() > 3 ? line.substr(3) : std::string{};
        auto& a = who(line.front(), text);
        switch (line[1]) {
        case ':': send(a, text); return true;
        case '/': return actors_.erase(line.front()), true;
        default: break;
        }
        look(a, line[1] != '.');
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
        if (a.is_mqtt) return a.client->send(wire(text));
        auto bytes = expanded(text, a);
        std::ranges::replace(bytes, '@', '\0');
        a.client->send(bytes + '\0');
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
    venue& venue_;
    std::map<char, actor> actors_;
    const std::string* at_ = nullptr;
};

} // namespace

void play(const exchange& e, std::string_view version, venue& at) { stage{e, version, at}.play(); }

std::vector<std::string> mqtt_packets(std::string_view bytes, std::size_t& used) {
    std::vector<std::string> packets;
    for (used = 0; used != bytes.size();) {
        std::size_t remaining = 0;
        auto at = used + 1;
        unsigned char byte = 0x80;
        for (unsigned shift = 0; at < bytes.size() && (byte & 0x80) != 0; shift += 7) {
            byte = static_cast<unsigned char>(bytes[at++]);
            remaining |= static_cast<std::size_t>(byte & 0x7F) << shift;
        }
        if ((byte & 0x80) != 0 || at + remaining > bytes.size()) break;
        packets.emplace_back(bytes.substr(used, at + remaining - used));
        used = at + remaining;
    }
    return packets;
}

std::vector<std::string> stomp_frames(std::string_view bytes, std::size_t& used) {
    static const auto split = stomp_dialect().split;
    auto frames = split(bytes);
    used = bytes.size();
    if (!frames.empty() && !frames.back().ends_with('\0') && frames.back() != "\n") {
        used -= frames.back().size();
        frames.pop_back();
    }
    return frames;
}

} // namespace broker::test
