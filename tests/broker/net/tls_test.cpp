// TLS as a client of any make sees it: records cut anywhere, a socket that is full, goodbyes, and peers that speak something
// else. The client is OpenSSL over memory; the test carries its bytes.
#include "net/tls_endpoint.hpp"
#include "net/tls_stream.hpp"

#include "support/test_certificates.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace broker;
using namespace broker::test;
using boost::system::error_code;

namespace {

constexpr auto would_block = boost::asio::error::would_block;
const auto ignored_sigpipe = std::signal(SIGPIPE, SIG_IGN); // as main() does

class socket_pair {
public:
    socket_pair() {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_) == 0);
        const int small = 32 * 1024;
        ::setsockopt(ends_[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    }
    ~socket_pair() {
        ::close(ends_[0]);
        close_peer();
    }
    socket_pair(const socket_pair&) = delete;
    socket_pair& operator=(const socket_pair&) = delete;
    [[nodiscard]] int server() const { return ends_[0]; }
    [[nodiscard]] int peer() const { return ends_[1]; }
    void close_peer() {
        if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
    }

private:
    int ends_[2] = {-1, -1};
};

struct tls_files {
    certificate_directory dir;
    tls_settings settings;
    std::shared_ptr<tls_tickets> tickets = std::make_shared<tls_tickets>();
    explicit tls_files(const certificate_wish& wish = {}) { add("server", wish); }
    void add(const std::string& name, const certificate_wish& wish) {
        const auto made = self_signed(wish);
        settings.certificates.push_back({.cert = dir.write(name + ".pem", made.cert_pem), .key = dir.write(name + ".key", made.key_pem)});
    }
    [[nodiscard]] std::shared_ptr<const tls_context> context() const {
        auto loaded = tls_context::load(settings, tickets);
        if (!loaded) FAIL(loaded.error());
        return *loaded;
    }
    [[nodiscard]] std::string refusal() const {
        const auto loaded = tls_context::load(settings, tickets);
        return loaded ? "(accepted)" : loaded.error();
    }
};

// Its bytes to the server wait in outgoing() until the test sends them.
class client {
public:
    explicit client(int version, const char* host = nullptr) : context_{SSL_CTX_new(TLS_client_method())} {
        SSL_CTX_set_min_proto_version(context_, version);
        SSL_CTX_set_max_proto_version(context_, version);
        ssl_ = SSL_new(context_);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, in_, out_);
        if (host != nullptr) SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host));
        SSL_set_connect_state(ssl_);
    }
    ~client() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    [[nodiscard]] SSL* native() { return ssl_; }
    void show(const made_certificate& own) {
        auto* const cert = detail::certificate_in(own.cert_pem);
        auto* const key = detail::key_in(own.key_pem);
        SSL_use_certificate(ssl_, cert);
        SSL_use_PrivateKey(ssl_, key);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    bool shake_hands() { return SSL_do_handshake(ssl_) == 1; }
    void write(std::string_view text) { REQUIRE(SSL_write(ssl_, text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size())); }
    void goodbye() { SSL_shutdown(ssl_); }
    std::string outgoing() {
        std::string bytes(BIO_ctrl_pending(out_), '\0');
        if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }
    // What the socket holds, decrypted.
    std::string read_from(int fd) {
        char bytes[8192];
        for (ssize_t size = 0; (size = ::recv(fd, bytes, sizeof bytes, 0)) > 0;) BIO_write(in_, bytes, static_cast<int>(size));
        std::string text;
        for (int size = 0; (size = SSL_read(ssl_, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<std::size_t>(size));
        ERR_clear_error();
        return text;
    }
    void hear(int fd) {
        char bytes[8192];
        for (ssize_t size = 0; (size = ::recv(fd, bytes, sizeof bytes, 0)) > 0;) BIO_write(in_, bytes, static_cast<int>(size));
    }
    [[nodiscard]] std::string server_name() const {
        auto* const shown = SSL_get1_peer_certificate(ssl_);
        char name[256] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
        X509_free(shown);
        return name;
    }

private:
    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

void put(int fd, std::string_view bytes) { REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }

// Cut into pieces of `piece` bytes, the server looks after each.
void shake_hands(client& c, tls_stream& server, const socket_pair& sockets, std::size_t piece) {
    for (int round = 0; !server.established(); ++round) {
        REQUIRE(round != 10);
        (void)c.shake_hands();
        const auto bytes = c.outgoing();
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            put(sockets.peer(), std::string_view{bytes}.substr(at, piece));
            error_code ec;
            server.handshake(ec);
            if (ec && ec != would_block) FAIL(server.problem());
        }
        c.hear(sockets.peer());
    }
    CHECK(c.shake_hands());
}

std::string read_all(tls_stream& server, std::size_t at_once, error_code& ec) {
    std::string text;
    std::vector<std::uint8_t> bytes(at_once);
    do {
        const auto size = server.read_some(bytes, ec);
        text.append(reinterpret_cast<const char*>(bytes.data()), size);
    } while (!ec && server.has_unread());
    return text;
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i != size; ++i) text[i] = static_cast<char>('a' + i * 31 % 26);
    return text;
}

} // namespace

