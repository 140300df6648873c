// brokerctl user: the users of the running broker's store; with --file those of a password file (auth.password_file), without a broker.
#include "cli/command.hpp"
#include "cli/text_file.hpp"
#include "security/text_lines.hpp"
#include "security/users.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace broker::cli {

namespace {

namespace json = boost::json;

struct arguments {
    std::string name{};
    std::string file{};
};

// The file as it is, line by line: comments and what is behind them stay.
struct password_file {
    std::vector<std::string> lines{};
    std::vector<security::user> users{};

    [[nodiscard]] auto line_of(std::string_view name) {
        return std::ranges::find_if(lines, [&](const std::string& l) { return l.size() > name.size() && l.starts_with(name) && l[name.size()] == ':'; });
    }
};

password_file read(const std::string& file) {
    password_file made;
    if (file != "-" && !std::filesystem::exists(file)) return made;
    const auto text = read_text(file);
    auto users = security::import_mosquitto_passwords(text, file);
    if (!users) throw std::runtime_error{users.error()};
    made.users = std::move(*users);
    for (security::text_lines lines{text}; lines.next();) made.lines.emplace_back(lines.line());
    return made;
}

// All of it or nothing: beside it, on the disk, then in its place.
void write(const std::string& file, const password_file& from) {
    const auto fail = [&](const char* what) { throw std::runtime_error{fmt::format("{}: cannot be {}: {}", file, what, std::strerror(errno))}; };
    std::string text;
    for (const auto& l : from.lines) text += l + "\n";
    auto beside = file + ".XXXXXX";
    const int fd = ::mkstemp(beside.data());
    if (fd < 0) fail("written");
    struct stat about {};
    if (::stat(file.c_str(), &about) == 0) { // stays whose it is
        (void)::fchmod(fd, about.st_mode & 07777U);
        (void)::fchown(fd, about.st_uid, about.st_gid);
    }
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    ::close(fd);
    if (!written || ::rename(beside.c_str(), file.c_str()) != 0) {
        ::unlink(beside.c_str());
        fail("written");
    }
}

// From a terminal twice and unseen, else the first line.
std::string ask_password() {
    std::string first;
    if (::isatty(STDIN_FILENO) == 0) {
        std::getline(std::cin, first);
    } else {
        termios was{};
        ::tcgetattr(STDIN_FILENO, &was);
        auto quiet = was;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        std::string second;
        fmt::print(stderr, "Password: ");
        std::getline(std::cin, first);
        fmt::print(stderr, "\nAgain: ");
        std::getline(std::cin, second);
        fmt::print(stderr, "\n");
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        if (first != second) throw std::runtime_error{"the two passwords differ; nothing is changed"};
    }
    if (first.empty()) throw std::runtime_error{"no password on standard input; nothing is changed"};
    return first;
}

int set_password(const arguments& a, bool is_new) {
    if (!security::is_user_name(a.name)) {
        return say(usage, fmt::format("'{}' cannot be a user's name: it is text without a colon, and does not begin with #", for_people(a.name)));
    }
    auto f = read(a.file);
    const auto at = f.line_of(a.name);
    if (is_new && at != f.lines.end()) return say(refused, fmt::format("{}: user {} is there already; use set-password", a.file, a.name));
    if (!is_new && at == f.lines.end()) return say(refused, fmt::format("{}: there is no user {}; use add", a.file, a.name));
    const auto hash = security::password_hash::of(ask_password(), {});
    if (!hash) return say(refused, hash.error());
    const auto line = fmt::format("{}:{}", a.name, hash->text());
    if (is_new) f.lines.push_back(line);
    else *at = line;
    write(a.file, f);
    return 0;
}

int remove(const arguments& a) {
    auto f = read(a.file);
    const auto at = f.line_of(a.name);
    if (at == f.lines.end()) return say(refused, fmt::format("{}: there is no user {}", a.file, a.name));
    f.lines.erase(at);
    write(a.file, f);
    return 0;
}

// "NAME:!HASH" may not come in.
int set_disabled(const arguments& a, bool disabled) {
    auto f = read(a.file);
    const auto at = f.line_of(a.name);
    if (at == f.lines.end()) return say(refused, fmt::format("{}: there is no user {}", a.file, a.name));
    auto hash = at->substr(a.name.size() + 1);
    if (hash.starts_with('!')) hash.erase(0, 1);
    *at = fmt::format("{}:{}{}", a.name, disabled ? "!" : "", hash);
    write(a.file, f);
    return 0;
}

int list(const settings& s, const arguments& a) {
    if (!std::filesystem::exists(a.file)) return say(refused, fmt::format("{}: is not there", a.file));
    json::array rows;
    for (const auto& u : read(a.file).users) {
        rows.push_back({{"user", u.name}, {"disabled", u.disabled}, {"hash", u.hash.text().starts_with("$argon2id$") ? "argon2id" : "mosquitto"}});
    }
    return show(s, {.status = 200, .body = json::serialize(rows) + "\n"}, {"user", "disabled", "hash"});
}

// The same of the running broker.

std::string path_of(const arguments& a) { return "/api/v1/users/" + encode_percent(a.name); }

int done(const answer& answered) { return answered.status < 300 ? 0 : failed(answered); }

int add_to_broker(const settings& s, const arguments& a) {
    return done(s.broker().call("POST", "/api/v1/users", json::serialize(json::object{{"name", a.name}, {"password", ask_password()}})));
}

int change_at_broker(const settings& s, const arguments& a, json::object what) {
    return done(s.broker().call("PATCH", path_of(a), json::serialize(what)));
}

// In portions that fit into a request; each is taken as a whole.
int import_to_broker(const settings& s, const arguments& a) {
    constexpr std::size_t at_once = 5'000;
    if (a.file != "-" && !std::filesystem::exists(a.file)) return say(refused, fmt::format("{}: is not there", a.file));
    const auto users = read(a.file).users;
    if (users.empty()) return say(refused, fmt::format("{}: there is no user in it", a.file));
    for (std::size_t i = 0; i < users.size(); i += at_once) {
        json::array some;
        for (auto j = i; j < std::min(i + at_once, users.size()); ++j) {
            some.push_back({{"name", users[j].name}, {"hash", users[j].hash.text()}, {"disabled", users[j].disabled}});
        }
        const auto answered = s.broker().call("POST", "/api/v1/users/import", json::serialize(json::object{{"users", some}}));
        if (answered.status != 200) return failed(answered);
    }
    fmt::print("{} users imported\n", users.size());
    return 0;
}

} // namespace

