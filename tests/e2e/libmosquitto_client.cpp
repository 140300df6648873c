// libmosquitto against a running broker: one table of scenarios, each in MQTT 3.1, 3.1.1 and 5. Exit status 0: all of it
// held. Every run has topics and client ids of its own.
#include <mqtt_protocol.h>
#include <mosquitto.h>

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::chrono::seconds patience{30};

struct version {
    int number;
    const char* name;
};
constexpr version versions[] = {{MQTT_PROTOCOL_V31, "3.1"}, {MQTT_PROTOCOL_V311, "3.1.1"}, {MQTT_PROTOCOL_V5, "5"}};

class property_list {
public:
    property_list() = default;
    property_list(const property_list&) = delete;
    property_list& operator=(const property_list&) = delete;
    ~property_list() { mosquitto_property_free_all(&list_); }
    property_list& number(int id, std::uint32_t value) {
        switch (id) {
        case MQTT_PROP_RECEIVE_MAXIMUM: mosquitto_property_add_int16(&list_, id, static_cast<std::uint16_t>(value)); break;
        case MQTT_PROP_SUBSCRIPTION_IDENTIFIER: mosquitto_property_add_varint(&list_, id, value); break;
        default: mosquitto_property_add_int32(&list_, id, value);
        }
        return *this;
    }
    property_list& text(int id, const char* value) {
        mosquitto_property_add_string(&list_, id, value);
        return *this;
    }
    property_list& user(const char* key, const char* value) {
        mosquitto_property_add_string_pair(&list_, MQTT_PROP_USER_PROPERTY, key, value);
        return *this;
    }
    [[nodiscard]] const mosquitto_property* get() const { return list_; }

private:
    mosquitto_property* list_ = nullptr;
};

struct message {
    std::string text{};
    int qos = 0;
    bool retain = false;
    std::vector<std::string> user{}; // "key=value", in order
    std::uint32_t identifier = 0;
    std::uint32_t expiry = 0;
};

struct connect_options {
    std::uint32_t kept = 0; // seconds the session outlives the connection; versions 3: forever
    const char* will = nullptr;
    const property_list* with = nullptr; // version 5, beside the session expiry
};

class client {
public:
    client(int port, int protocol, const std::string& id, const std::string& will_topic, const connect_options& o)
        : v5_{protocol == MQTT_PROTOCOL_V5}, handle_{mosquitto_new(id.c_str(), o.kept == 0, this)} {
        mosquitto_int_option(handle_, MOSQ_OPT_PROTOCOL_VERSION, protocol);
        mosquitto_connect_v5_callback_set(handle_, [](mosquitto*, void* self, int rc, int flags, const mosquitto_property*) {
            of(self).connected_ = rc;
            of(self).present = (flags & 1) != 0;
        });
        mosquitto_disconnect_v5_callback_set(
            handle_, [](mosquitto*, void* self, int rc, const mosquitto_property*) { of(self).ended(rc); });
        mosquitto_subscribe_callback_set(handle_,
                                         [](mosquitto*, void* self, int, int, const int*) { ++of(self).answers_; });
        mosquitto_unsubscribe_callback_set(handle_, [](mosquitto*, void* self, int) { ++of(self).answers_; });
        mosquitto_publish_callback_set(handle_, [](mosquitto*, void* self, int) { ++of(self).answers_; });
        mosquitto_message_v5_callback_set(handle_, on_message);
        if (o.will != nullptr) {
            mosquitto_will_set(handle_, will_topic.c_str(), static_cast<int>(std::string_view{o.will}.size()), o.will, 1, false);
        }
        mosquitto_property* properties = nullptr;
        if (v5_ && o.with != nullptr) mosquitto_property_copy_all(&properties, o.with->get());
        if (v5_) mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, o.kept);
        const int rc = mosquitto_connect_bind_v5(handle_, "127.0.0.1", port, 600, nullptr, properties);
        mosquitto_property_free_all(&properties);
        if (rc != MOSQ_ERR_SUCCESS) throw std::runtime_error{"cannot connect"};
        until([this] { return connected_ == 0; }, "CONNACK");
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;
    ~client() { mosquitto_destroy(handle_); }

    void subscribe(const std::string& filter, int qos = 2, int options = 0, const property_list* with = nullptr) {
        request([&] {
            return mosquitto_subscribe_v5(handle_, nullptr, filter.c_str(), qos, options, with != nullptr ? with->get() : nullptr);
        });
    }
    void unsubscribe(const std::string& filter) {
        request([&] { return mosquitto_unsubscribe(handle_, nullptr, filter.c_str()); });
    }
    void publish(const std::string& topic, const std::string& text, int qos = 1, bool retain = false,
                 const property_list* with = nullptr) {
        request([&] {
            return mosquitto_publish_v5(handle_, nullptr, topic.c_str(), static_cast<int>(text.size()), text.data(), qos, retain,
                                        with != nullptr ? with->get() : nullptr);
        });
    }
    std::vector<message> take(std::size_t count) {
        until([&] { return messages_.size() >= count; }, "messages");
        const auto end = messages_.begin() + static_cast<std::ptrdiff_t>(count);
        std::vector<message> taken{messages_.begin(), end};
        messages_.erase(messages_.begin(), end);
        return taken;
    }
    std::vector<std::string> texts(std::size_t count) {
        std::vector<std::string> all;
        for (auto& m : take(count)) all.push_back(m.text);
        return all;
    }
    void leave() {
        mosquitto_disconnect(handle_);
        until([this] { return over_; }, "the end of the connection");
    }
    void cut() { ::shutdown(mosquitto_socket(handle_), SHUT_RDWR); } // without a word
    int goodbye() { // how the server ended it
        until([this] { return over_; }, "the end of the connection");
        return why_;
    }

