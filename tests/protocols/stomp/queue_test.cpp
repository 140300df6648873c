// Queues as STOMP and MQTT clients see them: looking without taking, priorities, giving up, dead letters.
#include "protocols/stomp/exchange.hpp"

#include <doctest/doctest.h>

using broker::limits;
using namespace broker::test;
using namespace broker::test::script;

namespace {

std::string browse(const std::string& who, const std::string& to, const std::string& more = "") {
    return subscribe(who, to, "browser:true\n" + more);
}
std::string browsed_all(const std::string& who, const std::string& of) {
    return who + "> MESSAGE\nsubscription:1\nmessage-id:*-0-0\ndestination:" + of + "\nbrowser:end\ncontent-length:0\n\n";
}

const std::vector<exchange> browsing{
    {every, "browse: copies of what is there, then the end; all of it is still there",
     {send("b", "/queue/q", "1", "k:v\n"), send("b", "/queue/q", "2"), browse("a", "/queue/q"),
      message("a", "/queue/q", "1", "", "k:v\n"), message("a", "/queue/q", "2"), browsed_all("a", "/queue/q"), "a.",
      subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "", "k:v\n"), message("c", "/queue/q", "2")}},
    {v11_12, "browse: what a consumer holds is there too",
     {subscribe("c", "/queue/q", "ack:client\n"), send("b", "/queue/q", "x"), message("c", "/queue/q", "x", "{ack}"), "c: {NACK 1}requeue:true\n\n",
      message("c", "/queue/q", "x", "{ack}redelivered:true\nredelivery-count:1\n"), browse("a", "/queue/q"), "a> MESSAGE\nsubscription:1\nmessage-id:*\n*destination:/queue/q\ncontent-length:1\n\nx", browsed_all("a", "/queue/q")}},
    {every, "browse: of an empty queue and of one that is not, the end",
     {browse("a", "/queue/none"), browsed_all("a", "/queue/none"), send("b", "/queue/q", "x"), subscribe("c", "/queue/q"),
      message("c", "/queue/q", "x"), browse("a", "/queue/q"), browsed_all("a", "/queue/q")}},
    {every, "browse: what is sent later does not come, and the id is free again",
     {browse("a", "/queue/q"), browsed_all("a", "/queue/q"), send("b", "/queue/q", "x"), "a.", subscribe("a", "/queue/q"),
      message("a", "/queue/q", "x")}},
    {every, "browse: a receipt says that it began", {browse("a", "/queue/q", "receipt:r\n"), receipt("a", "r"), browsed_all("a", "/queue/q")}},
    {every, "browse: what an MQTT client published",
     {"m: 32: '$queue/q' 0001 [] 78", "m> 40 *", browse("a", "/queue/q"), message("a", "/queue/q", "x"), browsed_all("a", "/queue/q")}},
    {every, "browse: a copy cannot be acknowledged",
     {send("b", "/queue/q", "x"), browse("a", "/queue/q", "ack:client\n"), message("a", "/queue/q", "x"), browsed_all("a", "/queue/q"),
      "a: ACK\nid:1-0-1\nsubscription:1\nmessage-id:1-0-1\n\n", "a! protocol_error"}},
    {every, "browse: a topic cannot be looked at", {browse("a", "/topic/t"), "a! protocol_error"}},
    {every, "browse: nor can a wildcard", {browse("a", "/queue/+"), "a! protocol_error"}},
    {every, "browse: browser:end is the server's alone to say",
     {send("b", "/queue/q", "x", "browser:end\n"), browse("a", "/queue/q"), message("a", "/queue/q", "x"), browsed_all("a", "/queue/q")}},
    {every, "browse: over a crash", {send("b", "/queue/q", "x", "receipt:r\n"), receipt("b", "r"), "crash", browse("a", "/queue/q"),
                                     message("a", "/queue/q", "x"), browsed_all("a", "/queue/q")}},
};

