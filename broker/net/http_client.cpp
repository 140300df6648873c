#include "net/http_client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace broker {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr auto waiting = asio::experimental::as_tuple(asio::use_awaitable);

bool is_loopback(const std::string& host) {
    error_code ec;
    const auto address = asio::ip::make_address(host, ec);
    return host == "localhost" || (!ec && address.is_loopback());
}

std::string place(const http_url& u) { return fmt::format(fmt::runtime(u.host.contains(':') ? "[{}]:{}" : "{}:{}"), u.host, u.port); }

} // namespace

result<http_url, std::string> parse_http_url(std::string_view text) {
    http_url made;
    const auto wrong = [&](std::string_view why) { return fail(fmt::format("\"{}\": {}; write https://HOST/PATH", text, why)); };
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F; })) {
        return wrong("it has a space, a control character or one that is not ASCII");
    }
    auto rest = text;
    if (rest.starts_with("https://")) made.tls = true;
    else if (!rest.starts_with("http://")) return wrong("neither https:// nor http://");
    rest.remove_prefix(made.tls ? 8 : 7);
    if (rest.contains('#')) return wrong("it has a fragment, which is never sent");
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    auto authority = rest.substr(0, end);
    made.target = rest.substr(end).starts_with('/') ? std::string{rest.substr(end)} : "/" + std::string{rest.substr(end)};
    if (authority.contains('@')) return wrong("a user or password in a URL is not taken");
    made.port = made.tls ? 443 : 80;
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto digits = authority.substr(colon + 1);
        const auto [stop, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), made.port);
        if (ec != std::errc{} || stop != digits.data() + digits.size() || made.port == 0) return wrong("its port is not 1 to 65535");
        authority = authority.substr(0, colon);
    }
    if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
    if (authority.empty()) return wrong("it has no host");
    made.host = authority;
    return made;
}

struct http_client::parts {
    using request = http::request<http::string_body>;
    using outcome = result<answer, failure>;

    http_url to;
    settings chosen;
    mutable std::optional<ssl::context> tls{}; // OpenSSL counts its users itself, from any thread

    [[nodiscard]] static failure failed(std::string_view doing, const error_code& ec) { return {.what = fmt::format("{}: {}", doing, ec.message())}; }
    [[nodiscard]] request to_send(http::verb method) const {
        request made{method, to.target, 11};
        made.set(http::field::host, to.port == (to.tls ? 443 : 80) ? place(to).substr(0, place(to).rfind(':')) : place(to));
        made.set(http::field::user_agent, "brokerd");
        made.set(http::field::accept, "application/json");
        made.set(http::field::connection, "close");
        return made;
    }

    // Coroutines below: what they are given by reference outlives their io_context.
    [[nodiscard]] asio::awaitable<outcome> exchange(const request& what) const;
    template <class Stream>
    [[nodiscard]] asio::awaitable<outcome> talk(Stream& on, const request& what) const;
    [[nodiscard]] outcome run(const request& what, const std::stop_token& ending) const;
};

template <class Stream>
asio::awaitable<http_client::parts::outcome> http_client::parts::talk(Stream& on, const request& what) const {
    const auto [unsent, sent] = co_await http::async_write(on, what, waiting);
    if (unsent) co_return fail(failed("the request could not be sent", unsent));
    http::response_parser<http::string_body> parser;
    parser.header_limit(header_bytes_max);
    parser.body_limit(chosen.body_bytes_max);
    boost::beast::flat_buffer buffer{header_bytes_max + 64 * 1024};
    const auto [unread, size] = co_await http::async_read(on, buffer, parser, waiting);
    if (unread == http::error::body_limit) co_return fail(failure{.what = fmt::format("the answer is larger than {} bytes", chosen.body_bytes_max)});
    if (unread) co_return fail(failed("the answer is not HTTP or ended early", unread));
    co_return answer{.status = parser.get().result_int(), .body = std::move(parser.get().body())};
}