    bool present = false;

private:
    static client& of(void* self) { return *static_cast<client*>(self); }
    static void on_message(mosquitto*, void* self, const mosquitto_message* m, const mosquitto_property* properties) {
        message got{.text = {static_cast<const char*>(m->payload), static_cast<std::size_t>(m->payloadlen)},
                    .qos = m->qos,
                    .retain = m->retain};
        mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &got.expiry, false);
        char* key = nullptr;
        char* value = nullptr;
        const auto* at = mosquitto_property_read_string_pair(properties, MQTT_PROP_USER_PROPERTY, &key, &value, false);
        for (; at != nullptr; at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &key, &value, true)) {
            got.user.push_back(std::string{key} + "=" + value);
            std::free(key);
            std::free(value);
        }
        mosquitto_property_read_varint(properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &got.identifier, false);
        of(self).messages_.push_back(std::move(got));
    }
    void ended(int why) {
        if (!over_) why_ = why;
        over_ = true;
    }
    template <class Call>
    void request(Call call) {
        const auto before = answers_;
        if (call() != MOSQ_ERR_SUCCESS) throw std::runtime_error{"libmosquitto refuses the call"};
        until([&] { return answers_ > before; }, "the answer");
    }
    template <class Condition>
    void until(Condition condition, const char* what) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error{std::string{"waited in vain for "} + what};
            if (mosquitto_loop(handle_, 50, 1) != MOSQ_ERR_SUCCESS && !condition()) {
                throw std::runtime_error{std::string{"the connection ended before "} + what};
            }
        }
    }

    bool v5_;
    int connected_ = -1;
    bool over_ = false;
    int why_ = 0;
    int answers_ = 0;
    std::vector<message> messages_;
    mosquitto* handle_;
};

// One scenario in one version.
class run {
public:
    run(int port, const char* scenario, const version& v)
        : port_{port}, version_{v}, prefix_{std::string{"lib/"} + scenario + "/" + v.name + "/"} {}

    [[nodiscard]] int number() const { return version_.number; }
    [[nodiscard]] std::string topic(const std::string& rest = "t") const { return prefix_ + rest; }
    client& connect(const std::string& name, const connect_options& o = {}) {
        clients_.push_back(std::make_unique<client>(port_, version_.number, prefix_ + name, topic("will"), o));
        return *clients_.back();
    }
    client& subscriber(const std::string& filter, int qos = 2) {
        auto& made = connect("subscriber " + std::to_string(clients_.size()));
        made.subscribe(filter, qos);
        return made;
    }

private:
    int port_;
    version version_;
    std::string prefix_;
    std::vector<std::unique_ptr<client>> clients_;
};

using texts = std::vector<std::string>;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) throw std::runtime_error{"line " + std::to_string(__LINE__) + ": " + #condition};  \
    } while (false)

void levels(run& r) {
    auto& publisher = r.connect("publisher");
    for (int wanted = 0; wanted != 3; ++wanted) {
        auto& subscriber = r.subscriber(r.topic(std::to_string(wanted)), wanted);
        for (int qos = 0; qos != 3; ++qos) {
            publisher.publish(r.topic(std::to_string(wanted)), "x", qos);
            CHECK(subscriber.take(1).front().qos == std::min(qos, wanted));
        }
    }
}

void retained(run& r) {
    auto& publisher = r.connect("publisher");
    publisher.publish(r.topic("r"), "old", 1, true);
    publisher.publish(r.topic("r"), "new", 2, true);
    const auto kept = r.subscriber(r.topic("#")).take(1).front();
    CHECK(kept.text == "new" && kept.qos == 2 && kept.retain);
    publisher.publish(r.topic("r"), "", 1, true);
    auto& late = r.subscriber(r.topic("#"));
    publisher.publish(r.topic(), "end");
    CHECK(late.texts(1) == texts{"end"});
}

void wills(run& r) {
    auto& watcher = r.subscriber(r.topic("will"));
    r.connect("polite", {.will = "never"}).leave();
    r.connect("lost", {.will = "lost"}).cut();
    CHECK(watcher.texts(1) == texts{"lost"});
}

void kept_session(run& r) {
    auto& away = r.connect("away", {.kept = 3600});
    CHECK(!away.present);
    away.subscribe(r.topic());
    away.leave();
    auto& publisher = r.connect("publisher");
    publisher.publish(r.topic(), "not stored", 0);
    publisher.publish(r.topic(), "1", 1);
    publisher.publish(r.topic(), "2", 2);
    auto& back = r.connect("away", {.kept = 3600});
    CHECK(back.present == (r.number() != MQTT_PROTOCOL_V31));
    auto got = back.texts(2);
    std::ranges::sort(got);
    CHECK((got == texts{"1", "2"}));
    back.leave();
    CHECK(!r.connect("away").present);
}

