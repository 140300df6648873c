// scenario: one row of a table of odd input and the reaction a specification requires, in words that no protocol owns.
// The same rows run against an engine without I/O (tests/protocols/*/corpus_test.cpp) and against a running brokerd over
// TCP and WebSocket (tests/conformance). A protocol adds its table and a `dialect`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace broker::test {

enum class ending : std::uint8_t {
    open,    // the connection goes on: a probe is answered
    closed,  // by the server, after the answers
    waiting, // the input is incomplete: no answer, no end
};

struct scenario {
    struct step {
        std::string send{};                 // bytes
        std::vector<std::string> answers{}; // one pattern a packet (support/wire.hpp)
    };
    std::string name{};
    std::string rule{}; // the statement of the specification
    std::vector<step> before{};
    std::string send{};
    std::vector<std::string> answers{};
    ending end = ending::open;
};

// What a runner must know of a protocol.
struct dialect {
    std::string_view name;                                     // "MQTT"
    std::string_view subprotocol;                              // Sec-WebSocket-Protocol
    std::string_view listener;                                 // URL scheme of --listen
    std::vector<std::string> (*split)(std::string_view bytes); // into packets; what is incomplete is the last piece
    scenario::step probe;                                      // on an open connection: answered at once
    scenario::step witness_hello;                              // of a well-behaved client that stays,
    scenario::step witness_round;                              // and what it does after every row; answers in any order
    std::vector<scenario> table;
    bool (*varies)(std::string_view answer); // holds something the server makes up, so that two runs may differ
    std::vector<std::string_view> settings; // of the server, "BROKERD__SECTION__KEY=value": the limits the table counts on
};

} // namespace broker::test