TEST_CASE("tls_stream: records cut at every byte, read in pieces of any size") {
    const tls_files files;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
            CAPTURE(version);
            CAPTURE(at_once);
            const socket_pair sockets;
            tls_stream server{files.context(), sockets.server()};
            client c{version};
            shake_hands(c, server, sockets, 1);
            CHECK(server.version() == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"));
            std::string sent;
            for (const std::size_t size : {1, 100, 1'000}) {
                sent += pattern(size);
                c.write(pattern(size));
            }
            std::string got;
            for (const char one : c.outgoing()) {
                put(sockets.peer(), {&one, 1});
                error_code ec;
                got += read_all(server, at_once, ec);
                CHECK((!ec || ec == would_block));
            }
            CHECK(got == sent);
            CHECK(!server.has_unread());
        }
    }
}

TEST_CASE("tls_stream: what is left inside is said to be there although the socket is empty") {
    const tls_files files;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    shake_hands(c, server, sockets, 1000);
    c.write("first");
    c.write("second");
    put(sockets.peer(), c.outgoing());
    std::uint8_t bytes[4];
    error_code ec;
    CHECK(server.read_some(bytes, ec) == 4);
    char waiting = 0;
    CHECK(::recv(sockets.server(), &waiting, 1, MSG_PEEK) == -1); // all of it was taken at once
    CHECK(server.has_unread());
    CHECK(server.read_some(bytes, ec) == 4); // "tsec"
    CHECK(server.has_unread());
    CHECK(server.read_some(bytes, ec) == 3);
    CHECK(!ec);
    CHECK(!server.has_unread());
    CHECK(server.read_some(bytes, ec) == 0);
    CHECK(ec == would_block);
}

TEST_CASE("tls_stream: what the client says with its last message of the handshake is there at once") {
    const tls_files files;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    (void)c.shake_hands();
    put(sockets.peer(), c.outgoing());
    error_code ec;
    server.handshake(ec);
    CHECK(ec == would_block);
    CHECK(server.read_waits_for() == tls_stream::wait_type::wait_read);
    c.hear(sockets.peer());
    REQUIRE(c.shake_hands());
    c.write("early");
    put(sockets.peer(), c.outgoing());
    server.handshake(ec);
    REQUIRE(!ec);
    CHECK(server.has_unread());
    CHECK(read_all(server, 100, ec) == "early");
}

TEST_CASE("tls_stream: a full socket takes the same bytes again, and more behind them") {
    const tls_files files;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const socket_pair sockets;
        tls_stream server{files.context(), sockets.server()};
        client c{version};
        shake_hands(c, server, sockets, 1000);
        const auto all = pattern(3 * 1024 * 1024);
        std::string got;
        std::size_t offered = 0; // grows as an outbox does
        std::size_t taken = 0;
        bool was_full = false;
        while (taken != all.size()) {
            offered = std::min(all.size(), std::max(offered, taken) + 5'000);
            std::vector<byte_view> views; // of many sizes
            for (std::size_t at = taken, size = 1; at < offered && views.size() != 64; at += size, size = size * 3 % 20'011) {
                views.push_back(as_bytes(std::string_view{all}.substr(at, std::min(size, offered - at))));
            }
            error_code ec;
            const auto written = server.write_some(views, ec);
            CHECK(written <= offered - taken);
            taken += written;
            if (ec == would_block) {
                was_full = true;
                CHECK(written == 0);
                CHECK(server.write_waits_for() == tls_stream::wait_type::wait_write);
                if (offered == all.size() || offered % 7 == 0) got += c.read_from(sockets.peer());
            } else {
                REQUIRE(!ec);
            }
        }
        got += c.read_from(sockets.peer());
        CHECK(was_full);
        CHECK((got == all)); // too long to print
    }
}