void add_user_commands(CLI::App& app, const settings& s, int& status) {
    const auto args = std::make_shared<arguments>();
    auto& a = *args; // the callbacks keep it
    auto* const user = app.add_subcommand("user", "Users: of the running broker's store, or with --file of a password file.")->require_subcommand(1);
    using run = std::function<int(const arguments&)>;
    const auto verb = [&](const char* name, const char* what, bool named, run of_file, run of_broker) {
        auto* const v = user->add_subcommand(name, what);
        if (named) v->add_option("NAME", a.name, "The user.")->required();
        v->add_option("--file", a.file, "The password file; brokerd reads it anew at SIGHUP.");
        v->callback([args, &status, of_file = std::move(of_file), of_broker = std::move(of_broker)] { status = (args->file.empty() ? of_broker : of_file)(*args); });
    };
    const std::vector<std::string> columns{"user", "source", "disabled", "hash", "set_at"};
    verb("add", "A new user; the password is asked for, or the first line of standard input.", true, [](const arguments& x) { return set_password(x, true); },
         [&s](const arguments& x) { return add_to_broker(s, x); });
    verb("set-password", "Another password for a user.", true, [](const arguments& x) { return set_password(x, false); },
         [&s](const arguments& x) { return change_at_broker(s, x, {{"password", ask_password()}}); });
    verb("disable", "May not come in any more, and is kept.", true, [](const arguments& x) { return set_disabled(x, true); },
         [&s](const arguments& x) { return change_at_broker(s, x, {{"disabled", true}}); });
    verb("enable", "May come in again.", true, [](const arguments& x) { return set_disabled(x, false); },
         [&s](const arguments& x) { return change_at_broker(s, x, {{"disabled", false}}); });
    verb("delete", "There is no such user any more.", true, [](const arguments& x) { return remove(x); },
         [&s](const arguments& x) { return done(s.broker().call("DELETE", path_of(x))); });
    verb("list", "Users and the kind of their hashes.", false, [&s](const arguments& x) { return list(s, x); },
         [&s, columns](const arguments&) { return show(s, s.broker().call("GET", "/api/v1/users"), columns); });
    auto* const shown = user->add_subcommand("show", "One user of the running broker.");
    shown->add_option("NAME", a.name, "The user.")->required();
    shown->callback([args, &s, &status] { status = show(s, s.broker().call("GET", path_of(*args)), {}); });
    auto* const imported = user->add_subcommand("import", "Takes the users of a password file, of Mosquitto too, into the running broker's store; those that are there are changed.");
    imported->add_option("--file", a.file, "The password file; - is standard input.")->required();
    imported->callback([args, &s, &status] { status = import_to_broker(s, *args); });
}

} // namespace broker::cli
