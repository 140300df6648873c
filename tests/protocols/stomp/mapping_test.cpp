// One message, two protocols: every row of docs/mapping.md, in both directions, STOMP beside MQTT 5 (m to p) and 3.1.1
// (q to t).
#include "protocols/stomp/exchange.hpp"

#include <doctest/doctest.h>

using broker::limits;
using namespace broker::test;
using namespace broker::test::script;

namespace {

using std::string;

// MQTT 5 and 3.1.1 SUBSCRIBE at this QoS, and the answer.
string mqtt5(const string& who, const string& filter, const string& level = "00") {
    return who + ": 82: 0001 [] '" + filter + "' " + level;
}
string mqtt3(const string& who, const string& filter, const string& level = "00") {
    return who + ": 82: 0001 '" + filter + "' " + level;
}
string granted5(const string& who, const string& level = "00") { return who + "= 90: 0001 [] " + level; }
string granted3(const string& who, const string& level = "00") { return who + "= 90: 0001 " + level; }

const std::vector<exchange> names{
    {every, "topic: STOMP to MQTT", {mqtt5("m", "a/b"), granted5("m"), mqtt3("q", "a/b"), granted3("q"), send("a", "/topic/a/b", "x"), "m= 30: 'a/b' [] 78", "q= 30: 'a/b' 78"}},
    {every, "topic: MQTT to STOMP", {subscribe("a", "/topic/a/b"), "m: 30: 'a/b' [] 78", message("a", "/topic/a/b", "x"), "q: 30: 'a/b' 79", message("a", "/topic/a/b", "y")}},
    {every, "topic: a plain MQTT name on the STOMP side", {subscribe("a", "a/b"), "m: 30: 'a/b' [] 78", message("a", "/topic/a/b", "x")}},
    {every, "topic: levels are dots with separator dot", {subscribe("a", "/topic/a.b"), "m: 30: 'a/b' [] 78", message("a", "/topic/a.b", "x"), mqtt5("m", "c/d"), granted5("m"), send("a", "/topic/c.d", "y"), "m= 30: 'c/d' [] 79"}, nullptr, true},
    {every, "wildcards: STOMP's find what MQTT publishes", {subscribe("a", "/topic/a/*/c"), "a: SUBSCRIBE\nid:2\ndestination:/topic/z/>\n\n", "m: 30: 'a/b/c' [] 78", message("a", "/topic/a/b/c", "x"),
      "m: 30: 'z/y/x' [] 78", "a> MESSAGE\nsubscription:2\nmessage-id:*\ndestination:/topic/z/y/x\ncontent-length:1\n\nx"}},
    {every, "wildcards: MQTT's find what STOMP sends", {mqtt5("m", "a/+/c"), granted5("m"), mqtt5("n", "a/#"), granted5("n"), send("a", "/topic/a/b/c", "x"), "m= 30: 'a/b/c' [] 78", "n= 30: 'a/b/c' [] 78"}},
    {every, "queue: MQTT to STOMP, kept until somebody consumes", {"m: 32: '$queue/q' 0001 [] 78", "m> 40 *", subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "queue: STOMP to MQTT", {send("a", "/queue/q", "x"), mqtt5("m", "$queue/q", "01"), "m= 90: 0001 [] 01", "m= 32: '$queue/q' 0001 [] 78"}},
    {every, "queue: consumers of both protocols share it", {mqtt5("m", "$queue/q"), granted5("m"), subscribe("a", "/queue/q"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), "m= 30: '$queue/q' [] 31", message("a", "/queue/q", "2"), "m.", "a."}},
    {every, "group: members of both protocols share it", {mqtt5("m", "$share/g/t"), granted5("m"), subscribe("a", "/topic/t", "x-group:g\n"), send("b", "/topic/t", "1"), send("b", "/topic/t", "2"), "m> 30 *", message("a", "/topic/t", "*"), "m.", "a."}},
};

const std::vector<exchange> levels{
    {every, "level: a SEND is at least once for an MQTT subscriber who wants that", {mqtt5("m", "t", "01"), granted5("m", "01"), mqtt3("q", "t", "02"), granted3("q", "02"), send("a", "/topic/t", "x"), "m= 32: 't' 0001 [] 78", "q= 32: 't' 0001 78"}},
    {every, "level: ack auto takes every level", {subscribe("a", "/topic/t"), "m: 30: 't' [] 30", "m: 32: 't' 0001 [] 31", "m> 40 *", "m: 34: 't' 0002 [] 32", "m> 50 *", message("a", "/topic/t", "0"), message("a", "/topic/t", "1"), message("a", "/topic/t", "2")}},
    {every, "level: ack client acknowledges every level, QoS 0 too", {subscribe("a", "/topic/t", "ack:client\n"), "m: 30: 't' [] 30", message("a", "/topic/t", "0", "{ack}"), "a: {ACK 1}receipt:r\n\n", "a> RECEIPT\n*"}},
    {every, "level: QoS 2 arrives once", {subscribe("a", "/topic/t"), "m: 34: 't' 0001 [] 78", "m> 50 *", "m: 3c: 't' 0001 [] 78", "m> 50 *", "m: 62: 0001", "m> 70 *", message("a", "/topic/t", "x"), "a."}},
    {every, "level: a transaction reaches MQTT subscribers with its COMMIT", {mqtt5("m", "t"), granted5("m"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "1", "transaction:t\n"), "m.", "a: COMMIT\ntransaction:t\n\n", "m= 30: 't' [] 31"}},
    {every, "redelivery: what a STOMP consumer left comes to an MQTT one with a count", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "a/",
      mqtt5("m", "$queue/q", "01"), "m= 90: 0001 [] 01", "m= 3a: '$queue/q' 0001 [ 26 'x-redelivery' '1' ] 78"}},
    {every, "redelivery: what an MQTT consumer left comes to a STOMP one, marked", {"m: 32: '$queue/q' 0001 [] 78", "m> 40 *", mqtt5("n", "$queue/q", "01"), "n= 90: 0001 [] 01", "n> 32 *", "n/", subscribe("a", "/queue/q"), message("a", "/queue/q", "x", "redelivered:true\nredelivery-count:1\n")}},
    {every, "durable: one kind of session: MQTT takes over what a STOMP subscription was owed",
     {subscribe("a", "/topic/t", "ack:client\ndurable-subscription-name:n\n"), "a/", send("b", "/topic/t", "x"), "m: 10: 'MQTT' 05 00 0000 [ 11 00000064 ] 'a/n'", "m> 20 .. 01 *", "m= 32: 't' 0001 [] 78"}},
};

const std::vector<exchange> properties{
    {every, "expiry: MQTT to STOMP", {"m: 33: 't' 0001 [ 02 0000000a ] 78", "m> 40 *", "+4s", subscribe("a", "/topic/t"), message("a", "/topic/t", "x", "retain:true\n", "expires:{now+6000}\n")}},
    {every, "expiry: STOMP to MQTT, counted down", {send("a", "/topic/t", "x", "ttl:10000\nretain:true\n"), "+4s", mqtt5("m", "t"), granted5("m"), "m= 31: 't' [ 02 00000006 ] 78"}},
    {every, "content type: MQTT to STOMP", {subscribe("a", "/topic/t"), "m: 30: 't' [ 03 'application/json' ] \"{}\"", message("a", "/topic/t", "{}", "", "content-type:application/json\n")}},
    {every, "content type: STOMP to MQTT", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "{}", "content-type:application/json\n"), "m= 30: 't' [ 03 'application/json' ] \"{}\""}},
    {every, "payload format: text of STOMP is text for MQTT", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "x", "content-type:text/plain\n"), "m= 30: 't' [ 01 01 03 'text/plain' ] 78"}},
    {every, "payload format: any type with charset utf-8", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "x", "content-type:application/xml;charset=utf-8\n"), "m= 30: 't' [ 01 01 03 'application/xml;charset=utf-8' ] 78"}},
    {every, "payload format: not text in another charset", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "x", "content-type:text/plain;charset=utf-16\n"), "m= 30: 't' [ 03 'text/plain;charset=utf-16' ] 78"}},
    {every, "payload format: not what only says that it is text", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "\xFF", "content-type:text/plain\n"), "m= 30: 't' [ 03 'text/plain' ] ff"}},
    {every, "payload format: text of MQTT without a type is text/plain for STOMP", {subscribe("a", "/topic/t"), "m: 30: 't' [ 01 01 ] 78", message("a", "/topic/t", "x", "", "content-type:text/plain\n")}},
    {every, "payload format: beside a type it adds nothing", {subscribe("a", "/topic/t"), "m: 30: 't' [ 01 01 03 'a/b' ] 78", message("a", "/topic/t", "x", "", "content-type:a/b\n")}},
    {every, "correlation: text, both ways", {subscribe("a", "/topic/t"), mqtt5("m", "t"), granted5("m"), "n: 30: 't' [ 09 'c1' ] 78", message("a", "/topic/t", "x", "", "correlation-id:c1\n"), "m= 30: 't' [ 09 'c1' ] 78",
      send("b", "/topic/t", "y", "correlation-id:c2\n"), message("a", "/topic/t", "y", "", "correlation-id:c2\n"), "m= 30: 't' [ 09 'c2' ] 79"}},
    {every, "correlation: bytes are base64url for STOMP", {subscribe("a", "/topic/t"), "m: 30: 't' [ 09 0002 fbff ] 78", message("a", "/topic/t", "x", "", "correlation-id:-_8\nx-correlation-encoding:base64url\n")}},
    {every, "correlation: bytes come back as they were, when both headers are copied", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "x", "correlation-id:-_8\nx-correlation-encoding:base64url\n"), "m= 30: 't' [ 09 0002 fbff ] 78"}},
    {every, "correlation: NUL is no text either", {subscribe("a", "/topic/t"), "m: 30: 't' [ 09 0001 00 ] 78", message("a", "/topic/t", "x", "", "correlation-id:AA\nx-correlation-encoding:base64url\n")}},
    {every, "reply: MQTT asks, STOMP answers", {subscribe("a", "/topic/ask"), mqtt5("m", "re/m"), granted5("m"), "m: 30: 'ask' [ 08 're/m' 09 '7' ] 78", message("a", "/topic/ask", "x", "", "reply-to:/topic/re/m\ncorrelation-id:7\n"),
      send("a", "/topic/re/m", "y", "correlation-id:7\n"), "m= 30: 're/m' [ 09 '7' ] 79"}},
    {every, "reply: STOMP asks, MQTT answers", {mqtt5("m", "ask"), granted5("m"), subscribe("a", "/topic/re"), send("a", "/topic/ask", "x", "reply-to:/topic/re\n"), "m= 30: 'ask' [ 08 're' ] 78", "m: 30: 're' [] 79", message("a", "/topic/re", "y")}},
    {every, "reply: to a queue", {mqtt5("m", "ask"), granted5("m"), send("a", "/topic/ask", "x", "reply-to:/queue/re\n"), "m= 30: 'ask' [ 08 '$queue/re' ] 78", "m: 30: '$queue/re' [] 79", subscribe("a", "/queue/re"), message("a", "/queue/re", "y")}},
    {every, "free headers: user properties in order, duplicates too, STOMP to MQTT", {mqtt5("m", "t"), granted5("m"), send("a", "/topic/t", "x", "k:1\nz:2\nk:3\n"), "m= 30: 't' [ 26 'k' '1' 26 'z' '2' 26 'k' '3' ] 78"}},
    {every, "free headers: user properties in order, duplicates too, MQTT to STOMP", {subscribe("a", "/topic/t"), "m: 30: 't' [ 26 'k' '1' 26 'z' '2' 26 'k' '3' ] 78", message("a", "/topic/t", "x", "", "k:1\nz:2\nk:3\n")}},
    {v11_12, "free headers: what must be escaped", {subscribe("a", "/topic/t"), "m: 30: 't' [ 26 'a:b' 0003 780a79 ] 78", message("a", "/topic/t", "x", "", "a\\cb:x\\ny\n"), mqtt5("m", "u"), granted5("m"), send("a", "/topic/u", "x", "a\\cb:x\\ny\n"), "m= 30: 'u' [ 26 'a:b' 0003 780a79 ] 78"}},
    {v10, "free headers: what 1.0 cannot say is replaced in values, left out in names", {subscribe("a", "/topic/t"), "m: 30: 't' [ 26 'a:b' 'v' 26 'k' 0003 780a79 ] 78", message("a", "/topic/t", "x", "", "k:x y\n")}},
    {every, "free headers: none can pretend to be the frame's own", {subscribe("a", "/topic/t"), "m: 30: 't' [ 26 'content-length' '1' 26 'ack' 'f' 26 'subscription' 'f' 26 'last' 'l' ] \"four\"", message("a", "/topic/t", "four", "", "last:l\n")}},
    {every, "free headers: MQTT 3.1.1 has none", {mqtt3("q", "t"), granted3("q"), send("a", "/topic/t", "x", "k:1\ncontent-type:text/plain\n"), "q= 30: 't' 78"}},
    {every, "binary and text: any body in both directions", {subscribe("a", "/topic/t"), mqtt5("m", "t"), granted5("m"), "n: 30: 't' [] ff00fe", "a> MESSAGE\n*content-length:3\n\n\xFF" + string(1, '\0') + "\xFE", "m= 30: 't' [] ff00fe",
      send("b", "/topic/t", "\xFF@\xFE", "content-length:3\n"), "a> MESSAGE\n*content-length:3\n\n\xFF" + string(1, '\0') + "\xFE", "m= 30: 't' [] ff00fe"}},
    {every, "retain: STOMP to MQTT", {send("a", "/topic/t", "x", "retain:true\n"), mqtt5("m", "t"), granted5("m"), "m= 31: 't' [] 78"}},
    {every, "retain: MQTT to STOMP, and gone with an empty one", {"m: 31: 't' [] 78", subscribe("a", "/topic/t"), message("a", "/topic/t", "x", "retain:true\n"), "m: 31: 't' []", message("a", "/topic/t", ""), subscribe("b", "/topic/t"), "b."}},
    {every, "will: of MQTT", {subscribe("a", "/topic/w"), "m: 10: 'MQTT' 05 06 0000 [] 'm' [ 03 'text/plain' ] 'w' \"\" 0004 \"gone\"", "m> 20 *", "m/", message("a", "/topic/w", "gone", "", "content-type:text/plain\n")}},
    {every, "will: of STOMP", {mqtt5("m", "w"), granted5("m"), "a: CONNECT\naccept-version:{v}\nhost:h\nwill-destination:/topic/w\nwill-body:gone\nwill-content-type:text/plain\n\n", "a> CONNECTED\n*\n\n", "a/", "m= 30: 'w' [ 03 'text/plain' ] \"gone\""}},
};

