// While the store cannot write: nothing durable is acknowledged or taken, QoS 0 goes on, and when it can again so does all.
#include "protocols/mqtt/client.hpp"

using namespace broker;
using namespace broker::test;

TEST_CASE("a failed write: no PUBACK, then 0x97, QoS 0 as ever, and PUBACK when writing works again") {
    test_node node;
    client sub{node, v311("s", "00")};
    sub.exchange("82: 0001 't' 01");
    client pub{node, v5("p")};
    node.disk().fail_next_writes(100, storage::storage_error::kind::no_space);
    CHECK(pub.exchange("32: 't' 0001 [] 61").empty()); // taken, and not on disk
    (void)sub.said();
    client other{node, v5("o")}; // on the first one's connection the refusal waits for the PUBACK before it
    CHECK(other.exchange("32: 't' 0002 [] 62") == bytes("40: 0002 97 [1f 'the store takes nothing now']"));
    CHECK(other.exchange("34: 't' 0003 [] 63") == bytes("50: 0003 97 [1f 'the store takes nothing now']"));
    CHECK(pub.exchange("30: 't' [] 64").empty());
    CHECK(sub.said() == bytes("30: 't' 64"));
    node.disk().fail_next_writes(0);
    node.settle();
    CHECK(pub.said() == bytes("40: 0001"));
    CHECK(pub.exchange("32: 't' 0004 [] 65") == bytes("40: 0004"));
}
