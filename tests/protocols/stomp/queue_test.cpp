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

} // namespace

TEST_CASE("queues: looking") { run(browsing); }
TEST_CASE("queues: priorities") { run(priorities); }
TEST_CASE("queues: dead letters") { run(dead_letters); }
TEST_CASE("queues: full, old") { run(full); }
