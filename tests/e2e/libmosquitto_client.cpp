// libmosquitto against a running broker: QoS 0 to 2 both ways, then a persistent session that misses messages while it
// is away and gets them when it returns. Exit status 0: all of it held.
#include <mosquitto.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct seen {
    int connected = -1;
    bool subscribed = false;
    int published = 0;
    std::vector<std::string> messages;
};

[[noreturn]] void failed(const char* what) {
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

class client {
public:
    client(const char* id, bool clean, int port) : handle_{mosquitto_new(id, clean, &state_)} {
        mosquitto_connect_callback_set(handle_, [](mosquitto*, void* s, int rc) { of(s).connected = rc; });
        mosquitto_subscribe_callback_set(
            handle_, [](mosquitto*, void* s, int, int, const int*) { of(s).subscribed = true; });
        mosquitto_publish_callback_set(handle_, [](mosquitto*, void* s, int) { ++of(s).published; });
        mosquitto_message_callback_set(handle_, [](mosquitto*, void* s, const mosquitto_message* m) {
            of(s).messages.emplace_back(static_cast<const char*>(m->payload), static_cast<std::size_t>(m->payloadlen));
        });
        if (mosquitto_connect(handle_, "127.0.0.1", port, 30) != MOSQ_ERR_SUCCESS) failed("connect");
        until([this] { return state_.connected == 0; }, "CONNACK");
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;
    ~client() { mosquitto_destroy(handle_); }

    void subscribe(const char* filter, int qos) {
        state_.subscribed = false;
        mosquitto_subscribe(handle_, nullptr, filter, qos);
        until([this] { return state_.subscribed; }, "SUBACK");
    }
    void publish(const char* topic, const std::string& payload, int qos) {
        const auto before = state_.published;
        mosquitto_publish(handle_, nullptr, topic, static_cast<int>(payload.size()), payload.data(), qos, false);
        until([&] { return state_.published > before; }, "publish acknowledged");
    }
    void expect(const std::vector<std::string>& messages) {
        until([&] { return state_.messages.size() >= messages.size(); }, "messages");
        if (state_.messages != messages) failed("other messages than expected");
        state_.messages.clear();
    }

private:
    static seen& of(void* s) { return *static_cast<seen*>(s); }
    template <class Condition>
    void until(Condition condition, const char* what) {
        for (int i = 0; !condition(); ++i) {
            if (i == 200 || mosquitto_loop(handle_, 50, 1) != MOSQ_ERR_SUCCESS) failed(what);
        }
    }

    seen state_;
    mosquitto* handle_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) failed("usage: libmosquitto_client PORT");
    const int port = std::atoi(argv[1]);
    mosquitto_lib_init();
    {
        client both{"lib-both", true, port};
        both.subscribe("lib/#", 2);
        for (int qos = 0; qos != 3; ++qos) {
            both.publish("lib/echo", "qos " + std::to_string(qos), qos);
            both.expect({"qos " + std::to_string(qos)});
        }
    }
    { client away{"lib-away", false, port}; away.subscribe("lib/later", 2); }
    {
        client publisher{"lib-publisher", true, port};
        publisher.publish("lib/later", "one", 1);
        publisher.publish("lib/later", "two", 2);
    }
    { client back{"lib-away", false, port}; back.expect({"one", "two"}); }
    { client gone{"lib-away", true, port}; }
    mosquitto_lib_cleanup();
    std::puts("ok");
}
