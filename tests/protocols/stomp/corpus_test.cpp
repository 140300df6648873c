// The corpus against the engine: bytes in, bytes out. tests/conformance runs the same rows against a running server.
#include "protocols/stomp/corpus.hpp"

#include "protocols/stomp/engine.hpp"
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
    for (const auto& p : packets) text += (text.empty() ? "" : " | ") + p;
    return text;
}

bool match(const std::vector<std::string>& packets, const std::vector<std::string>& patterns) {
    return std::ranges::equal(packets, patterns, looks_like);
}

// A node with a witness who must be served whatever the others do.
struct bench {
    dialect d = stomp_dialect();
    test_node node{1, stomp_corpus_limits()};
    test_client witness{node, 0, stomp::make_engine};

    bench() {
        witness.receive(d.witness_hello.send);
        CHECK(match(d.split(witness.sent()), d.witness_hello.answers));
    }
    void look_at_witness(const scenario& row) {
        witness.receive(d.witness_round.send);
        const auto got = d.split(witness.sent());
        CHECK_MESSAGE(std::ranges::is_permutation(got, d.witness_round.answers, looks_like), row.name, ": the witness got ",
                      listed(got));
    }
    // A client that has done what goes before the row.
    std::unique_ptr<test_client> prepared(const scenario& row) {
        auto client = std::make_unique<test_client>(node, 0, stomp::make_engine);
        for (const auto& s : row.before) {
            client->receive(s.send);
            const auto got = d.split(client->sent());
            CHECK_MESSAGE(match(got, s.answers), row.name, ": before it came ", listed(got));
        }
        return client;
    }
    // The row in two pieces.
    void run(const scenario& row, std::size_t cut) {
        const auto client = prepared(row);
        client->receive(std::string_view{row.send}.substr(0, cut));
        client->receive(std::string_view{row.send}.substr(cut));
        const auto got = d.split(client->sent());
        CHECK_MESSAGE(match(got, row.answers), row.name, " ", row.rule, " cut at ", cut, " -> ", listed(got));
        CHECK_MESSAGE(client->closed() == (row.end == ending::closed), row.name, " ", row.rule, " cut at ", cut,
                      std::string{client->closed() ? " closed" : " not closed"});
        if (row.end != ending::open || client->closed()) return;
        client->receive(d.probe.send);
        CHECK_MESSAGE(match(d.split(client->sent()), d.probe.answers), row.name, ": the connection is deaf");
    }
};

} // namespace

TEST_CASE("corpus: every malformed, forbidden or odd frame gets the reaction its rule requires") {
    bench b;
    CHECK(b.d.table.size() >= 350);
    for (const auto& row : b.d.table) {
        b.run(row, row.send.size());
        b.look_at_witness(row);
    }
}

TEST_CASE("corpus: names are unique, so that a failure names one row") {
    std::vector<std::string> names;
    for (const auto& row : stomp_dialect().table) names.push_back(row.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    CHECK_MESSAGE(twice == names.end(), (twice == names.end() ? "" : *twice));
}

TEST_CASE("corpus: the reaction is the same wherever the bytes are cut") {
    bench b;
    for (const auto& row : b.d.table) {
        for (std::size_t cut = 1; cut < row.send.size(); ++cut) {
            if (row.send.size() > 400 && cut % 37 != 0 && cut + 60 < row.send.size()) continue; // long texts: nothing new inside
            b.run(row, cut);
        }
        b.look_at_witness(row);
    }
}

TEST_CASE("corpus: byte by byte") {
    bench b;
    for (const auto& row : b.d.table) {
        const auto client = b.prepared(row);
        for (const char c : row.send) client->get().on_bytes(as_bytes({&c, 1}), b.node.now());
        b.node.settle();
        const auto got = b.d.split(client->sent());
        CHECK_MESSAGE(match(got, row.answers), row.name, " ", row.rule, " -> ", listed(got));
    }
}

TEST_CASE("corpus: no flipped bit does harm") {
    bench b;
    for (const auto& row : b.d.table) {
        if (row.send.size() > 400) continue;
        for (std::size_t at = 0; at != row.send.size(); ++at) {
            for (const unsigned mask : {0x01U, 0x80U, 0xFFU}) {
                auto flipped = row.send;
                flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ mask);
                b.prepared(row)->receive(flipped);
            }
        }
        (void)b.witness.sent(); // what a flipped row may have sent to it
        b.look_at_witness(row);
    }
}
