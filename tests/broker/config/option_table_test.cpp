// conf/brokerd.toml is the reference users read: every key, with its default, and nothing else.
#include "config/load.hpp"
#include "config/option_table.hpp"
#include "core/counters.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

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

TEST_CASE("what counts refusals is named after the keys that refuse") {
    const auto known = values_of({});
    std::set<std::string> names;
    for (std::size_t i = 0; i != broker::limit_kinds; ++i) {
        const auto name = std::string{key(static_cast<broker::limit_kind>(i))};
        CAPTURE(name);
        CHECK((known.contains(name) || name.starts_with("listener.")));
        CHECK(names.insert(name).second);
    }
}

namespace {

std::string file(const std::string& path) {
    std::ifstream in{BROKER_CONF_DIR "/../" + path};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// The cells of the table's row about this key, without their quotes.
std::vector<std::string> limits_row(const std::string& page, const std::string& key) {
    const auto begin = page.find("| `" + key + "` |");
    std::vector<std::string> cells;
    if (begin == std::string::npos) return cells;
    std::istringstream row{page.substr(begin + 2, page.find('\n', begin) - begin - 2)};
    for (std::string cell; std::getline(row, cell, '|');) {
        const auto first = cell.find_first_not_of(" `");
        if (first != std::string::npos) cells.push_back(cell.substr(first, cell.find_last_not_of(" `") - first + 1));
    }
    return cells;
}

// No bounds, or told of elsewhere.
const std::set<std::string> no_limits{"mqtt.shared_error", "mqtt.response_information", "stomp.heart_beat", "stomp.client_heart_beat",
                                      "stomp.heart_beat_grace", "stomp.separator", "ws.allowed_origins", "ws.allow_missing_origin",
                                      "ws.compression.enabled", "ws.compression.min_size", "ws.compression.context_takeover"};

} // namespace

TEST_CASE("docs/limits.md has every limit, its default, its metric and tests that exist") {
    const auto page = file("docs/limits.md");
    std::set<std::string> counted;
    for (std::size_t i = 0; i != broker::limit_kinds; ++i) counted.emplace(key(static_cast<broker::limit_kind>(i)));
    for (const auto& [key, value] : values_of({})) {
        const auto section = key.substr(0, key.find('.'));
        if ((section != "limits" && section != "mqtt" && section != "stomp" && section != "ws") || no_limits.contains(key)) continue;
        CAPTURE(key);
        const auto cells = limits_row(page, key);
        REQUIRE(cells.size() == 7);
        CHECK((cells[1] == value || '"' + cells[1] + '"' == value));
        CHECK((cells[5] == "R") == counted.contains(key));
        std::istringstream tests{cells[6]};
        for (std::string one; std::getline(tests, one, ';');) {
            const auto path = one.find("tests/");
            const auto quote = one.find("`: ");
            REQUIRE(quote != std::string::npos);
            const auto source = file(one.substr(path, quote - path));
            CAPTURE(one);
            const auto title = source.find(one.substr(quote + 3));
            REQUIRE(title != std::string::npos);
            const auto line = source.substr(source.rfind('\n', title) + 1);
            CHECK((line.starts_with("TEST_CASE(\"") || line.starts_with("test(\""))); // in a test's name
        }
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