TEST_CASE("tls_stream: small views leave as one record") {
    const tls_files files;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    shake_hands(c, server, sockets, 1000);
    c.hear(sockets.peer());
    (void)c.read_from(sockets.peer()); // tickets
    const std::string one(100, 'x');
    const std::vector<byte_view> views(50, as_bytes(one));
    error_code ec;
    CHECK(server.write_some(views, ec) == 5'000);
    char bytes[8192];
    CHECK(::recv(sockets.peer(), bytes, sizeof bytes, 0) < 5'000 + 64); // one header, one tag
}

TEST_CASE("tls_stream: new keys in the middle of a conversation") {
    const tls_files files;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    shake_hands(c, server, sockets, 1000);
    for (int round = 0; round != 5; ++round) {
        REQUIRE(SSL_key_update(c.native(), SSL_KEY_UPDATE_REQUESTED) == 1);
        c.write("ping");
        put(sockets.peer(), c.outgoing());
        error_code ec;
        CHECK(read_all(server, 100, ec) == "ping");
        const std::vector<byte_view> answer{as_bytes("pong")};
        CHECK(server.write_some(answer, ec) == 4);
        CHECK(c.read_from(sockets.peer()) == "pong");
    }
}

TEST_CASE("tls_stream: a goodbye comes after what was said before it") {
    const tls_files files;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        socket_pair sockets;
        tls_stream server{files.context(), sockets.server()};
        client c{version};
        shake_hands(c, server, sockets, 1000);
        c.write("last words");
        c.goodbye();
        put(sockets.peer(), c.outgoing());
        std::uint8_t bytes[100];
        error_code ec;
        CHECK(server.read_some(bytes, ec) == 10);
        CHECK(!ec);
        CHECK(server.has_unread());
        CHECK(server.read_some(bytes, ec) == 0);
        CHECK(ec == boost::asio::error::eof);
        const std::vector<byte_view> answer{as_bytes("to you too")}; // the other direction is still open
        CHECK(server.write_some(answer, ec) == 10);
        server.shut_down(ec);
        CHECK(!ec);
        CHECK(c.read_from(sockets.peer()) == "to you too");
        CHECK((SSL_get_shutdown(c.native()) & SSL_RECEIVED_SHUTDOWN) != 0);
    }
}

TEST_CASE("tls_stream: a socket that ends without a goodbye has ended") {
    const tls_files files;
    socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    shake_hands(c, server, sockets, 1000);
    sockets.close_peer();
    std::uint8_t bytes[100];
    error_code ec;
    CHECK(server.read_some(bytes, ec) == 0);
    CHECK(ec == boost::asio::error::eof);
}

TEST_CASE("tls_stream: who does not speak TLS is told apart") {
    const tls_files files;
    const auto said = [&](std::string_view bytes) {
        const socket_pair sockets;
        tls_stream server{files.context(), sockets.server()};
        put(sockets.peer(), bytes);
        error_code ec;
        server.handshake(ec);
        CHECK(ec == boost::system::errc::protocol_error);
        return server.problem() + (server.met_http() ? " (HTTP)" : "");
    };
    CHECK(said("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == "the client speaks plain HTTP (HTTP)");
    CHECK(said("CONNECT\naccept-version:1.2\n\n\0") == "the client does not speak TLS");
    CHECK(said(std::string_view{"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00", 14}) == "the client does not speak TLS");
    CHECK(said(pattern(100)) == "the client does not speak TLS");
    for (std::size_t size = 5; size != 12; ++size) { // a record that promises a ClientHello and holds none
        const std::string_view hello{"\x16\x03\x01\x00\x04\x01\x00\x00\x01\xff\xff\xff", 12};
        const socket_pair sockets;
        tls_stream server{files.context(), sockets.server()};
        put(sockets.peer(), hello.substr(0, size));
        error_code ec;
        server.handshake(ec);
        CHECK((ec == would_block || ec == boost::system::errc::protocol_error));
    }
}

TEST_CASE("tls_stream: a record that was changed on its way ends the connection") {
    const tls_files files;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_3_VERSION};
    shake_hands(c, server, sockets, 1000);
    c.write("good");
    put(sockets.peer(), c.outgoing());
    c.write("changed");
    auto bytes = c.outgoing();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    put(sockets.peer(), bytes);
    std::uint8_t room[100];
    error_code ec;
    CHECK(server.read_some(room, ec) == 4);
    CHECK(server.has_unread());
    CHECK(server.read_some(room, ec) == 0);
    CHECK(ec == boost::system::errc::protocol_error);
    CHECK(!server.problem().empty());
    server.shut_down(ec); // nothing
    CHECK(!ec);
}

TEST_CASE("tls_context: min keeps older versions out") {
    tls_files files;
    files.settings.min = tls_version::v1_3;
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    client c{TLS1_2_VERSION};
    (void)c.shake_hands();
    put(sockets.peer(), c.outgoing());
    error_code ec;
    server.handshake(ec);
    CHECK(ec == boost::system::errc::protocol_error);
    CHECK(server.problem() == "the client speaks no TLS version that is allowed here");
}

TEST_CASE("tls_context: files that cannot serve are told by key, name and reason") {
    tls_files files;
    auto& own = files.settings.certificates.front();
    const auto good = own;
    const auto has = [](const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; };

    own.cert = files.dir.file("none.pem");
    CHECK(files.refusal() == "tls.cert " + own.cert + ": No such file or directory; check the name and its permissions");
    own = good;
    own.key = files.dir.file("none.key");
    CHECK(files.refusal() == "tls.key " + own.key + ": No such file or directory; check the name and its permissions");
    own = {.cert = good.key, .key = good.cert}; // a common mistake
    CHECK(has(files.refusal(), "tls.cert " + own.cert + ": holds no certificate; it must be PEM"));
    own = good;
    own.key = good.cert;
    CHECK(has(files.refusal(), "tls.key " + own.key + ": holds no private key"));
    own.key = files.dir.write("other.key", self_signed().key_pem);
    CHECK(files.refusal() == "tls.key " + own.key + ": does not match the certificate in tls.cert " + own.cert +
                                 "; they must be made together");
    const auto authority = self_signed({.common_name = "authority"});
    const auto leaf = self_signed();
    own.cert = files.dir.write("upside-down.pem", authority.cert_pem + leaf.cert_pem);
    own.key = files.dir.write("leaf.key", leaf.key_pem);
    CHECK(has(files.refusal(), "must be the first one in it"));
    own.cert = files.dir.write("chain.pem", leaf.cert_pem + authority.cert_pem);
    CHECK(files.refusal() == "(accepted)");
    own.key = files.dir.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    CHECK(has(files.refusal(), "is encrypted with a password"));
}

TEST_CASE("tls_context: a certificate out of its time and a key that others can read are warnings") {
    const auto now = time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())};
    CHECK(tls_files{}.context()->warnings(now).empty());
    const tls_files old{{.begins_in_s = -7200, .ends_in_s = -3600}};
    REQUIRE(old.context()->warnings(now).size() == 1);
    CHECK(old.context()->warnings(now)[0].find("expired on 20") != std::string::npos);
    const tls_files early{{.begins_in_s = 3600}};
    REQUIRE(early.context()->warnings(now).size() == 1);
    CHECK(early.context()->warnings(now)[0].find("is not valid before 20") != std::string::npos);
    const tls_files open;
    std::filesystem::permissions(open.settings.certificates[0].key, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    REQUIRE(open.context()->warnings(now).size() == 1);
    CHECK(open.context()->warnings(now)[0].find("every user of this host can read it") != std::string::npos);
}

TEST_CASE("tls_context: the certificate is the one for the name the client asks for") {
    tls_files files{{.common_name = "first", .alternative_names = "DNS:first.example"}};
    files.add("second", {.common_name = "second", .alternative_names = "DNS:Second.Example,DNS:*.many.example"});
    files.add("third", {.common_name = "third", .alternative_names = "DNS:one.many.example"});
    const auto shown = [&](const char* host) {
        const socket_pair sockets;
        tls_stream server{files.context(), sockets.server()};
        client c{TLS1_3_VERSION, host};
        shake_hands(c, server, sockets, 1000);
        return c.server_name();
    };
    CHECK(shown(nullptr) == "first");
    CHECK(shown("first.example") == "first");
    CHECK(shown("second.example") == "second");
    CHECK(shown("SECOND.example") == "second");
    CHECK(shown("any.many.example") == "second");
    CHECK(shown("one.many.example") == "third");   // an exact name before a wildcard
    CHECK(shown("a.b.many.example") == "first");   // a wildcard is one label
    CHECK(shown("unknown.example") == "first");
}

TEST_CASE("tls_context: facts of a certificate") {
    const tls_files files{{.common_name = "broker", .alternative_names = "DNS:A.example,IP:10.0.0.1,IP:2001:db8::1"}};
    const auto context = files.context();
    const auto& facts = context->certificates();
    REQUIRE(facts.size() == 1);
    CHECK(facts[0].subject == "CN=broker");
    std::string names;
    for (const auto& name : facts[0].names) names += name + " ";
    CHECK(names == "a.example 10.0.0.1 2001:db8::1 ");
    CHECK(facts[0].fingerprint.size() == 64);
    CHECK(facts[0].not_after - facts[0].not_before == seconds{86'400 + 3'600});
}

namespace {

// What the server makes of a client: "" when it lets it in.
struct met {
    std::string problem;
    std::string identity;
};

met meet(const tls_files& files, client& c) {
    const socket_pair sockets;
    tls_stream server{files.context(), sockets.server()};
    error_code ec = would_block;
    for (int round = 0; round != 5 && ec == would_block; ++round) {
        (void)c.shake_hands();
        if (const auto bytes = c.outgoing(); !bytes.empty()) put(sockets.peer(), bytes);
        server.handshake(ec);
        c.hear(sockets.peer());
    }
    if (ec) return {.problem = server.problem(), .identity = {}};
    return {.problem = {}, .identity = server.identity()};
}

} // namespace

TEST_CASE("tls_context: clients show certificates of an authority that is trusted, and have a name by them") {
    const auto authority = self_signed({.common_name = "authority", .authority = true});
    const auto device = certificate_of({.common_name = "device-7", .alternative_names = "URI:urn:device:7,DNS:seven.example", .serial = 7}, &authority);
    const auto stranger = self_signed({.common_name = "device-7"});
    tls_files files;
    files.settings.client = {.verify = tls_client_settings::verification::required, .ca = files.dir.write("ca.pem", authority.cert_pem)};
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        const auto meet_with = [&](const made_certificate* shown) {
            client c{version};
            if (shown != nullptr) c.show(*shown);
            return meet(files, c);
        };
        files.settings.client.verify = tls_client_settings::verification::required;
        files.settings.client.crl.clear();
        files.settings.client.identity = tls_client_settings::name::common_name;
        CHECK(meet_with(&device).problem.empty());
        CHECK(meet_with(&device).identity == "device-7");
        CHECK(meet_with(nullptr).problem == "the client shows no certificate");
        CHECK(meet_with(&stranger).problem.find("the client's certificate: self") == 0);
        files.settings.client.identity = tls_client_settings::name::alternative_name;
        CHECK(meet_with(&device).identity == "urn:device:7");

        files.settings.client.verify = tls_client_settings::verification::optional;
        CHECK(meet_with(nullptr).problem.empty());
        CHECK(meet_with(nullptr).identity.empty());
        CHECK(!meet_with(&stranger).problem.empty());

        files.settings.client.crl = files.dir.write("none.crl", revocations(authority, {8}));
        CHECK(meet_with(&device).problem.empty());
        files.settings.client.crl = files.dir.write("seven.crl", revocations(authority, {8, 7}));
        CHECK(meet_with(&device).problem == "the client's certificate: certificate revoked");
    }
    files.settings.client.crl = files.settings.client.ca;
    CHECK(files.refusal().find("holds no list; it must be PEM, with -----BEGIN X509 CRL-----") != std::string::npos);
    files.settings.client.ca = files.dir.file("nowhere.pem");
    CHECK(files.refusal().find("tls.client.ca " + files.settings.client.ca + ": No such file") == 0);
}