const std::vector<exchange> temporary{
    {every, "temporary queue: the answer needs no SUBSCRIBE", {subscribe("b", "/topic/ask"), send("a", "/topic/ask", "x", "reply-to:/temp-queue/r\n"), "b> MESSAGE\n*reply-to:/temp-queue/*/r\ncontent-length:1\n\nx",
      "b: SEND\ndestination:{reply 1}\n\ny", "a> MESSAGE\nsubscription:/temp-queue/r\nmessage-id:*\ndestination:/temp-queue/*/r\ncontent-length:1\n\ny"}},
    {every, "temporary queue: the same name is the same queue", {subscribe("b", "/topic/ask"), send("a", "/topic/ask", "1", "reply-to:/temp-queue/r\n"), send("a", "/topic/ask", "2", "reply-to:/temp-queue/r\n"), "b> MESSAGE\n*", "b> MESSAGE\n*",
      "b: SEND\ndestination:{reply 1}\n\none", "b: SEND\ndestination:{reply 2}\n\ntwo", "a> MESSAGE\n*\n\none", "a> MESSAGE\n*\n\ntwo"}},
    {every, "temporary queue: it may be subscribed to, with an id and ack mode of its own", {"a: SUBSCRIBE\nid:mine\ndestination:/temp-queue/r\nack:client\nreceipt:s\n\n", "a> RECEIPT\n*", subscribe("b", "/topic/ask"), send("a", "/topic/ask", "x", "reply-to:/temp-queue/r\n"), "b> MESSAGE\n*",
      "b: SEND\ndestination:{reply 1}\n\ny", "a> MESSAGE\nsubscription:mine\nmessage-id:*\n{ack}destination:/temp-queue/*/r\ncontent-length:1\n\ny", "a: {ACK 1}receipt:r\n\n", "a> RECEIPT\n*"}},
    {every, "temporary queue: subscribed to behind its first use", {subscribe("b", "/topic/ask"), send("a", "/topic/ask", "x", "reply-to:/temp-queue/r\n"), "b> MESSAGE\n*", "a: SUBSCRIBE\nid:mine\ndestination:/temp-queue/r\n\n", "b: SEND\ndestination:{reply 1}\n\ny", "a> MESSAGE\nsubscription:mine\n*\n\ny"}},
    {every, "temporary queue: subscribed to twice", {"a: SUBSCRIBE\nid:1\ndestination:/temp-queue/r\n\n", "a: SUBSCRIBE\nid:2\ndestination:/temp-queue/r\n\n", "a! protocol_error"}},
    {every, "temporary queue: an owner may send to its own", {send("a", "/temp-queue/r", "x"), "a> MESSAGE\nsubscription:/temp-queue/r\n*\n\nx"}},
    {every, "temporary queue: each connection has its own of a name", {send("a", "/temp-queue/r", "x"), send("b", "/temp-queue/r", "y"), "a> MESSAGE\n*\n\nx", "b> MESSAGE\n*\n\ny"}},
    {every, "temporary queue: gone with its connection", {subscribe("b", "/topic/ask"), send("a", "/topic/ask", "x", "reply-to:/temp-queue/r\n"), "b> MESSAGE\n*", "a/", "b: SEND\ndestination:{reply 1}\nreceipt:r\n\ny", "b> RECEIPT\n*", send("a", "/temp-queue/r", "new"), "a> MESSAGE\n*\n\nnew", "a."}},
    {every, "temporary queue: gone with UNSUBSCRIBE", {send("a", "/temp-queue/r", "x"), "a> MESSAGE\n*", "a: UNSUBSCRIBE\nid:/temp-queue/r\n\n", send("a", "/temp-queue/r", "y"), "a> MESSAGE\n*message-id:2-*\n\ny"}},
    {every, "temporary queue: nobody else receives from it", {send("a", "/temp-queue/r", "x"), "a> MESSAGE\n*destination:/temp-queue/*\n\nx", "b: SUBSCRIBE\nid:1\ndestination:/temp-queue/1/r\n\n", "b! protocol_error"}},
    {every, "temporary queue: a name is one word", {"a: SEND\ndestination:/temp-queue/\n\nx", "a! protocol_error"}},
    {every, "temporary queue: a wildcard is no name", {"a: SEND\ndestination:/topic/t\nreply-to:/temp-queue/+\n\nx", "a! protocol_error"}},
    {every, "temporary queue: bounded with the subscriptions", {send("a", "/temp-queue/1", "x"), "a> MESSAGE\n*", send("a", "/temp-queue/2", "x"), "a! protocol_error"}, [](limits& l) { l.max_subscriptions_per_client = 1; }},
    {every, "temporary queue: an MQTT service answers", {mqtt5("m", "ask"), granted5("m"), send("a", "/topic/ask", "x", "reply-to:/temp-queue/r\n"), "m> 30 .. 00 03 61 73 6b .. 08 00 .. 24 74 65 6d 70 2f *"}},
};

} // namespace

TEST_CASE("mapping: names, wildcards, queues and groups") { run(names); }
TEST_CASE("mapping: levels, transactions, redelivery, durable subscriptions") { run(levels); }
TEST_CASE("mapping: properties and headers, retained messages and wills") { run(properties); }
TEST_CASE("mapping: temporary queues, requests and replies") { run(temporary); }