const std::vector<exchange> priorities{
    {every, "priority: the urgent first, within one priority the oldest; 4 when nothing is said",
     {send("b", "/queue/q", "low", "priority:0\n"), send("b", "/queue/q", "usual"), send("b", "/queue/q", "four", "priority:4\n"),
      send("b", "/queue/q", "high", "priority:9\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "high", "", "priority:9\n"),
      message("a", "/queue/q", "usual"), message("a", "/queue/q", "four", "", "priority:4\n"), message("a", "/queue/q", "low", "", "priority:0\n")}},
    {every, "priority: an MQTT publisher's user property is one",
     {"m: 32: '$queue/q' 0001 [] 31", "m> 40 *", "m: 32: '$queue/q' 0002 [ 26 'priority' '7' ] 32", "m> 40 *", subscribe("a", "/queue/q"),
      message("a", "/queue/q", "2", "", "priority:7\n"), message("a", "/queue/q", "1")}},
    {every, "priority: what is no digit is a header like any other",
     {send("b", "/queue/q", "1"), send("b", "/queue/q", "2", "priority:high\n"), send("b", "/queue/q", "3", "priority:10\n"), subscribe("a", "/queue/q"),
      message("a", "/queue/q", "1"), message("a", "/queue/q", "2", "", "priority:high\n"), message("a", "/queue/q", "3", "", "priority:10\n")}},
    {every, "priority: on a topic it changes nothing",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "1", "priority:0\n"), send("b", "/topic/t", "2", "priority:9\n"),
      message("a", "/topic/t", "1", "", "priority:0\n"), message("a", "/topic/t", "2", "", "priority:9\n")}},
    {every, "priority: over a crash",
     {send("b", "/queue/q", "1", "receipt:1\n"), receipt("b", "1"), send("b", "/queue/q", "2", "priority:5\nreceipt:2\n"), receipt("b", "2"), "crash",
      subscribe("a", "/queue/q"), message("a", "/queue/q", "2", "", "priority:5\n"), message("a", "/queue/q", "1")}},
};

constexpr auto twice = [](limits& l) { l.max_deliveries = 2; };
const std::string rejected = "dlq-reason:rejected\ndlq-original-destination:/queue/q\ndlq-redelivery-count:0\n";

const std::vector<exchange> dead_letters{
    {v11_12, "dead letter: NACK with requeue:false sends it there, with why and whence",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x", "k:v\n"), message("a", "/queue/q", "x", "{ack}", "k:v\n"),
      "a: {NACK 1}requeue:false\n\n", "a.", subscribe("c", "/queue/dlq.q"), message("c", "/queue/dlq.q", "x", "", "k:v\n" + rejected)}},
    {v11_12, "dead letter: more than max_deliveries",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "a: {NACK 1}\n",
      message("a", "/queue/q", "x", "{ack}redelivered:true\nredelivery-count:1\n"), "a: {NACK 2}\n", "a.", subscribe("c", "/queue/dlq.q"),
      message("c", "/queue/dlq.q", "x", "", "dlq-reason:max_deliveries\ndlq-original-destination:/queue/q\ndlq-redelivery-count:2\n")}, twice},
    {every, "dead letter: consumers that go count as well",
     {send("b", "/queue/q", "x"), subscribe("a", "/queue/q", "ack:client\n"), message("a", "/queue/q", "x", "{ack}"), "a/",
      subscribe("c", "/queue/q", "ack:client\n"), message("c", "/queue/q", "x", "{ack}redelivered:true\nredelivery-count:1\n"), "c/",
      subscribe("d", "/queue/q"), "d.", subscribe("e", "/queue/dlq.q"),
      message("e", "/queue/dlq.q", "x", "", "dlq-reason:max_deliveries\ndlq-original-destination:/queue/q\ndlq-redelivery-count:2\n")}, twice},
    {every, "dead letter: an MQTT 5 PUBACK that is an error rejects",
     {"m: 82: 0001 [] '$queue/q' 01", "m= 90: 0001 [] 01", send("b", "/queue/q", "x"), "m= 32: '$queue/q' 0001 [] 78", "m: 40: 0001 80", subscribe("c", "/queue/dlq.q"),
      message("c", "/queue/dlq.q", "x", "", rejected)}},
    {v11_12, "dead letter: an MQTT consumer reads it, the headers as user properties",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "a: {NACK 1}requeue:false\n\n",
      "m: 82: 0001 [] '$queue/dlq.q' 00", "m= 90: 0001 [] 00",
      "m= 30: '$queue/dlq.q' [ 26 'dlq-reason' 'rejected' 26 'dlq-original-destination' '/queue/q' 26 'dlq-redelivery-count' '0' ] 78"}},
    {v11_12, "dead letter: a publisher cannot say where a message died",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x", "dlq-reason:mine\n"), "a> MESSAGE\n*", "a: {NACK 1}requeue:false\n\n",
      subscribe("c", "/queue/dlq.q"), message("c", "/queue/dlq.q", "x", "", rejected)}},
    {v11_12, "dead letter: in a transaction it goes with COMMIT",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "a: BEGIN\ntransaction:t\n\n",
      "a: {NACK 1}transaction:t\nrequeue:false\n\n", subscribe("c", "/queue/dlq.q"), "c.", "a: COMMIT\ntransaction:t\n\n",
      message("c", "/queue/dlq.q", "x", "", rejected)}},
    {v11_12, "dead letter: the receipt of the NACK means it is on disk there",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "hold",
      "a: {NACK 1}requeue:false\nreceipt:r\n\n", "a.", "commit", receipt("a", "r"), "crash", subscribe("c", "/queue/dlq.q"),
      message("c", "/queue/dlq.q", "x", "", rejected)}},
    {v11_12, "dead letter: with none it is dropped", {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "x"),
      message("a", "/queue/q", "x", "{ack}"), "a: {NACK 1}requeue:false\n\n", subscribe("c", "/queue/dlq.q"), "c.", subscribe("d", "/queue/q"), "d."},
     [](limits& l) { l.queue_dead_letter.clear(); }},
    {v11_12, "dead letter: what is sent back there stays", {send("b", "/queue/dlq.q", "x"), subscribe("a", "/queue/dlq.q", "ack:client-individual\n"),
      message("a", "/queue/dlq.q", "x", "{ack}"), "a: {NACK 1}\n", message("a", "/queue/dlq.q", "x", "{ack}redelivered:true\nredelivery-count:1\n"), "a: {NACK 2}\n",
      message("a", "/queue/dlq.q", "x", "{ack}redelivered:true\nredelivery-count:2\n")}, twice},
};