namespace {

constexpr time_point start{};

// Shakes hands and keeps what it got to resume with.
struct resuming {
    SSL_SESSION* session = nullptr;
    ~resuming() { SSL_SESSION_free(session); }
    bool resumed(const std::shared_ptr<const tls_context>& with, int version, const made_certificate* shown = nullptr) {
        const socket_pair sockets;
        tls_stream server{with, sockets.server()};
        client c{version};
        if (shown != nullptr) c.show(*shown);
        if (session != nullptr) SSL_set_session(c.native(), session);
        shake_hands(c, server, sockets, 1000);
        const std::vector<byte_view> hello{as_bytes("hello")};
        error_code ec;
        (void)server.write_some(hello, ec);
        CHECK(c.read_from(sockets.peer()) == "hello"); // the ticket comes before it
        SSL_SESSION_free(std::exchange(session, SSL_get1_session(c.native())));
        c.goodbye(); // else it counts as broken
        return server.resumed();
    }
};

} // namespace

TEST_CASE("tls_endpoint: files are read again while it serves, sessions are resumed by the new certificate too") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        const tls_files files{{.common_name = "old"}};
        tls_endpoint endpoint{"web", files.settings};
        CHECK(!endpoint.current());
        REQUIRE(endpoint.load());
        const auto before = endpoint.current();
        resuming one;
        CHECK(!one.resumed(endpoint.current(), version));
        CHECK(one.resumed(endpoint.current(), version));
        const auto renewed = self_signed({.common_name = "new"});
        files.dir.write("server.pem", renewed.cert_pem);
        CHECK(!endpoint.reload("a test")); // the key is still the old one
        CHECK(endpoint.current() == before);
        files.dir.write("server.key", renewed.key_pem);
        CHECK(endpoint.reload("a test"));
        CHECK(endpoint.current()->certificates()[0].subject == "CN=new");
        CHECK(one.resumed(endpoint.current(), version));
        CHECK(before->certificates()[0].subject == "CN=old"); // who has it keeps it
    }
}

