// conf/brokerd.toml is the reference users read: every key, with its default, and nothing else.
#include "config/load.hpp"
#include "config/option_table.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace broker::config;

namespace {

std::string reference() {
    std::ifstream in{BROKER_CONF_DIR "/brokerd.toml"};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// "section.key" of every assignment that is not part of a [[listener]].
std::set<std::string> keys_of(const std::string& toml) {
    std::set<std::string> keys;
    std::istringstream in{toml};
    std::string section;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('[')) {
            section = line.starts_with("[[") ? "" : line.substr(1, line.find(']') - 1) + ".";
        } else if (!section.empty() && !line.starts_with('#') && line.find(" = ") != std::string::npos) {
            keys.insert(section + line.substr(0, line.find(" = ")));
        }
    }
    return keys;
}

std::map<std::string, std::string> values_of(options o) {
    std::map<std::string, std::string> values;
    for (const auto& option : option_table(o)) values[std::string{option.key}] = value_text(option);
    return values;
}

} // namespace

TEST_CASE("conf/brokerd.toml has exactly the keys there are") {
    std::set<std::string> known;
    for (const auto& [key, value] : values_of({})) known.insert(key);
    CHECK(keys_of(reference()) == known);
    CHECK(keys_of("[limits]\nmax_connections = 5\n") != known); // the comparison can fail
}

TEST_CASE("conf/brokerd.toml loads and changes nothing but where things are") {
    options o;
    apply_toml(o, reference(), "conf/brokerd.toml");
    CHECK(!o.listeners.empty());
    const std::set<std::string> places{"node.data_dir", "admin.socket", "admin.http"};
    const auto defaults = values_of({});
    for (const auto& [key, value] : values_of(o)) {
        if (places.contains(key)) continue;
        CAPTURE(key);
        CHECK(value == defaults.at(key));
    }
}

TEST_CASE("every key is documented") {
    options o;
    for (const auto& option : option_table(o)) {
        CAPTURE(option.key);
        CHECK(option.doc.ends_with('.'));
    }
}

TEST_CASE("conf/dev.toml loads") {
    std::ifstream in{BROKER_CONF_DIR "/dev.toml"};
    std::ostringstream text;
    text << in.rdbuf();
    options o;
    apply_toml(o, text.str(), "conf/dev.toml");
    CHECK(o.listeners.size() == 3);
    CHECK(o.admin_http == "127.0.0.1:18083");
}
