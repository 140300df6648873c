#include "cli/durability/workload.hpp"

#include "cli/durability/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace broker::cli::durability {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t in_flight_max = 64;
constexpr auto quiet = 3s;          // nothing came for so long: nothing more comes
constexpr auto drain_most = 120s;
constexpr std::size_t retained_topics = 10;

std::uint64_t number_of(std::string_view text) {
    std::uint64_t n = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

// The first answer to what was just sent, or nothing.
std::optional<mqtt::packet> wait_for(connection& c, mqtt::type what) {
    for (const auto until = clock::now() + 10s; c.alive() && clock::now() < until; c.read(100ms)) {
        while (auto p = mqtt::take(c.buffer())) {
            if (p->what == what) return p;
        }
    }
    return std::nullopt;
}

bool subscribe_for_good(const ports& at, std::string_view client_id, std::string_view filter, std::uint8_t qos) {
    connection c{at.mqtt};
    c.send(mqtt::connect(client_id, true, true));
    if (!wait_for(c, mqtt::type::connack)) return false;
    c.send(mqtt::subscribe(filter, qos, 1));
    const auto granted = wait_for(c, mqtt::type::suback);
    return granted && granted->reason == qos;
}

// Reads until the connection ends or `go_on` says no; `on_packet` may answer.
void serve(connection& c, const std::function<bool()>& go_on, const std::function<void(const mqtt::packet&)>& on_packet) {
    const auto take_all = [&] {
        while (auto p = mqtt::take(c.buffer())) on_packet(*p);
    };
    take_all(); // what came with CONNACK
    while (c.alive() && go_on()) {
        c.read(20ms);
        take_all();
    }
}

// Goes on until `complete`, or until nothing has come for a while.
class patience {
public:
    explicit patience(std::function<bool()> complete) : complete_{std::move(complete)} {}
    void something_came() { last_ = clock::now(); }
    [[nodiscard]] bool operator()() const { return !complete_() && clock::now() - last_ < quiet && clock::now() - began_ < drain_most; }

private:
    std::function<bool()> complete_;
    clock::time_point began_ = clock::now();
    clock::time_point last_ = began_;
};

// What came of a stream of numbers: whether the first arrivals are in order, and how often each came.
class arrivals {
public:
    void add(std::uint64_t n) {
        if (++times_[n] != 1) return;
        if (n < highest_) ++out_of_order_;
        highest_ = std::max(highest_, n);
    }
    [[nodiscard]] bool has(std::uint64_t n) const { return times_.contains(n); }
    [[nodiscard]] std::uint64_t out_of_order() const { return out_of_order_; }
    [[nodiscard]] std::uint64_t more_than_once() const {
        return static_cast<std::uint64_t>(std::ranges::count_if(times_, [](const auto& t) { return t.second > 1; }));
    }
    [[nodiscard]] bool all_of(const std::unordered_set<std::uint64_t>& wanted) const {
        return std::ranges::all_of(wanted, [this](auto n) { return has(n); });
    }
    void judge(const std::unordered_set<std::uint64_t>& acknowledged, verdict& v) const {
        v.acknowledged = acknowledged.size();
        v.lost = static_cast<std::uint64_t>(std::ranges::count_if(acknowledged, [this](auto n) { return !has(n); }));
        v.out_of_order = out_of_order_;
    }

private:
    std::unordered_map<std::uint64_t, unsigned> times_;
    std::uint64_t highest_ = 0;
    std::uint64_t out_of_order_ = 0;
};

// PUBACK: kept for a durable session, which is connected half of the time.
class at_least_once final : public workload {
public:
    bool prepare(const ports& at) override { return subscribe_for_good(at, subscriber_, topic_, 1); }

    void publish(const ports& at, const std::atomic<bool>& stop) override {
        connection c{at.mqtt};
        c.send(mqtt::connect("verify-qos1-publisher", true, false));
        if (!wait_for(c, mqtt::type::connack)) return;
        std::map<std::uint16_t, std::uint64_t> sent;
        serve(c, [&] {
            std::string some;
            while (sent.size() < in_flight_max) {
                const auto id = static_cast<std::uint16_t>(1 + next_ % 60'000);
                if (!sent.emplace(id, next_).second) break;
                some += mqtt::publish(topic_, fmt::format("{}", next_++), 1, id, false, false);
            }
            c.send(some);
            return !stop;
        }, [&](const mqtt::packet& p) {
            if (p.what != mqtt::type::puback) return;
            if (const auto it = sent.find(p.id); it != sent.end()) {
                if (p.reason < 0x80) acknowledged_.insert(it->second);
                sent.erase(it);
            }
        });
    }

    void receive(const ports& at, const std::atomic<bool>& stop) override {
        if (++cycles_ % 2 == 0) return; // away: it is kept
        run(at, [&] { return !stop.load(); }, [] {});
    }

    void drain(const ports& at) override {
        patience more{[this] { return came_.all_of(acknowledged_); }};
        run(at, std::ref(more), [&] { more.something_came(); });
    }

    verdict judge() const override {
        verdict v{.promise = "QoS 1 PUBACK", .trouble = trouble_};
        came_.judge(acknowledged_, v);
        return v;
    }

private:
    void run(const ports& at, const std::function<bool()>& go_on, const std::function<void()>& something_came) {
        connection c{at.mqtt};
        c.send(mqtt::connect(subscriber_, false, true));
        const auto back = wait_for(c, mqtt::type::connack);
        if (back && !back->session_present) trouble_ = "the subscriber's session was forgotten";
        serve(c, go_on, [&](const mqtt::packet& p) {
            if (p.what != mqtt::type::publish) return;
            something_came();
            came_.add(number_of(p.payload));
            c.send(mqtt::answer(mqtt::type::puback, p.id));
        });
    }

    static constexpr std::string_view topic_ = "verify/qos1";
    static constexpr std::string_view subscriber_ = "verify-qos1";
    std::uint64_t next_ = 1;
    std::size_t cycles_ = 0;
    std::unordered_set<std::uint64_t> acknowledged_;
    arrivals came_;
    std::string trouble_;
};

// PUBREC: exactly once, from a publisher and to a subscriber that both come back to their sessions.
class exactly_once final : public workload {
public:
    bool prepare(const ports& at) override {
        connection c{at.mqtt};
        c.send(mqtt::connect(publisher_, true, true));
        return wait_for(c, mqtt::type::connack) && subscribe_for_good(at, subscriber_, topic_, 2);
    }

    void publish(const ports& at, const std::atomic<bool>& stop) override {
        send(at, [&] { return !stop.load(); }, true);
    }

    void receive(const ports& at, const std::atomic<bool>& stop) override {
        take(at, [&] { return !stop.load(); }, [] {});
    }

    void drain(const ports& at) override {
        patience answers{[this] { return sent_.empty(); }};
        send(at, std::ref(answers), false);
        patience more{[this] { return came_.all_of(acknowledged_); }};
        take(at, std::ref(more), [&] { more.something_came(); });
    }

    verdict judge() const override {
        verdict v{.promise = "QoS 2 PUBREC, once", .trouble = publisher_trouble_.empty() ? subscriber_trouble_ : publisher_trouble_};
        came_.judge(acknowledged_, v);
        v.doubled = came_.more_than_once();
        return v;
    }

private:
    struct outbound {
        std::uint64_t number = 0;
        bool released = false; // PUBREC came
    };

    void send(const ports& at, const std::function<bool()>& go_on, bool more) {
        connection c{at.mqtt};
        c.send(mqtt::connect(publisher_, false, true));
        const auto back = wait_for(c, mqtt::type::connack);
        if (!back) return;
        if (!back->session_present) publisher_trouble_ = "the publisher's session was forgotten";
        std::vector<std::pair<std::uint64_t, std::uint16_t>> again; // in the order they were sent [MQTT-4.6.0-1]
        for (const auto& [id, o] : sent_) again.emplace_back(o.number, id);
        std::ranges::sort(again);
        for (const auto& [number, id] : again) {
            c.send(sent_[id].released ? mqtt::answer(mqtt::type::pubrel, id)
                                      : mqtt::publish(topic_, fmt::format("{}", number), 2, id, false, true));
        }
        serve(c, [&] {
            while (more && sent_.size() < in_flight_max) {
                const auto id = static_cast<std::uint16_t>(1 + next_ % 60'000);
                if (!sent_.emplace(id, outbound{.number = next_}).second) break;
                c.send(mqtt::publish(topic_, fmt::format("{}", next_++), 2, id, false, false));
            }
            return go_on();
        }, [&](const mqtt::packet& p) {
            const auto it = sent_.find(p.id);
            if (it == sent_.end()) return;
            if (p.what == mqtt::type::pubrec && p.reason < 0x80) {
                acknowledged_.insert(it->second.number);
                it->second.released = true;
                c.send(mqtt::answer(mqtt::type::pubrel, p.id));
            } else if (p.what == mqtt::type::pubcomp || p.what == mqtt::type::pubrec) {
                sent_.erase(it);
            }
        });
    }

    void take(const ports& at, const std::function<bool()>& go_on, const std::function<void()>& something_came) {
        connection c{at.mqtt};
        c.send(mqtt::connect(subscriber_, false, true));
        const auto back = wait_for(c, mqtt::type::connack);
        if (back && !back->session_present) subscriber_trouble_ = "the subscriber's session was forgotten";
        serve(c, go_on, [&](const mqtt::packet& p) {
            something_came();
            if (p.what == mqtt::type::publish) {
                if (unreleased_.insert(p.id).second) came_.add(number_of(p.payload));
                c.send(mqtt::answer(mqtt::type::pubrec, p.id));
            } else if (p.what == mqtt::type::pubrel) {
                unreleased_.erase(p.id);
                c.send(mqtt::answer(mqtt::type::pubcomp, p.id));
            }
        });
    }

    static constexpr std::string_view topic_ = "verify/qos2";
    static constexpr std::string_view publisher_ = "verify-qos2-publisher";
    static constexpr std::string_view subscriber_ = "verify-qos2";
    std::uint64_t next_ = 1;
    std::map<std::uint16_t, outbound> sent_;
    std::set<std::uint16_t> unreleased_;
    std::unordered_set<std::uint64_t> acknowledged_;
    arrivals came_;
    std::string publisher_trouble_; // each of its own thread
    std::string subscriber_trouble_;
};

// RECEIPT of SEND: kept. RECEIPT of ACK: never again.
class stomp_queue final : public workload {
public:
    bool prepare(const ports& at) override {
        connection c{at.stomp};
        return connected(c);
    }

    void publish(const ports& at, const std::atomic<bool>& stop) override {
        connection c{at.stomp};
        if (!connected(c)) return;
        std::size_t open = 0;
        while (c.alive() && !stop) {
            std::string some;
            for (; open < in_flight_max; ++open, ++next_) {
                some += fmt::format("SEND\ndestination:/queue/verify\nreceipt:{}\n\n{}", next_, next_);
                some.push_back('\0');
            }
            c.send(some);
            c.read(20ms);
            while (const auto f = stomp::take(c.buffer())) {
                if (f->command != "RECEIPT") continue;
                acknowledged_.insert(number_of(f->get("receipt-id")));
                --open;
            }
        }
        while (const auto f = stomp::take(c.buffer())) {
            if (f->command == "RECEIPT") acknowledged_.insert(number_of(f->get("receipt-id")));
        }
    }

    void receive(const ports& at, const std::atomic<bool>& stop) override {
        consume(at, [&] { return !stop.load(); }, [] {});
    }

    void drain(const ports& at) override {
        patience more{[this] { return came_.all_of(acknowledged_); }};
        consume(at, std::ref(more), [&] { more.something_came(); });
    }

    verdict judge() const override {
        verdict v{.promise = "STOMP queue, RECEIPT"};
        came_.judge(acknowledged_, v);
        v.out_of_order = 0; // what was not acknowledged comes again, behind what came meanwhile
        v.doubled = came_back_;
        return v;
    }

private:
    static bool connected(connection& c) {
        using namespace std::string_literals;
        c.send("CONNECT\naccept-version:1.2\nhost:verify\n\n\0"s);
        for (const auto until = clock::now() + 10s; c.alive() && clock::now() < until; c.read(100ms)) {
            if (const auto f = stomp::take(c.buffer())) return f->command == "CONNECTED";
        }
        return false;
    }

    void consume(const ports& at, const std::function<bool()>& go_on, const std::function<void()>& something_came) {
        connection c{at.stomp};
        if (!connected(c)) return;
        std::string first = "SUBSCRIBE\nid:1\ndestination:/queue/verify\nack:client-individual\n\n";
        first.push_back('\0');
        c.send(first);
        const auto on_frame = [&](const stomp::frame& f) {
            if (f.command == "RECEIPT") {
                done_.insert(number_of(f.get("receipt-id")));
                return;
            }
            if (f.command != "MESSAGE") return;
            something_came();
            const auto n = number_of(f.body);
            if (done_.contains(n)) ++came_back_;
            came_.add(n);
            auto ack = fmt::format("ACK\nid:{}\nreceipt:{}\n\n", f.get("ack"), n);
            ack.push_back('\0');
            c.send(ack);
        };
        while (c.alive() && go_on()) {
            while (const auto f = stomp::take(c.buffer())) on_frame(*f);
            c.read(20ms);
        }
        while (const auto f = stomp::take(c.buffer())) on_frame(*f);
    }

    std::uint64_t next_ = 1;
    std::unordered_set<std::uint64_t> acknowledged_;
    std::unordered_set<std::uint64_t> done_; // the ACK had its RECEIPT
    std::uint64_t came_back_ = 0;
    arrivals came_;
};

// PUBACK of a retained message: it, or a later one, is there.
class retained_values final : public workload {
public:
    bool prepare(const ports&) override { return true; }

    void publish(const ports& at, const std::atomic<bool>& stop) override {
        connection c{at.mqtt};
        c.send(mqtt::connect("verify-retained-publisher", true, false));
        if (!wait_for(c, mqtt::type::connack)) return;
        std::map<std::uint16_t, std::uint64_t> sent;
        serve(c, [&] {
            while (sent.size() < retained_topics) {
                const auto id = static_cast<std::uint16_t>(1 + next_ % 60'000);
                if (!sent.emplace(id, next_).second) break;
                c.send(mqtt::publish(topic(next_), fmt::format("{}", next_), 1, id, true, false));
                ++next_;
            }
            return !stop;
        }, [&](const mqtt::packet& p) {
            if (p.what != mqtt::type::puback) return;
            if (const auto it = sent.find(p.id); it != sent.end()) {
                if (p.reason < 0x80) {
                    ++acknowledged_;
                    auto& known = last_[topic(it->second)];
                    known = std::max(known, it->second);
                }
                sent.erase(it);
            }
        });
    }

    void receive(const ports&, const std::atomic<bool>&) override {}

    void drain(const ports& at) override {
        connection c{at.mqtt};
        c.send(mqtt::connect("verify-retained-reader", true, false));
        if (!wait_for(c, mqtt::type::connack)) return;
        c.send(mqtt::subscribe("verify/retained/#", 1, 1));
        patience more{[this] { return found_.size() == last_.size(); }};
        serve(c, std::ref(more), [&](const mqtt::packet& p) {
            if (p.what != mqtt::type::publish) return;
            more.something_came();
            found_[p.topic] = number_of(p.payload);
            c.send(mqtt::answer(mqtt::type::puback, p.id));
        });
    }

    verdict judge() const override {
        verdict v{.promise = "retained, PUBACK", .acknowledged = acknowledged_};
        for (const auto& [topic, number] : last_) {
            const auto it = found_.find(topic);
            if (it == found_.end() || it->second < number) ++v.lost;
        }
        return v;
    }

private:
    static std::string topic(std::uint64_t number) { return fmt::format("verify/retained/{}", number % retained_topics); }

    std::uint64_t next_ = 1;
    std::uint64_t acknowledged_ = 0;
    std::map<std::string, std::uint64_t> last_; // acknowledged, by topic
    std::map<std::string, std::uint64_t> found_;
};

// SUBACK and CONNACK: a subscription survives, and the will of a connection that died with the broker is published.
class wills_and_subscriptions final : public workload {
public:
    bool prepare(const ports& at) override { return subscribe_for_good(at, subscriber_, "verify/will", 1); }

    // Each connection that was accepted with a will dies with the broker.
    void publish(const ports& at, const std::atomic<bool>& stop) override {
        connection c{at.mqtt};
        c.send(mqtt::connect("verify-will", true, false, mqtt::will{.topic = "verify/will", .payload = fmt::format("{}", ++cycle_)}));
        if (!wait_for(c, mqtt::type::connack)) return;
        acknowledged_.insert(cycle_);
        const auto filter = fmt::format("verify/late/{}", cycle_);
        connection s{at.mqtt};
        s.send(mqtt::connect(late_, false, true));
        if (wait_for(s, mqtt::type::connack)) {
            s.send(mqtt::subscribe(filter, 1, 1));
            if (wait_for(s, mqtt::type::suback)) subscribed_.insert(cycle_);
        }
        serve(c, [&] { return !stop.load(); }, [](const mqtt::packet&) {});
    }

    void receive(const ports&, const std::atomic<bool>&) override {}

    void drain(const ports& at) override {
        patience wills{[this] { return came_.all_of(acknowledged_); }};
        read(at, subscriber_, std::ref(wills), [&](const mqtt::packet& p) { came_.add(number_of(p.payload)); });
        connection c{at.mqtt};
        c.send(mqtt::connect("verify-late-publisher", true, false));
        if (!wait_for(c, mqtt::type::connack)) return;
        for (const auto n : subscribed_) {
            c.send(mqtt::publish(fmt::format("verify/late/{}", n), fmt::format("{}", n), 1, static_cast<std::uint16_t>(n), false, false));
            (void)wait_for(c, mqtt::type::puback);
        }
        patience late{[this] { return late_came_.all_of(subscribed_); }};
        read(at, late_, std::ref(late), [&](const mqtt::packet& p) { late_came_.add(number_of(p.payload)); });
    }

    verdict judge() const override {
        verdict v{.promise = "wills, SUBACK"};
        came_.judge(acknowledged_, v);
        verdict subscriptions;
        late_came_.judge(subscribed_, subscriptions);
        v.acknowledged += subscriptions.acknowledged;
        v.lost += subscriptions.lost;
        v.out_of_order = 0;
        return v;
    }

private:
    static void read(const ports& at, std::string_view who, const std::function<bool()>& go_on,
                     const std::function<void(const mqtt::packet&)>& take) {
        connection c{at.mqtt};
        c.send(mqtt::connect(who, false, true));
        if (!wait_for(c, mqtt::type::connack)) return;
        serve(c, go_on, [&](const mqtt::packet& p) {
            if (p.what != mqtt::type::publish) return;
            take(p);
            c.send(mqtt::answer(mqtt::type::puback, p.id));
        });
    }

    static constexpr std::string_view subscriber_ = "verify-will-reader";
    static constexpr std::string_view late_ = "verify-late";
    std::uint64_t cycle_ = 0;
    std::unordered_set<std::uint64_t> acknowledged_;
    std::unordered_set<std::uint64_t> subscribed_;
    arrivals came_;
    arrivals late_came_;
};

} // namespace

std::vector<std::unique_ptr<workload>> all_workloads() {
    std::vector<std::unique_ptr<workload>> all;
    all.push_back(std::make_unique<at_least_once>());
    all.push_back(std::make_unique<exactly_once>());
    all.push_back(std::make_unique<stomp_queue>());
    all.push_back(std::make_unique<retained_values>());
    all.push_back(std::make_unique<wills_and_subscriptions>());
    return all;
}

} // namespace broker::cli::durability