asio::awaitable<http_client::parts::outcome> http_client::parts::exchange(const request& what) const {
    const auto here = co_await asio::this_coro::executor;
    tcp::resolver resolver{here};
    const auto [unknown, found] = co_await resolver.async_resolve(to.host, fmt::to_string(to.port), waiting);
    if (unknown) co_return fail(failed(fmt::format("resolve {}", to.host), unknown));
    tcp::socket socket{here};
    const auto [refused, endpoint] = co_await asio::async_connect(socket, found, waiting);
    if (refused) co_return fail(failed(fmt::format("connect to {}", place(to)), refused));
    if (!tls) co_return co_await talk(socket, what);

    ssl::stream<tcp::socket> secured{std::move(socket), *tls};
    error_code literal;
    asio::ip::make_address(to.host, literal);
    auto* const tls_of_it = secured.native_handle();
    auto name = to.host; // the macro for the extension has a cast of C, and wants it to change
    // RFC 6066 §3: an address is no name.
    const bool set = literal ? SSL_ctrl(tls_of_it, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1 && SSL_set1_host(tls_of_it, name.c_str()) == 1
                             : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_of_it), name.c_str()) == 1;
    if (!set) co_return fail(failure{.what = fmt::format("TLS with {}: its name cannot be verified", place(to))});
    const auto [untrusted] = co_await secured.async_handshake(ssl::stream_base::client, waiting);
    if (untrusted) {
        const auto verified = SSL_get_verify_result(secured.native_handle());
        if (verified == X509_V_OK) co_return fail(failed(fmt::format("TLS with {}", place(to)), untrusted));
        co_return fail(failure{.what = fmt::format("TLS with {}: its certificate is not trusted for this name: {}", place(to), X509_verify_cert_error_string(verified))});
    }
    co_return co_await talk(secured, what);
}

http_client::parts::outcome http_client::parts::run(const request& what, const std::stop_token& ending) const {
    outcome came = fail(failure{.what = fmt::format("no answer within {} ms", chosen.timeout.count()), .timed_out = true});
    asio::io_context on{1};
    asio::co_spawn(on, exchange(what), [&came](const std::exception_ptr& thrown, outcome done) {
        if (thrown) came = fail(failure{.what = "out of memory or descriptors"});
        else came = std::move(done);
    });
    const std::stop_callback give_up{ending, [&on] { on.stop(); }};
    on.run_for(chosen.timeout);
    if (ending.stop_requested()) return fail(failure{.what = "given up"});
    return came;
}

result<http_client, std::string> http_client::make(std::string_view url, const settings& chosen) {
    auto to = parse_http_url(url);
    if (!to) return fail(std::move(to.error()));
    if (!to->tls && !chosen.plain_anywhere && !is_loopback(to->host)) {
        return fail(fmt::format("\"{}\": whoever is between can read and change what http:// says; write https://, or auth.plain_http = true", url));
    }
    auto made = std::make_shared<parts>(parts{.to = std::move(*to), .chosen = chosen});
    if (!made->to.tls) return http_client{std::move(made)};
    error_code ec;
    auto& tls = made->tls.emplace(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    tls.set_verify_mode(ssl::verify_peer, ec);
    if (!ec && chosen.ca_file.empty()) tls.set_default_verify_paths(ec);
    if (!ec && !chosen.ca_file.empty()) tls.load_verify_file(chosen.ca_file, ec);
    if (!ec) return http_client{std::move(made)};
    if (chosen.ca_file.empty()) return fail(fmt::format("the system's certificates: {}", ec.message()));
    return fail(fmt::format("{}: holds no certificate that can be read ({}); it must be PEM, with -----BEGIN CERTIFICATE-----", chosen.ca_file, ec.message()));
}

result<http_client::answer, http_client::failure> http_client::get(const std::stop_token& ending) const {
    return parts_->run(parts_->to_send(http::verb::get), ending);
}

result<http_client::answer, http_client::failure> http_client::post_json(std::string body, std::span<const header> headers,
                                                                         const std::stop_token& ending) const {
    auto what = parts_->to_send(http::verb::post);
    for (const auto& h : headers) what.set(h.name, h.value);
    what.set(http::field::content_type, "application/json");
    what.body() = std::move(body);
    what.prepare_payload();
    return parts_->run(what, ending);
}

} // namespace broker
