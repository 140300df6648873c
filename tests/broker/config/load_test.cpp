// Configuration text → options, and what is said about text that is wrong.
#include "config/load.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

using namespace broker;
using namespace broker::config;

namespace {

options parsed(std::string_view text) {
    options o;
    apply_toml(o, text, "f.toml");
    return o;
}

template <class Call>
std::string error_of(Call call) {
    try {
        call();
    } catch (const config_error& e) {
        return e.what();
    }
    return "(accepted)";
}

std::string refusal(std::string_view text) {
    return error_of([&] { (void)parsed(text); });
}

options from_environment(std::vector<const char*> lines) {
    options o;
    lines.push_back(nullptr);
    apply_environment(o, lines.data());
    return o;
}

options from_arguments(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "brokerd");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data()).chosen;
}

class scratch_directory {
public:
    scratch_directory() : path_{std::filesystem::temp_directory_path() / ("brokerd-config-" + std::to_string(std::random_device{}()))} {
        std::filesystem::create_directories(path_ / "conf.d");
    }
    ~scratch_directory() { std::filesystem::remove_all(path_); }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream{path_ / name} << text;
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

} // namespace

TEST_CASE("sizes and durations have units") {
    CHECK(parsed("limits.max_message = \"64KiB\"").bounds.max_message_bytes == 65'536);
    CHECK(parsed("limits.max_message = \"2MiB\"").bounds.max_message_bytes == 2 * 1024 * 1024);
    CHECK(parsed("limits.max_message = \"100B\"").bounds.max_message_bytes == 100);
    CHECK(parsed("ws.idle_timeout = \"2m\"").bounds.idle_timeout == seconds{120});
    CHECK(parsed("stomp.heart_beat = \"1500ms\"").bounds.stomp_heart_beat == milliseconds{1500});
    for (const auto* const wrong : {"\"64\"", "\"64KB\"", "\"KiB\"", "\"-1KiB\"", "\"1.5MiB\"", "\"99999999999GiB\"", "\"\""}) {
        CAPTURE(wrong);
        CHECK(refusal(std::string{"limits.max_message = "} + wrong).find("is not a size; write a number with B, KiB") !=
              std::string::npos);
    }
}

TEST_CASE("an error is one line: file, line, column, key, reason, suggestion") {
    CHECK(refusal("[limits]\nmax_conections = 5") ==
          "f.toml:2:18: limits.max_conections: unknown key; did you mean limits.max_connections?");
    CHECK(refusal("[limits]\nmax_connections = \"many\"") == "f.toml:2:19: limits.max_connections: must be an integer");
    CHECK(refusal("[limits]\nmax_connections = -1").find("limits.max_connections: must be 0 to") != std::string::npos);
    CHECK(refusal("[limits]\nhandshake_timeout = 10") ==
          "f.toml:2:21: limits.handshake_timeout: must be a string, as in \"10s\"");
    CHECK(refusal("[limits]\nhandshake_timeout = \"10 parsecs\"") ==
          "f.toml:2:21: limits.handshake_timeout: \"10 parsecs\" is not a duration; write a number with ms, s, m, h or d, "
          "as in \"10s\"");
    CHECK(refusal("[durability]\ndefault = \"fsync\"") ==
          "f.toml:2:11: durability.default: \"fsync\" is not one of sync|async|none");
    CHECK(refusal("[auth]\nanonymous = 1") == "f.toml:2:13: auth.anonymous: must be true or false");
    CHECK(refusal("[mqtt]\nreceive_maximum = 65536") == "f.toml:2:19: mqtt.receive_maximum: must be 0 to 65535");
    CHECK(refusal("[nod]\nname = \"x\"").find("f.toml:1:1: nod: unknown section; did you mean") == 0);
    CHECK(refusal("[node").find("f.toml:1:") == 0);
    CHECK(refusal("a = 1\na = 2").find("f.toml:2:") == 0);
}

TEST_CASE("listeners") {
    const auto o = parsed("[[listener]]\nbind = \"127.0.0.1:1\"\nprotocols = [\"ws\"]\n"
                          "[[listener]]\nname = \"both\"\nbind = \"[::1]:2\"\nprotocols = [\"stomp\", \"mqtt\"]\n");
    REQUIRE(o.listeners.size() == 2);
    CHECK(o.listeners[0].name == "ws");
    CHECK(o.listeners[0].port == 1);
    CHECK(o.listeners[1].protocol == listener_protocol::tcp);
    CHECK(o.listeners[1].host == "::1");
    CHECK(refusal("[[listener]]\nprotocols = [\"ws\"]").find("listener.bind: is missing") != std::string::npos);
    CHECK(refusal("[[listener]]\nbind = \"8083\"\nprotocols = [\"ws\"]").find("is not HOST:PORT") != std::string::npos);
    CHECK(refusal("[[listener]]\nbind = \"a:70000\"\nprotocols = [\"ws\"]").find("is not HOST:PORT") != std::string::npos);
    CHECK(refusal("[[listener]]\nbind = \"a:1\"\nprotocols = [\"ftp\"]").find("listener.protocols: must be") != std::string::npos);
    CHECK(refusal("[[listener]]\nbind = \"a:1\"\nport = 1").find("listener.port: unknown key") != std::string::npos);
    CHECK(refusal("listener = 5").find("must be written as [[listener]]") != std::string::npos);
    CHECK(parse_listen_url("ws://[::1]:8083/any").host == "::1");
}

TEST_CASE("compression, of all WebSocket listeners and of one") {
    const std::string section = "[[listener]]\nbind = \"127.0.0.1:1\"\nprotocols = [\"ws\"]\n";
    const auto all = parsed("ws.compression = { enabled = true, min_size = \"2KiB\" }\n" + section + section +
                            "ws.compression = { enabled = false, context_takeover = true }\n" + section + "ws.compression.min_size = \"64B\"\n");
    const auto of = [&](std::size_t i) { return all.listeners.at(i).compression.over(all.compression); };
    CHECK(of(0).enabled);
    CHECK(of(0).min_size == 2048);
    CHECK(!of(0).context_takeover);
    CHECK(!of(1).enabled);
    CHECK(of(1).context_takeover);
    CHECK(of(2).enabled);
    CHECK(of(2).min_size == 64);
    CHECK(!parsed(section).listeners[0].compression.over(options{}.compression).enabled);
    const auto again = parsed(print(all));
    CHECK(again.compression.min_size == 2048);
    CHECK(print(again) == print(all));
    CHECK(again.listeners[1].compression.context_takeover == true);
    CHECK(!again.listeners[1].compression.min_size);
    const auto refused = [&](const std::string& value) { return refusal(section + "ws.compression = " + value); };
    CHECK(refused("true").find("f.toml:4:18: listener.ws.compression: unknown key; known are") == 0);
    CHECK(refused("{ level = 5 }") == "f.toml:4:28: listener.ws.compression.level: unknown key; known are enabled, min_size and context_takeover");
    CHECK(refused("{ min_size = 5 }").find("listener.ws.compression.min_size: must be a string") != std::string::npos);
    CHECK(refusal("ws.compression.enabled = 1") == "f.toml:1:26: ws.compression.enabled: must be true or false");
}

TEST_CASE("TLS of listeners") {
    const auto o = parsed("[[listener]]\nbind = \"127.0.0.1:1\"\nprotocols = [\"ws\"]\ntls = { cert = \"file:/a/b.pem\", key = "
                          "\"/a/b.key\", min = \"1.3\" }\n[[listener]]\nbind = \"127.0.0.1:2\"\nprotocols = [\"mqtt\"]\n");
    REQUIRE(o.listeners.size() == 2);
    REQUIRE(o.listeners[0].tls);
    REQUIRE(o.listeners[0].tls->certificates.size() == 1);
    CHECK(o.listeners[0].tls->certificates[0].cert == "/a/b.pem");
    CHECK(o.listeners[0].tls->certificates[0].key == "/a/b.key");
    CHECK(o.listeners[0].tls->min == tls_version::v1_3);
    CHECK(!o.listeners[1].tls);
    CHECK(print(o).find("tls = { cert = \"/a/b.pem\", key = \"/a/b.key\", min = \"1.3\", watch = true }") != std::string::npos);
    const std::string full = "tls = { cert = \"a\", key = \"b\", min = \"1.2\", watch = false, client = { verify = \"optional\", ca = \"c\", "
                             "crl = \"d\", identity = \"san\" }, certificates = [{ cert = \"e\", key = \"f\" }, { cert = \"g\", key = \"h\" }] }";
    const auto rich = parsed("[[listener]]\nbind = \"127.0.0.1:1\"\nprotocols = [\"ws\"]\n" + full);
    REQUIRE(rich.listeners.at(0).tls);
    CHECK(rich.listeners[0].tls->certificates.size() == 3);
    CHECK(rich.listeners[0].tls->certificates[2].key == "h");
    CHECK(rich.listeners[0].tls->client.verify == tls_client_settings::verification::optional);
    CHECK(rich.listeners[0].tls->client.identity == tls_client_settings::name::alternative_name);
    CHECK(files_of(*rich.listeners[0].tls) == std::vector<std::string>{"a", "b", "e", "f", "g", "h", "c", "d"});
    CHECK(print(rich).find(full) != std::string::npos);
    const auto refused = [](const std::string& tls) { return refusal("[[listener]]\nbind = \"a:1\"\nprotocols = [\"ws\"]\ntls = " + tls); };
    CHECK(refused("{ cert = \"a\" }") == "f.toml:4:7: listener.tls.key: is missing; write key = \"FILE\"");
    CHECK(refused("{ key = \"a\" }").find("listener.tls.cert: is missing") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = 5 }").find("listener.tls.key: must be a file's name") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"env:KEY\" }").find("are read from files") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", min = \"1.1\" }").find("must be \"1.2\" or \"1.3\"") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", watch = \"yes\" }").find("listener.tls.watch: must be true or false") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", client = { verify = \"required\" } }").find("listener.tls.client.ca: is missing") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", client = { ca = \"c\" } }").find("listener.tls.client.verify: is missing") != std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", client = { verify = \"maybe\", ca = \"c\" } }").find("must be one of none, optional, required") !=
          std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", certificates = [{ cert = \"c\" }] }").find("listener.tls.certificates.key: is missing") !=
          std::string::npos);
    CHECK(refused("{ cert = \"a\", key = \"b\", minimum = \"1.2\" }").find("listener.tls.minimum: unknown key") != std::string::npos);
}