const std::vector<exchange> full{
    {every, "full: refused", {send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), "b! overload"}, [](limits& l) { l.queue_messages_max = 1; }},
    {every, "full: the oldest of the lowest priority goes",
     {send("b", "/queue/q", "1", "priority:9\n"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"), subscribe("a", "/queue/q"),
      message("a", "/queue/q", "1", "", "priority:9\n"), message("a", "/queue/q", "3")},
     [](limits& l) { l.queue_messages_max = 2; l.queue_policy = broker::overflow_policy::drop_oldest; }},
    {every, "full: the new one goes aside, and the publisher is answered as ever",
     {send("b", "/queue/q", "1"), send("b", "/queue/q", "2", "receipt:r\n"), receipt("b", "r"), subscribe("a", "/queue/dlq.q"),
      message("a", "/queue/dlq.q", "2", "", "dlq-reason:queue_full\ndlq-original-destination:/queue/q\ndlq-redelivery-count:0\n")},
     [](limits& l) { l.queue_messages_max = 1; l.queue_policy = broker::overflow_policy::dead_letter; }},
    {every, "age: what is older than the ttl is not delivered",
     {send("b", "/queue/q", "1"), "+10s", send("b", "/queue/q", "2"), "+51s", subscribe("a", "/queue/q"), "a> MESSAGE\n*\n\n2", "a."},
     [](limits& l) { l.queue_ttl = broker::seconds{60}; }},
};

std::string hold(const std::string& who, const std::string& more = "") { return subscribe(who, "/queue/q", "ack:client\n" + more); }
std::string held(const std::string& who, const std::string& body, const std::string& own = "") { return message(who, "/queue/q", body, "{ack}" + own); }
const std::string again = "redelivered:true\nredelivery-count:1\n";

