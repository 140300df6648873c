#include "cli/command.hpp"

#include "cli/output.hpp"
#include "cli/text_file.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <cstdio>

#include <unistd.h>

namespace broker::cli {

client settings::broker(std::chrono::milliseconds patience) const {
    if (url.empty()) return {{.socket = socket}, "", patience};
    if (token_file.empty()) throw std::runtime_error{"--url needs --token FILE, with an API key: brokerctl apikey create NAME --scope manage"};
    return {endpoint_of(url, ca_file), secret_in(token_file), patience};
}

std::string payload_of(const boost::json::object& o) {
    return text_of(o.contains("payload") ? o.at("payload") : o.at("payload_base64"));
}

std::string for_people(const std::string& text) { return ::isatty(STDOUT_FILENO) != 0 ? printable(text) : text; }

int failed(const answer& a) {
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(a.body, ec);
    std::string detail = a.body;
    if (!ec && parsed.is_object() && parsed.as_object().contains("detail")) detail = text_of(parsed.at("detail"));
    fmt::print(stderr, "brokerctl: {}\n", detail);
    return a.status == 401 || a.status == 403 ? not_authorised : refused;
}

int show(const settings& s, const answer& a, const std::vector<std::string>& columns) {
    if (a.status >= 400) return failed(a);
    if (s.output == "json") {
        fmt::print("{}", a.body);
        return 0;
    }
    const auto parsed = boost::json::parse(a.body);
    if (parsed.is_array()) {
        fmt::print("{}", table_of(parsed.as_array(), columns, !s.no_headers));
    } else {
        fmt::print("{}", list_of(parsed.as_object()));
    }
    return 0;
}

int say(int status, const std::string& why) {
    fmt::print(stderr, "brokerctl: {}\n", why);
    return status;
}

int needs_yes(const std::string& what) { return say(usage, what + " needs --yes"); }

} // namespace broker::cli