void takeover(run& r) {
    auto& first = r.connect("same", {.kept = 3600});
    first.subscribe(r.topic());
    auto& second = r.connect("same", {.kept = 3600});
    const int why = first.goodbye();
    CHECK(r.number() != MQTT_PROTOCOL_V5 || why == MQTT_RC_SESSION_TAKEN_OVER);
    r.connect("publisher").publish(r.topic(), "to the second");
    CHECK(second.texts(1) == texts{"to the second"});
}

void unsubscribed(run& r) {
    auto& subscriber = r.subscriber(r.topic("a"));
    subscriber.subscribe(r.topic("b"));
    subscriber.unsubscribe(r.topic("a"));
    auto& publisher = r.connect("publisher");
    publisher.publish(r.topic("a"), "nothing");
    publisher.publish(r.topic("b"), "end");
    CHECK(subscriber.texts(1) == texts{"end"});
}

void shared(run& r) {
    auto& one = r.subscriber("$share/g/" + r.topic());
    auto& two = r.subscriber("$share/g/" + r.topic());
    auto& publisher = r.connect("publisher");
    for (int i = 0; i != 10; ++i) publisher.publish(r.topic(), "x");
    CHECK(one.take(5).size() == 5);
    CHECK(two.take(5).size() == 5);
    one.unsubscribe("$share/g/" + r.topic());
    for (int i = 0; i != 10; ++i) publisher.publish(r.topic(), "x");
    CHECK(two.take(10).size() == 10);
}

void large(run& r) {
    auto& subscriber = r.subscriber(r.topic());
    const std::string payload(1'000'000, 'x');
    r.connect("publisher").publish(r.topic(), payload, 2);
    CHECK(subscriber.texts(1) == texts{payload});
}

void passed_on(run& r) {
    auto& subscriber = r.connect("subscriber");
    property_list identifier; // one: libmosquitto takes two on one message for a protocol error
    subscriber.subscribe(r.topic("#"), 1, 0, &identifier.number(MQTT_PROP_SUBSCRIPTION_IDENTIFIER, 268'435'455));
    property_list with;
    with.user("twice", "1").user("twice", "2").number(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 1000);
    r.connect("publisher").publish(r.topic("a"), "x", 1, false, &with);
    const auto got = subscriber.take(1).front();
    CHECK((got.user == texts{"twice=1", "twice=2"}));
    CHECK(got.identifier == 268'435'455);
    CHECK(got.expiry > 900 && got.expiry <= 1000);
}

void options(run& r) {
    auto& publisher = r.connect("publisher");
    publisher.publish(r.topic("r"), "kept", 1, true);
    auto& own = r.connect("own");
    own.subscribe(r.topic("r"), 1, MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_RETAIN_AS_PUBLISHED | MQTT_SUB_OPT_SEND_RETAIN_NEVER);
    own.publish(r.topic("r"), "own");
    publisher.publish(r.topic("r"), "again", 1, true);
    const auto got = own.take(1).front();
    CHECK(got.text == "again" && got.retain);
    publisher.publish(r.topic("r"), "", 1, true);
}

void session_expiry(run& r) {
    property_list limits;
    auto& away = r.connect("away", {.kept = 3600, .with = &limits.number(MQTT_PROP_RECEIVE_MAXIMUM, 1)});
    away.subscribe(r.topic());
    away.leave();
    auto& publisher = r.connect("publisher");
    for (const auto* const text : {"1", "2", "3"}) publisher.publish(r.topic(), text);
    auto& back = r.connect("away", {.kept = 3600, .with = &limits}); // one at a time
    CHECK((back.texts(3) == texts{"1", "2", "3"}));
}

struct scenario {
    const char* name;
    void (*play)(run&);
    bool v5_only = false;
};
constexpr scenario scenarios[] = {
    {"levels", levels},         {"retained", retained},         {"wills", wills},
    {"kept session", kept_session}, {"takeover", takeover},     {"unsubscribed", unsubscribed},
    {"shared", shared},         {"large", large},               {"passed on", passed_on, true},
    {"options", options, true}, {"session expiry", session_expiry, true},
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: libmosquitto_client PORT\n");
        return 1;
    }
    mosquitto_lib_init();
    int failures = 0;
    for (const auto& s : scenarios) {
        for (const auto& v : versions) {
            if (s.v5_only && v.number != MQTT_PROTOCOL_V5) continue;
            try {
                run r{std::atoi(argv[1]), s.name, v};
                s.play(r);
                std::printf("ok %s %s\n", v.name, s.name);
            } catch (const std::exception& e) {
                std::printf("FAILED %s %s: %s\n", v.name, s.name, e.what());
                ++failures;
            }
        }
    }
    mosquitto_lib_cleanup();
    return failures == 0 ? 0 : 1;
}
