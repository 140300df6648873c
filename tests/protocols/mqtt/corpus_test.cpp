// The corpus against the engine: bytes in, bytes out. tests/conformance runs the same rows against a running server.
#include "protocols/mqtt/corpus.hpp"

#include "protocols/mqtt/engine.hpp"
#include "support/hex.hpp"
#include "support/test_node.hpp"
#include "support/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

using namespace broker;
using namespace broker::test;

namespace {

std::string listed(const std::vector<std::string>& packets) {
    std::string text;
    for (const auto& p : packets) text += (text.empty() ? "" : " | ") + to_hex(p);
    return text;
}

bool match(const std::vector<std::string>& packets, const std::vector<std::string>& patterns) {
    return std::ranges::equal(packets, patterns, looks_like);
}

// A node with a witness who must be served whatever the others do.
struct bench {
    dialect d = mqtt_dialect();
    test_node node{1, mqtt_corpus_limits()};
    test_client witness{node, 0, mqtt::make_engine};

    bench() {
        witness.receive(d.witness_hello.send);
        CHECK(match(d.split(witness.sent()), d.witness_hello.answers));
    }
    void look_at_witness() {
        witness.receive(d.witness_round.send);
        const auto got = d.split(witness.sent());
        CHECK_MESSAGE(match(got, d.witness_round.answers), "the witness got ", listed(got));
    }
    // A client that has done what goes before the row.
    std::unique_ptr<test_client> prepared(const scenario& row) {
        auto client = std::make_unique<test_client>(node, 0, mqtt::make_engine);
        for (const auto& s : row.before) {
            client->receive(s.send);
            const auto got = d.split(client->sent());
            CHECK_MESSAGE(match(got, s.answers), row.name, ": before it came ", listed(got));
        }
        return client;
    }
};

} // namespace

TEST_CASE("corpus: every illegal or odd packet gets the reaction its rule requires") {
    bench b;
    CHECK(b.d.table.size() >= 300);
    for (const auto& row : b.d.table) {
        const auto client = b.prepared(row);
        client->receive(row.send);
        const auto got = b.d.split(client->sent());
        CHECK_MESSAGE(match(got, row.answers), row.name, " ", row.rule, ": ", to_hex(row.send), " -> ", listed(got));
        CHECK_MESSAGE(client->closed() == (row.end == ending::closed), row.name, " ", row.rule, ": ", to_hex(row.send),
                      client->closed() ? " closed" : " not closed");
        if (row.end == ending::open && !client->closed()) {
            client->receive(b.d.probe.send);
            CHECK_MESSAGE(match(b.d.split(client->sent()), b.d.probe.answers), row.name, ": the connection is deaf");
        }
        client->disconnect();
        b.look_at_witness();
    }
}

TEST_CASE("corpus: names are unique, so that a failure names one row") {
    std::vector<std::string> names;
    for (const auto& row : mqtt_dialect().table) names.push_back(row.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    CHECK_MESSAGE(twice == names.end(), (twice == names.end() ? "" : *twice));
}

TEST_CASE("corpus: a valid packet cut anywhere waits without a word, and is answered when the rest comes") {
    bench b;
    for (const auto& row : valid_mqtt_packets()) {
        for (std::size_t cut = 0; cut <= row.send.size(); ++cut) {
            const auto client = b.prepared(row);
            client->receive(std::string_view{row.send}.substr(0, cut));
            auto got = client->sent();
            if (cut != row.send.size()) CHECK_MESSAGE(got.empty(), row.name, " cut at ", cut, " -> ", to_hex(got));
            client->receive(std::string_view{row.send}.substr(cut));
            got += client->sent();
            CHECK_MESSAGE(match(b.d.split(got), row.answers), row.name, " cut at ", cut, " -> ", to_hex(got));
            CHECK_FALSE(client->closed());
            client->disconnect();
        }
        b.look_at_witness();
    }
}

TEST_CASE("corpus: no cut and no flipped bit does harm") {
    bench b;
    auto rows = b.d.table;
    for (auto& row : valid_mqtt_packets()) rows.push_back(std::move(row));
    for (const auto& row : rows) {
        if (row.send.size() > 300) continue; // long texts: nothing new in their middle
        for (std::size_t at = 0; at != row.send.size(); ++at) {
            b.prepared(row)->receive(std::string_view{row.send}.substr(0, at));
            for (const unsigned mask : {0x01U, 0x80U, 0xFFU}) {
                auto flipped = row.send;
                flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ mask);
                b.prepared(row)->receive(flipped);
            }
        }
        b.look_at_witness();
    }
}