const std::vector<exchange> consumers{
    {every, "consumers: by turns", {subscribe("a", "/queue/q"), subscribe("c", "/queue/q"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"),
      message("a", "/queue/q", "1"), message("c", "/queue/q", "2"), message("a", "/queue/q", "3"), "a.", "c."}},
    {every, "consumers: who has no prefetch left is passed over",
     {hold("a", "prefetch-count:1\n"), hold("c"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"), held("a", "1"), held("c", "2"), held("c", "3")}},
    {every, "consumers: an ACK makes room for the next", {hold("a", "prefetch-count:1\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), held("a", "1"), "a.", "a: {ACK 1}\n", held("a", "2")}},
    {v11_12, "consumers: a NACK goes to another one, if there is one",
     {hold("a", "prefetch-count:1\n"), send("b", "/queue/q", "x"), held("a", "x"), hold("c"), "a: {NACK 1}\n", "a.", held("c", "x", again)}},
    {every, "consumers: what one leaves comes to another in the old order",
     {hold("a"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"), held("a", "1"), held("a", "2"), held("a", "3"), "a/",
      hold("c"), held("c", "1", again), held("c", "2", again), held("c", "3", again)}},
    {every, "consumers: of what one leaves, what it acknowledged does not come",
     {hold("a"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"), held("a", "1"), held("a", "2"), held("a", "3"), "a: {ACK 2}receipt:r\n\n", receipt("a", "r"), "a/",
      hold("c"), held("c", "3", again), "c."}},
    {every, "consumers: UNSUBSCRIBE gives back what was not acknowledged",
     {hold("a"), send("b", "/queue/q", "x"), held("a", "x"), "a: UNSUBSCRIBE\nid:1\ndestination:/queue/q\n\n", hold("c"), held("c", "x", again)}},
    {every, "consumers: an MQTT one that unsubscribes gives back, too",
     {"m: 82: 0001 [] '$queue/q' 01", "m= 90: 0001 [] 01", send("b", "/queue/q", "x"), "m= 32: '$queue/q' 0001 [] 78", "m: a2: 0002 [] '$queue/q'", "m= b0: 0002 [] 00", hold("c"), held("c", "x", again)}},
    {every, "consumers: QoS 0 of MQTT has it when it is handed over",
     {"m: 82: 0001 [] '$queue/q' 00", "m= 90: 0001 [] 00", send("b", "/queue/q", "x"), "m= 30: '$queue/q' [] 78", "m/", hold("c"), "c."}},
    {every, "consumers: of QoS 1 and 2 an MQTT one gets QoS 1, and PUBACK ends it",
     {"m: 82: 0001 [] '$queue/q' 02", "m= 90: 0001 [] 02", send("b", "/queue/q", "x"), "m= 32: '$queue/q' 0001 [] 78", "m: 40: 0001", "m/", hold("c"), "c."}},
    {every, "publishers: QoS 0 is kept as the others are", {"m: 30: '$queue/q' [] 78", subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "publishers: QoS 2, once", {"m: 34: '$queue/q' 0001 [] 78", "m> 50 *", "m: 3c: '$queue/q' 0001 [] 78", "m> 50 *", "m: 62: 0001", "m> 70 *", subscribe("a", "/queue/q"), message("a", "/queue/q", "x"), "a."}},
    {every, "publishers: each one's order is kept", {send("b", "/queue/q", "b1"), "m: 32: '$queue/q' 0001 [] 6d31", "m> 40 *", send("b", "/queue/q", "b2"), "m: 32: '$queue/q' 0002 [] 6d32", "m> 40 *",
      subscribe("a", "/queue/q"), message("a", "/queue/q", "b1"), message("a", "/queue/q", "m1"), message("a", "/queue/q", "b2"), message("a", "/queue/q", "m2")}},
    {every, "publishers: persistent:false is kept while the broker runs", {send("b", "/queue/q", "x", "persistent:false\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "names: a slash and a dot are part of them", {send("b", "/queue/a/b.c", "x"), "m: 82: 0001 [] '$queue/a/b.c' 00", "m= 90: 0001 [] 00", "m= 30: '$queue/a/b.c' [] 78"}},
    {every, "names: two queues share nothing", {send("b", "/queue/q", "q"), send("b", "/queue/qq", "qq"), subscribe("a", "/queue/qq"), message("a", "/queue/qq", "qq"), "a."}},
    {every, "names: a topic of that name is another thing", {subscribe("a", "/queue/q"), send("b", "/topic/q", "x"), send("b", "q", "x"), "a."}},
    {every, "transactions: all of it at COMMIT, in order", {subscribe("a", "/queue/q"), "b: BEGIN\ntransaction:t\n\n", send("b", "/queue/q", "1", "transaction:t\n"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3", "transaction:t\n"),
      message("a", "/queue/q", "2"), "a.", "b: COMMIT\ntransaction:t\n\n", message("a", "/queue/q", "1"), message("a", "/queue/q", "3")}},
    {every, "transactions: from one queue into another, both or neither",
     {hold("a"), send("b", "/queue/q", "x"), held("a", "x"), "a: BEGIN\ntransaction:t\n\n", "a: {ACK 1}transaction:t\n\n", send("a", "/queue/r", "y", "transaction:t\n"), "a/",
      subscribe("c", "/queue/r"), "c.", hold("d"), held("d", "x", again)}},
    {every, "expiry: what is too old is not delivered", {send("b", "/queue/q", "old", "ttl:1000\n"), send("b", "/queue/q", "new"), "+2s", subscribe("a", "/queue/q"), message("a", "/queue/q", "new")}},
    {v11_12, "priority: what is sent back keeps its own",
     {hold("a", "prefetch-count:1\n"), send("b", "/queue/q", "1", "priority:9\n"), send("b", "/queue/q", "2"), "a> MESSAGE\n*priority:9\n*\n\n1", "a: {NACK 1}\n", "a> MESSAGE\n*priority:9\n*\n\n1"}},
};

} // namespace

TEST_CASE("queues: consumers, publishers, names") { run(consumers); }
TEST_CASE("queues: looking") { run(browsing); }
TEST_CASE("queues: priorities") { run(priorities); }
TEST_CASE("queues: dead letters") { run(dead_letters); }
TEST_CASE("queues: full, old") { run(full); }