TEST_CASE("TLS of --listen") {
    const auto o = from_arguments({"--listen", "wss://[::1]:1", "--listen", "mqtts://127.0.0.1:2", "--listen", "stomps://127.0.0.1:3",
                                   "--listen", "tls://127.0.0.1:4", "--listen", "ws://127.0.0.1:5", "--tls-cert", "c", "--tls-key", "k"});
    REQUIRE(o.listeners.size() == 5);
    for (std::size_t i = 0; i != 4; ++i) {
        CAPTURE(i);
        REQUIRE(o.listeners[i].tls);
        CHECK(o.listeners[i].tls->certificates.front().cert == "c");
        CHECK(o.listeners[i].tls->certificates.front().key == "k");
    }
    CHECK(o.listeners[3].protocol == listener_protocol::tcp);
    CHECK(!o.listeners[4].tls);
    CHECK(error_of([] { from_arguments({"--listen", "wss://127.0.0.1:1"}); }).find("TLS needs a certificate; add --tls-cert") !=
          std::string::npos);
    CHECK(error_of([] { from_arguments({"--listen", "wss://127.0.0.1:1", "--tls-cert", "c"}); }).find("--tls-key") != std::string::npos);
}

TEST_CASE("queues") {
    const auto o = parsed("[[queue]]\nname = \"jobs\"\nmessages = 5\nbytes = \"1MiB\"\nttl = \"7d\"\npolicy = \"drop-oldest\"\n"
                          "dead_letter = \"\"\nmax_deliveries = 0\npriority = false\n[[queue]]\nname = \"a/b\"\n");
    REQUIRE(o.queues.size() == 2);
    CHECK(o.queues[0].name == "jobs");
    CHECK(o.queues[0].settings == queue_settings{.messages_max = 5, .bytes_max = 1024 * 1024, .ttl = seconds{7 * 86'400},
                                                 .policy = overflow_policy::drop_oldest, .dead_letter = "", .max_deliveries = 0,
                                                 .priority = false});
    CHECK(o.queues[1].settings == queue_settings{}); // what is not said follows limits.queue.*
    CHECK(refusal("[[queue]]\nmessages = 5") == "f.toml:1:1: queue.name: is missing; write name = \"jobs\"");
    CHECK(refusal("[[queue]]\nname = \"q\"\nsize = 5").find("f.toml:3:8: queue.size: unknown key; known are name, messages") == 0);
    CHECK(refusal("[[queue]]\nname = \"q\"\npolicy = \"throw\"").find("queue.policy: ") != std::string::npos);
    CHECK(refusal("[[queue]]\nname = \"q\"\nbytes = 5").find("queue.bytes: ") != std::string::npos);
    CHECK(refusal("queue = 5").find("must be written as [[queue]]") != std::string::npos);
    const auto together = [](std::string_view text) {
        auto all = parsed(text);
        all.listeners.push_back(parse_listen_url("ws://127.0.0.1:1"));
        return error_of([&] { validate(all); });
    };
    CHECK(together("[[queue]]\nname = \"q\"\n[[queue]]\nname = \"r\"") == "(accepted)");
    CHECK(together("[[queue]]\nname = \"q\"\n[[queue]]\nname = \"q\"") == "queue q: is declared twice");
    CHECK(together("[[queue]]\nname = \"q/#\"").find("queue q/#: not a queue's name") == 0);
    CHECK(together("[[queue]]\nname = \"q\"\ndead_letter = \"+\"").find("queue +: not a queue's name") == 0);
}

TEST_CASE("together they must make sense") {
    const auto why = [](std::vector<const char*> urls, bool anonymous) {
        options o;
        for (const auto* const url : urls) o.listeners.push_back(parse_listen_url(url));
        o.auth.anonymous = anonymous;
        return error_of([&] { validate(o); });
    };
    CHECK(why({"ws://127.0.0.1:1", "mqtt://127.0.0.1:2"}, false) == "(accepted)");
    CHECK(why({"ws://127.0.0.1:1", "mqtt://127.0.0.1:1"}, false) == "listeners ws and mqtt: both bind 127.0.0.1:1");
    CHECK(why({"ws://0.0.0.0:1"}, false).find("is not a loopback address and there is no authentication") != std::string::npos);
    CHECK(why({"ws://0.0.0.0:1"}, true) == "(accepted)");
    CHECK(why({}, false).find("no listener") == 0);
}

TEST_CASE("a cookie as a credential: no WebSocket listener lets in pages of everybody") {
    const auto why = [](std::vector<std::string> everywhere, std::optional<std::vector<std::string>> here, const char* url = "ws://127.0.0.1:1") {
        options o;
        o.auth.jwt_sources = {"header", "cookie:bt"};
        o.allowed_origins = std::move(everywhere);
        o.listeners.push_back(parse_listen_url(url));
        o.listeners.back().allowed_origins = std::move(here);
        return error_of([&] { validate(o); });
    };
    CHECK(why({"same-origin"}, {}) == "(accepted)");
    CHECK(why({"*"}, std::vector<std::string>{"https://app.example"}) == "(accepted)");
    CHECK(why({"*"}, {}, "mqtt://127.0.0.1:1") == "(accepted)"); // there are no cookies
    for (const auto& refusal : {why({"*"}, {}), why({"same-origin"}, std::vector<std::string>{"https://app.example", "*"})}) {
        CHECK(refusal.find("listener ws: ws.allowed_origins has \"*\" and auth.jwt.sources a cookie") == 0);
    }
}

TEST_CASE("the environment wins over the file, a flag over both; an unknown name is an error") {
    CHECK(from_environment({"BROKERD__LIMITS__MAX_CONNECTIONS=5", "PATH=/bin"}).bounds.max_connections == 5);
    CHECK(from_environment({"BROKERD__DURABILITY__DEFAULT=async"}).durability == storage::durability::async);
    CHECK(from_environment({"BROKERD__AUTH__ANONYMOUS=true"}).auth.anonymous);
    CHECK(error_of([] { (void)from_environment({"BROKERD__LIMITS__MAX_CONECTIONS=5"}); }) ==
          "BROKERD__LIMITS__MAX_CONECTIONS: limits.max_conections: unknown key; did you mean limits.max_connections?");
    CHECK(error_of([] { (void)from_environment({"BROKERD__LIMITS__MAX_CONNECTIONS=x"}); }) ==
          "BROKERD__LIMITS__MAX_CONNECTIONS: limits.max_connections: must be an integer");
}

TEST_CASE("drop-ins are read in the order of their names, after the file; flags win") {
    const scratch_directory dir;
    const auto file = dir.write("brokerd.toml", "[node]\nthreads = 1\nname = \"file\"\ndata_dir = \"/from/file\"\n");
    dir.write("conf.d/20.toml", "node.name = \"twenty\"\n");
    dir.write("conf.d/10.toml", "node.name = \"ten\"\nnode.threads = 2\n");
    dir.write("conf.d/30.txt", "not read");
    const auto o = from_arguments({"--config", file.c_str(), "--data-dir", "/from/flag"});
    CHECK(o.node_name == "twenty");
    CHECK(o.threads == 2);
    CHECK(o.data_dir == "/from/flag");
    CHECK(o.admin_socket == "/from/flag/admin.sock");
    CHECK(from_arguments({"--config", file.c_str(), "--threads", "3"}).threads == 3);
    dir.write("conf.d/40.toml", "nonsense = 1\n");
    CHECK(error_of([&] { (void)from_arguments({"--config", file.c_str()}); }).find("conf.d/40.toml:1:12: nonsense: unknown key") !=
          std::string::npos);
}

TEST_CASE("what --print-config prints loads again and says the same") {
    options o;
    o.node_name = "other";
    o.threads = 7;
    o.durability = storage::durability::none;
    o.bounds.max_message_bytes = 12'345;
    o.listeners.push_back(parse_listen_url("tcp://127.0.0.1:77"));
    o.queues.push_back({.name = "jobs", .settings = {.messages_max = 5, .ttl = seconds{60}, .dead_letter = "", .priority = false}});
    const auto text = print(o);
    CHECK(print(parsed(text)) == text);
    CHECK(text.find("12345B") != std::string::npos);
}

TEST_CASE("without a file and without --listen: the three loopback listeners") {
    const auto o = from_arguments({});
    REQUIRE(o.listeners.size() == 3);
    CHECK(o.listeners[0].port == 8083);
    CHECK(o.listeners[1].port == 1883);
    CHECK(o.listeners[2].port == 61613);
    CHECK(o.admin_http == "off");
}

TEST_CASE("values the code could not keep to are refused with their range") {
    const auto checked = [](std::string_view text) {
        return error_of([&] {
            auto o = parsed(text);
            o.listeners.push_back({.name = "a"});
            validate(o);
        });
    };
    CHECK(checked("limits.max_topic_levels = 1024") == "(accepted)");
    CHECK(checked("limits.max_topic_levels = 1025") == "limits.max_topic_levels: is 1025; must be 1 to 1024");
    CHECK(checked("limits.max_topic_levels = 0").find("must be 1 to") != std::string::npos);
    CHECK(checked("limits.max_topic_bytes = \"64KiB\"").find("must be 1 to 65535") != std::string::npos);
    CHECK(checked("limits.max_message = \"1GiB\"").find("must be 1024 to 268435456") != std::string::npos);
    CHECK(checked("mqtt.receive_maximum = 0").find("must be 1 to 65535") != std::string::npos);
    CHECK(checked("mqtt.max_keep_alive = \"19h\"").find("must be 0 to 65535") != std::string::npos);
}