TEST_CASE("tls_endpoint: the keys of session tickets are renewed, and sessions of the former one resumed") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        const tls_files files;
        tls_endpoint endpoint{"web", files.settings};
        REQUIRE(endpoint.load());
        resuming one;
        resuming two;
        CHECK(!one.resumed(endpoint.current(), version));
        CHECK(!two.resumed(endpoint.current(), version));
        endpoint.watch(start);
        endpoint.watch(start + tls_tickets::key_life - seconds{60});
        CHECK(one.resumed(endpoint.current(), version));
        endpoint.watch(start + tls_tickets::key_life + seconds{60});
        CHECK(one.resumed(endpoint.current(), version)); // by the former key, and has a ticket of the present one now
        endpoint.watch(start + 2 * tls_tickets::key_life + seconds{120});
        CHECK(one.resumed(endpoint.current(), version));
        CHECK(!two.resumed(endpoint.current(), version));
        endpoint.watch(start + 5 * tls_tickets::key_life); // a night without anybody
        CHECK(!one.resumed(endpoint.current(), version));
    }
}

TEST_CASE("tls_endpoint: a session of before the list of revoked certificates is not resumed") {
    const auto authority = self_signed({.common_name = "authority", .authority = true});
    const auto device = certificate_of({.common_name = "device"}, &authority);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        tls_files files;
        files.settings.client = {.verify = tls_client_settings::verification::required,
                                 .ca = files.dir.write("ca.pem", authority.cert_pem),
                                 .crl = files.dir.write("list.crl", revocations(authority, {}))};
        tls_endpoint endpoint{"web", files.settings};
        REQUIRE(endpoint.load());
        resuming one;
        CHECK(!one.resumed(endpoint.current(), version, &device));
        CHECK(one.resumed(endpoint.current(), version, &device));
        files.dir.write("list.crl", revocations(authority, {99}));
        REQUIRE(endpoint.reload("a test"));
        CHECK(!one.resumed(endpoint.current(), version, &device));
    }
}

TEST_CASE("tls_endpoint: watch() reads changed files again once they have stopped changing") {
    const tls_files files{{.common_name = "old"}};
    tls_endpoint endpoint{"web", files.settings};
    REQUIRE(endpoint.load());
    const auto subject = [&] { return endpoint.current()->certificates()[0].subject; };
    endpoint.watch(start);
    endpoint.watch(start);
    const auto renewed = self_signed({.common_name = "new"});
    files.dir.write("server.pem", renewed.cert_pem);
    endpoint.watch(start); // sees a change
    files.dir.write("server.key", renewed.key_pem);
    endpoint.watch(start); // and another one
    CHECK(subject() == "CN=old");
    endpoint.watch(start);
    CHECK(subject() == "CN=new");

    auto settings = files.settings;
    settings.watch = false;
    tls_endpoint blind{"web", settings};
    REQUIRE(blind.load());
    const auto again = self_signed({.common_name = "newest"});
    files.dir.write("server.pem", again.cert_pem);
    files.dir.write("server.key", again.key_pem);
    for (int i = 0; i != 3; ++i) blind.watch(start);
    CHECK(blind.current()->certificates()[0].subject == "CN=new");
}
