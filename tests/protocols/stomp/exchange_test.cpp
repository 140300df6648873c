// What the three specifications say of well-formed frames, as conversations.
#include "protocols/stomp/exchange.hpp"

#include <doctest/doctest.h>

using namespace broker;
using namespace broker::test;

namespace {

using std::string;

string subscribe(const string& who, const string& to, const string& more = "") {
    return who + ": SUBSCRIBE\nid:1\ndestination:" + to + "\n" + more + "\n";
}
string send(const string& who, const string& to, const string& body, const string& more = "") {
    return who + ": SEND\ndestination:" + to + "\n" + more + "\n" + body;
}
// MESSAGE of subscription 1: `own` before the destination, `more` behind it.
string message(const string& who, const string& from, const string& body, const string& own = "", const string& more = "") {
    return who + "> MESSAGE\nsubscription:1\nmessage-id:*\n" + own + "destination:" + from + "\n" + more +
           "content-length:" + std::to_string(body.size()) + "\n\n" + body;
}
string receipt(const string& who, const string& id) { return who + "> RECEIPT\nreceipt-id:" + id + "\n\n"; }

void run_all(const std::vector<exchange>& table) {
    for (const auto& e : table) (void)run(e);
}

const std::vector<exchange> deliveries{
    {every, "[STOMP12-MESSAGE-1] [STOMP12-MESSAGE-3] [STOMP12-MESSAGE-4] a subscriber gets what is sent",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x"), message("a", "/topic/t", "x"), "b."}},
    {every, "[STOMP12-MESSAGE-6] content-length and the sender's content-type come along",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "{}", "content-type:application/json\n"),
      message("a", "/topic/t", "{}", "", "content-type:application/json\n")}},
    {every, "[STOMP12-SEND-2] [STOMP12-MESSAGE-7] free headers are passed on, in order",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "z:1\na:2\nm:3\n"), message("a", "/topic/t", "x", "", "z:1\na:2\nm:3\n")}},
    {every, "[STOMP12-REPEAT-1] repeated headers keep their order: the first stays the first",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k:1\nk:2\nother:o\nk:3\n"),
      message("a", "/topic/t", "x", "", "k:1\nk:2\nother:o\nk:3\n")}},
    {v11_12, "[STOMP12-ENC-1] [STOMP12-ENC-3] what is escaped comes in plain and goes out escaped",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k\\c1:a\\nb\\cc\\\\d\n"),
      message("a", "/topic/t", "x", "", "k\\c1:a\\nb\\cc\\\\d\n")}},
    {v12, "[STOMP12-ENC-1] carriage returns too in 1.2",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k:a\\rb\n"), message("a", "/topic/t", "x", "", "k:a\\rb\n")}},
    {v10, "1.0 takes backslashes for what they are", {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k:a\\nb\\q\n"), message("a", "/topic/t", "x", "", "k:a\\nb\\q\n")}},
    {v10, "escapes: a 1.2 sender cannot put a header into a 1.0 receiver's frame",
     {subscribe("a", "/topic/t"), "b: CONNECT\naccept-version:1.2\nhost:h\n\n", "b> CONNECTED\n*\n\n",
      send("b", "/topic/t", "x", "k:v\\nack\\c1\n"), message("a", "/topic/t", "x", "", "k:v ack:1\n")}},
    {v10, "escapes: nor by a name that holds a colon or a line end",
     {subscribe("a", "/topic/t"), "b: CONNECT\naccept-version:1.2\nhost:h\n\n", "b> CONNECTED\n*\n\n",
      send("b", "/topic/t", "four", "content-length\\c1:x\nk\\nack:2\nlast:l\n"), message("a", "/topic/t", "four", "", "last:l\n")}},
    {v11, "escapes: a carriage return of a 1.2 sender is a space for a 1.1 receiver",
     {subscribe("a", "/topic/t"), "b: CONNECT\naccept-version:1.2\nhost:h\n\n", "b> CONNECTED\n*\n\n",
      send("b", "/topic/t", "x", "k:a\\rb\nn\\rm:1\n"), message("a", "/topic/t", "x", "", "k:a b\n")}},
    {v12, "escapes: a 1.0 sender's colon is escaped for a 1.2 receiver",
     {subscribe("a", "/topic/t"), "b: CONNECT\n\n", "b> CONNECTED\n*\n\n", send("b", "/topic/t", "x", "k: a:b\n"),
      message("a", "/topic/t", "x", "", "k:a\\cb\n")}},
    {v11_12, "[STOMP12-ENC-6] spaces are kept, around names and values",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k : v \n"), message("a", "/topic/t", "x", "", "k : v \n")}},
    {v10, "1.0 trims the padding of its examples",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "k:   v\n"), message("a", "/topic/t", "x", "", "k:v\n")}},
    {every, "[STOMP12-LENGTH-1] [STOMP12-LENGTH-4] a body with NULs arrives whole",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "a@b@", "content-length:4\n"),
      "a> MESSAGE\nsubscription:1\nmessage-id:*\ndestination:/topic/t\ncontent-length:4\n\n" + string("a\0b\0", 4)}},
    {every, "[STOMP12-LENGTH-1] without content-length the body ends at the first NUL",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "before@\nBEGIN\ntransaction:t\nreceipt:r\n\n"),
      message("a", "/topic/t", "before"), receipt("b", "r")}},
    {every, "an empty body", {subscribe("a", "/topic/t"), send("b", "/topic/t", ""), message("a", "/topic/t", "")}},
    {every, "a body of line ends", {subscribe("a", "/topic/t"), send("b", "/topic/t", "\n\r\n\n"), message("a", "/topic/t", "\n\r\n\n")}},
    {every, "[STOMP12-TYPE-4] UTF-8 in headers, body and destination",
     {subscribe("a", "/topic/\xC3\xA4"), send("b", "/topic/\xC3\xA4", "\xE2\x82\xAC", "k\xC3\xB6:\xF0\x9F\x98\x80\n"),
      message("a", "/topic/\xC3\xA4", "\xE2\x82\xAC", "", "k\xC3\xB6:\xF0\x9F\x98\x80\n")}},
    {every, "headers of the frame stay with the frame",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "receipt:r\ncontent-length:1\n"), receipt("b", "r"),
      message("a", "/topic/t", "x")}},
    {every, "forged headers of ours are replaced or left out",
     {subscribe("a", "/topic/t"),
      send("b", "/topic/t", "x", "message-id:f\nsubscription:f\nack:f\nredelivered:true\nredelivery-count:7\n"),
      message("a", "/topic/t", "x")}},
    {v11_12, "the subscription's id is escaped like any value",
     {"a: SUBSCRIBE\nid:s\\c1\\n\ndestination:/topic/t\n\n", send("b", "/topic/t", "x"),
      "a> MESSAGE\nsubscription:s\\c1\\n\nmessage-id:*\ndestination:/topic/t\ncontent-length:1\n\nx"}},
    {every, "a sender that subscribes gets its own message", {subscribe("a", "/topic/t"), send("a", "/topic/t", "x"), message("a", "/topic/t", "x")}},
    {every, "nobody is subscribed: the message is gone, the receipt comes",
     {send("b", "/topic/t", "x", "receipt:r\n"), receipt("b", "r"), subscribe("a", "/topic/t"), "a."}},
    {every, "two subscriptions of one connection get a copy each, told apart",
     {subscribe("a", "/topic/t"), "a: SUBSCRIBE\nid:2\ndestination:/topic/*\n\n", send("b", "/topic/t", "x"),
      "a> MESSAGE\nsubscription:*\nmessage-id:*\ndestination:/topic/t\ncontent-length:1\n\nx",
      "a> MESSAGE\nsubscription:*\nmessage-id:*\ndestination:/topic/t\ncontent-length:1\n\nx"}},
    {every, "order: what one sender sends arrives in its order",
     {subscribe("a", "/topic/t"), send("b", "/topic/t", "1"), send("b", "/topic/t", "2"), send("b", "/topic/t", "3"),
      message("a", "/topic/t", "1"), message("a", "/topic/t", "2"), message("a", "/topic/t", "3")}},
};

const std::vector<exchange> destinations{
    {every, "a level is a wildcard's: *", {subscribe("a", "/topic/x/*/z"), send("b", "/topic/x/y/z", "1"), send("b", "/topic/x/y", "2"), message("a", "/topic/x/y/z", "1"), "a."}},
    {every, "a level is a wildcard's: +", {subscribe("a", "/topic/x/+"), send("b", "/topic/x/y", "1"), send("b", "/topic/x/y/z", "2"), message("a", "/topic/x/y", "1"), "a."}},
    {every, "the rest is a wildcard's: >", {subscribe("a", "/topic/x/>"), send("b", "/topic/x/y/z", "1"), message("a", "/topic/x/y/z", "1")}},
    {every, "the rest is a wildcard's: **", {subscribe("a", "/topic/**"), send("b", "/topic/x/y", "1"), message("a", "/topic/x/y", "1")}},
    {every, "the rest is a wildcard's: #", {subscribe("a", "/topic/#"), send("b", "/topic/x", "1"), message("a", "/topic/x", "1")}},
    {every, "a dot separates nothing", {subscribe("a", "/topic/x.*"), send("b", "/topic/x.y", "1"), "a."}},
    {every, "separator dot: dots are levels, in both directions",
     {subscribe("a", "/topic/x.*.>"), send("b", "/topic/x.y.z", "1"), message("a", "/topic/x.y.z", "1")}, nullptr, true},
    {every, "separator dot: reply-to too", {subscribe("a", "/topic/t"), send("b", "/topic/t", "1", "reply-to:/topic/re.ply\n"),
      message("a", "/topic/t", "1", "", "reply-to:/topic/re.ply\n")}, nullptr, true},
    {every, "separator dot: a queue's name is one word", {subscribe("a", "/queue/q.1"), send("b", "/queue/q.1", "1"), message("a", "/queue/q.1", "1")}, nullptr, true},
    {every, "a name without a leading slash is an MQTT name", {subscribe("a", "x/y"), send("b", "/topic/x/y", "1"), message("a", "/topic/x/y", "1")}},
    {every, "a topic and a queue of one name are two things", {subscribe("a", "/topic/n"), send("b", "/queue/n", "1"), "a."}},
    {every, "$SYS is read, and no wildcard finds it", {subscribe("a", "/topic/#"), "a: SUBSCRIBE\nid:2\ndestination:$SYS/#\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "retain:true is kept for who comes later, marked",
     {send("b", "/topic/t", "kept", "retain:true\n"), subscribe("a", "/topic/t"), message("a", "/topic/t", "kept", "retain:true\n")}},
    {every, "retain:set, as Apollo says it", {send("b", "/topic/t", "kept", "retain:set\n"), subscribe("a", "/topic/*"), message("a", "/topic/t", "kept", "retain:true\n")}},
    {every, "retain: who is there already gets it unmarked", {subscribe("a", "/topic/t"), send("b", "/topic/t", "x", "retain:true\n"), message("a", "/topic/t", "x")}},
    {every, "retain: an empty body removes it", {send("b", "/topic/t", "kept", "retain:true\n"), send("b", "/topic/t", "", "retain:true\n"), subscribe("a", "/topic/t"), "a."}},
    {every, "x-group: each message to one member", {subscribe("a", "/topic/t", "x-group:g\n"), subscribe("b", "/topic/t", "x-group:g\n"),
      send("c", "/topic/t", "1"), send("c", "/topic/t", "2"), message("a", "/topic/t", "*"), message("b", "/topic/t", "*"), "a.", "b."}},
    {every, "no-local: not what this connection sends", {subscribe("a", "/topic/t", "no-local:true\n"), send("a", "/topic/t", "mine"), send("b", "/topic/t", "theirs"), message("a", "/topic/t", "theirs"), "a."}},
    {every, "no-local: ActiveMQ's spelling, in a mode that acknowledges",
     {subscribe("a", "/topic/t", "activemq.noLocal:true\nack:client\n"), send("a", "/topic/t", "mine"), send("b", "/topic/t", "theirs"),
      message("a", "/topic/t", "theirs", "{ack}"), "a."}},
    {every, "no-local: two subscriptions of it on one connection",
     {subscribe("a", "/topic/t", "no-local:true\n"), "a: SUBSCRIBE\nid:2\ndestination:/topic/u\nno-local:true\nack:client\n\n", send("a", "/topic/t", "1"),
      send("a", "/topic/u", "2"), "a.", send("b", "/topic/u", "3"), "a> MESSAGE\nsubscription:2\nmessage-id:*\n{ack}destination:/topic/u\ncontent-length:1\n\n3"}},
    {every, "[STOMP12-UNSUBSCRIBE-1] nothing comes behind UNSUBSCRIBE",
     {subscribe("a", "/topic/t"), "a: UNSUBSCRIBE\nid:1\nreceipt:r\n\n", receipt("a", "r"), send("b", "/topic/t", "x"), "a."}},
    {every, "[STOMP12-SUBSCRIBE-3] an id is free again behind UNSUBSCRIBE",
     {subscribe("a", "/topic/t"), "a: UNSUBSCRIBE\nid:1\n\n", subscribe("a", "/topic/u"), send("b", "/topic/u", "x"), message("a", "/topic/u", "x")}},
    {v10, "[STOMP10-SUBSCRIBE-3] without an id there is no subscription header",
     {"a: SUBSCRIBE\ndestination:/topic/t\n\n", send("b", "/topic/t", "x"), "a> MESSAGE\nmessage-id:*\ndestination:/topic/t\ncontent-length:1\n\nx"}},
    {v10, "[STOMP10-UNSUBSCRIBE-1] by destination",
     {"a: SUBSCRIBE\ndestination:/topic/t\n\n", "a: UNSUBSCRIBE\ndestination:/topic/t\n\n", send("b", "/topic/t", "x"), "a."}},
    {every, "[STOMP12-SUBSCRIBE-3] the same id on another connection is another subscription",
     {subscribe("a", "/topic/t"), subscribe("b", "/topic/t"), send("c", "/topic/t", "x"), message("a", "/topic/t", "x"), message("b", "/topic/t", "x")}},
};

const std::vector<exchange> expiry{
    {every, "ttl: what has expired is not delivered", {send("b", "/queue/q", "x", "ttl:1000\n"), "+2s", subscribe("a", "/queue/q"), "a."}},
    {every, "expiration, as RabbitMQ says it", {send("b", "/queue/q", "x", "expiration:1000\n"), "+2s", subscribe("a", "/queue/q"), "a."}},
    {every, "expires: a point in time", {send("b", "/queue/q", "x", "expires:{now+1000}\n"), "+2s", subscribe("a", "/queue/q"), "a."}},
    {every, "expires is shown while it lives",
     {send("b", "/queue/q", "x", "ttl:5000\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "x", "", "expires:{now+5000}\n")}},
    {every, "0 is never", {send("b", "/queue/q", "x", "expires:0\n"), "+9s", subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "a ttl beyond time is never", {send("b", "/queue/q", "x", "ttl:9223372036854775807\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "a ttl beyond 64 bits is never", {send("b", "/queue/q", "x", "ttl:99999999999999999999\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "x")}},
    {every, "expires in the year 2100 is kept", {send("b", "/queue/q", "x", "expires:4102444800000\n"), subscribe("a", "/queue/q"), message("a", "/queue/q", "x", "", "expires:4102444800000\n")}},
    {every, "expired at once", {send("b", "/queue/q", "x", "expires:1\nreceipt:r\n"), receipt("b", "r"), subscribe("a", "/queue/q"), "a."}},
};

const std::vector<exchange> acknowledging{
    {every, "[STOMP12-SUBSCRIBE-4] auto is the default: sending it is enough",
     {subscribe("a", "/queue/q"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x"), "a/", subscribe("c", "/queue/q"), "c."}},
    {every, "[STOMP12-MESSAGE-5] client: an ack header in 1.2, none before",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}")}},
    {every, "[STOMP12-SUBSCRIBE-8] client: what was not acknowledged goes to another when the connection ends, marked",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "x"), message("a", "/queue/q", "x", "{ack}"), "a/",
      subscribe("c", "/queue/q", "ack:client\n"), message("c", "/queue/q", "x", "{ack}redelivered:true\nredelivery-count:1\n")}},
    {every, "redelivery keeps the order", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"),
      message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"), message("a", "/queue/q", "3", "{ack}"), "a/",
      send("b", "/queue/q", "4"), subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "redelivered:true\nredelivery-count:1\n"),
      message("c", "/queue/q", "2", "redelivered:true\nredelivery-count:1\n"), message("c", "/queue/q", "3", "redelivered:true\nredelivery-count:1\n"), message("c", "/queue/q", "4")}},
    {every, "[STOMP12-SUBSCRIBE-6] client: ACK is cumulative",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), send("b", "/queue/q", "3"),
      message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"), message("a", "/queue/q", "3", "{ack}"),
      "a: {ACK 2}receipt:r\n\n", receipt("a", "r"), "a/", subscribe("c", "/queue/q"), message("c", "/queue/q", "3", "redelivered:true\nredelivery-count:1\n")}},
    {every, "[STOMP12-SUBSCRIBE-6] cumulative within its subscription only",
     {subscribe("a", "/queue/q", "ack:client\n"), "a: SUBSCRIBE\nid:2\ndestination:/queue/p\nack:client\n\n", send("b", "/queue/q", "1"), send("b", "/queue/p", "2"),
      message("a", "/queue/q", "1", "{ack}"), "a> MESSAGE\nsubscription:2\nmessage-id:*\n{ack}destination:/queue/p\ncontent-length:1\n\n2",
      "a: {ACK 2}\n", "a/", subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "redelivered:true\nredelivery-count:1\n"), subscribe("d", "/queue/p"), "d."}},
    {v11_12, "[STOMP12-SUBSCRIBE-7] client-individual: ACK is not cumulative",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"),
      message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"), "a: {ACK 2}\n", "a/",
      subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "redelivered:true\nredelivery-count:1\n"), "c."}},
    {v11_12, "[STOMP12-ACK-1] acknowledged twice is an error", {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: {ACK 1}\n", "a: {ACK 1}\n", "a! protocol_error"}},
    {every, "[STOMP12-ACK-1] an auto subscription has nothing to acknowledge", {subscribe("a", "/topic/t"), send("b", "/topic/t", "1"), message("a", "/topic/t", "1"), "a: {ACK 1}\n", "a! protocol_error"}},
    {v11, "[STOMP11-ACK-2] the subscription must be the message's",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", ""), "a: ACK\nsubscription:2\nmessage-id:1-1-1\n\n", "a! protocol_error"}},
    {v11_12, "[STOMP12-NACK-1] NACK: the message comes again, marked and counted",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"),
      "a: {NACK 1}\n", message("a", "/queue/q", "1", "{ack}redelivered:true\nredelivery-count:1\n"), "a: {NACK 2}\n",
      message("a", "/queue/q", "1", "{ack}redelivered:true\nredelivery-count:2\n"), "a: {ACK 3}\n", "a/", subscribe("c", "/queue/q"), "c."}},
    {v11_12, "[STOMP12-NACK-2] client: NACK is cumulative, the order stays",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"),
      "a: {NACK 2}\n", message("a", "/queue/q", "1", "{ack}redelivered:true\nredelivery-count:1\n"), message("a", "/queue/q", "2", "{ack}redelivered:true\nredelivery-count:1\n")}},
    {v11_12, "[STOMP12-NACK-2] client-individual: NACK is its message's alone",
     {subscribe("a", "/queue/q", "ack:client-individual\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"),
      "a: {NACK 2}\n", message("a", "/queue/q", "2", "{ack}redelivered:true\nredelivery-count:1\n"), "a."}},
    {v11_12, "NACK on a topic: delivered again", {subscribe("a", "/topic/t", "ack:client\n"), send("b", "/topic/t", "1"), message("a", "/topic/t", "1", "{ack}"),
      "a: {NACK 1}\n", message("a", "/topic/t", "1", "{ack}redelivered:true\nredelivery-count:1\n")}},
    {v11_12, "NACK with requeue:false: nobody gets it again", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"),
      "a: {NACK 1}requeue:false\nreceipt:r\n\n", receipt("a", "r"), "a/", subscribe("c", "/queue/q"), "c."}},
    {every, "prefetch-count bounds what is not acknowledged", {subscribe("a", "/queue/q", "ack:client\nprefetch-count:1\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"),
      message("a", "/queue/q", "1", "{ack}"), "a.", "a: {ACK 1}\n", message("a", "/queue/q", "2", "{ack}")}},
    {every, "activemq.prefetchSize on a topic", {subscribe("a", "/topic/t", "ack:client\nactivemq.prefetchSize:1\n"), send("b", "/topic/t", "1"), send("b", "/topic/t", "2"),
      message("a", "/topic/t", "1", "{ack}"), "a.", "a: {ACK 1}\n", message("a", "/topic/t", "2", "{ack}")}},
    {every, "a queue keeps what nobody consumes", {send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), subscribe("a", "/queue/q"), message("a", "/queue/q", "1"), message("a", "/queue/q", "2")}},
    {every, "two consumers share a queue", {subscribe("a", "/queue/q"), subscribe("b", "/queue/q"), send("c", "/queue/q", "1"), send("c", "/queue/q", "2"),
      message("a", "/queue/q", "1"), message("b", "/queue/q", "2"), "a.", "b."}},
    {every, "UNSUBSCRIBE gives back what was not acknowledged; a late ACK is an error",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: UNSUBSCRIBE\nid:1\n\n",
      subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "redelivered:true\nredelivery-count:1\n"), "a: {ACK 1}\n", "a! protocol_error"}},
};

const std::vector<exchange> receipts{
    {every, "[STOMP12-RECEIPT-1] [STOMP12-RECEIPT-3] SEND", {send("a", "/topic/t", "x", "receipt:r\n"), receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-3] SUBSCRIBE", {subscribe("a", "/topic/t", "receipt:r\n"), receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-3] UNSUBSCRIBE", {subscribe("a", "/topic/t"), "a: UNSUBSCRIBE\nid:1\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-3] BEGIN, COMMIT, ABORT",
     {"a: BEGIN\ntransaction:t\nreceipt:1\n\n", receipt("a", "1"), "a: COMMIT\ntransaction:t\nreceipt:2\n\n", receipt("a", "2"),
      "a: BEGIN\ntransaction:t\nreceipt:3\n\n", receipt("a", "3"), "a: ABORT\ntransaction:t\nreceipt:4\n\n", receipt("a", "4")}},
    {every, "[STOMP12-RECEIPT-3] ACK", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: {ACK 1}receipt:r\n\n", receipt("a", "r")}},
    {v11_12, "[STOMP12-RECEIPT-3] NACK", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"),
      "a: UNSUBSCRIBE\nid:2\n\n", "a: {NACK 1}requeue:false\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-3] CONNECT has none", {"a: CONNECT\naccept-version:{v}\nhost:h\nreceipt:r\n\n", "a> CONNECTED\n*\n\n", "a."}},
    {every, "[STOMP12-RECEIPT-2] a SEND to a queue: when it is on disk", {"hold", send("a", "/queue/q", "x", "receipt:r\n"), "a.", "commit", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-2] receipts keep their order", {"hold", send("a", "/queue/q", "x", "receipt:1\n"), send("a", "/topic/t", "x", "receipt:2\n"), "a.", "commit", receipt("a", "1"), receipt("a", "2")}},
    {every, "[STOMP12-RECEIPT-2] an ACK: when it is on disk",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "hold", "a: {ACK 1}receipt:r\n\n", "a.", "commit", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-2] a retained message: when it is on disk", {"hold", send("a", "/topic/t", "x", "retain:true\nreceipt:r\n"), "a.", "commit", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-2] a durable SUBSCRIBE: when it is on disk", {"a: BEGIN\ntransaction:t\n\n", "hold", subscribe("a", "/topic/t", "durable:true\nreceipt:r\n"), "a.", "commit", receipt("a", "r")}},
    {every, "[STOMP12-RECEIPT-2] a transacted SEND's at once, the COMMIT's when all of it is on disk",
     {"hold", "a: BEGIN\ntransaction:t\n\n", send("a", "/queue/q", "x", "transaction:t\nreceipt:1\n"), receipt("a", "1"), "a: COMMIT\ntransaction:t\nreceipt:2\n\n", "a.", "commit", receipt("a", "2")}},
    {every, "[STOMP12-RECEIPT-2] what had a receipt is there after a crash", {send("a", "/queue/q", "x", "receipt:r\n"), receipt("a", "r"), "crash", subscribe("b", "/queue/q"), message("b", "/queue/q", "x")}},
    {every, "[STOMP12-DISCONNECT-2] DISCONNECT's waits for what was sent without one",
     {"hold", send("a", "/queue/q", "x"), "a: DISCONNECT\nreceipt:77\n\n", "a.", "commit", receipt("a", "77")}},
    {every, "persistent:false needs less than the disk, in memory it is the same", {send("a", "/queue/q", "x", "persistent:false\nreceipt:r\n"), receipt("a", "r"), subscribe("b", "/queue/q"), message("b", "/queue/q", "x")}},
    {every, "[STOMP12-RECEIPT-4] what was sent before the connection broke is processed", {send("a", "/queue/q", "x"), "a/", subscribe("b", "/queue/q"), message("b", "/queue/q", "x")}},
};

const std::vector<exchange> transactions{
    {every, "[STOMP12-BEGIN-1] nothing is seen before COMMIT, all of it in order after",
     {subscribe("w", "/topic/t"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "1", "transaction:t\n"), send("a", "/topic/t", "2", "transaction:t\n"), "w.",
      "a: COMMIT\ntransaction:t\n\n", message("w", "/topic/t", "1"), message("w", "/topic/t", "2")}},
    {every, "[STOMP12-ABORT-2] ABORT: it never was", {subscribe("w", "/topic/t"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "1", "transaction:t\n"), "a: ABORT\ntransaction:t\nreceipt:r\n\n", receipt("a", "r"), "w."}},
    {every, "[STOMP12-BEGIN-3] a lost connection aborts", {subscribe("w", "/topic/t"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "1", "transaction:t\n"), "a/", "w."}},
    {every, "[STOMP12-BEGIN-3] DISCONNECT aborts", {subscribe("w", "/topic/t"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "1", "transaction:t\n"), "a: DISCONNECT\n\n", "w."}},
    {every, "[STOMP12-BEGIN-4] several at once, each its own",
     {subscribe("w", "/topic/t"), "a: BEGIN\ntransaction:1\n\n", "a: BEGIN\ntransaction:2\n\n", send("a", "/topic/t", "one", "transaction:1\n"), send("a", "/topic/t", "two", "transaction:2\n"),
      "a: COMMIT\ntransaction:2\n\n", message("w", "/topic/t", "two"), "a: ABORT\ntransaction:1\n\n", "w."}},
    {every, "[STOMP12-BEGIN-4] names are the connection's own", {"a: BEGIN\ntransaction:t\n\n", "b: BEGIN\ntransaction:t\nreceipt:r\n\n", receipt("b", "r")}},
    {every, "[STOMP12-BEGIN-4] a name is free again", {"a: BEGIN\ntransaction:t\n\n", "a: COMMIT\ntransaction:t\n\n", "a: BEGIN\ntransaction:t\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "[STOMP12-ACK-2] an ACK counts with its COMMIT", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n",
      "a: {ACK 1}transaction:t\n\n", "a: COMMIT\ntransaction:t\nreceipt:r\n\n", receipt("a", "r"), "a/", subscribe("c", "/queue/q"), "c."}},
    {every, "[STOMP12-ACK-2] an aborted ACK: the message still waits for one",
     {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n", "a: {ACK 1}transaction:t\n\n",
      "a: ABORT\ntransaction:t\n\n", "a: {ACK 1}receipt:r\n\n", receipt("a", "r"), "a/", subscribe("c", "/queue/q"), "c."}},
    {every, "[STOMP12-ACK-2] an ACK whose connection breaks: redelivered", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n", "a: {ACK 1}transaction:t\n\n",
      "a/", subscribe("c", "/queue/q"), message("c", "/queue/q", "1", "redelivered:true\nredelivery-count:1\n")}},
    {v11_12, "[STOMP12-ACK-2] a NACK in a transaction", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n", "a: {NACK 1}transaction:t\n\n", "a.",
      "a: COMMIT\ntransaction:t\n\n", message("a", "/queue/q", "1", "{ack}redelivered:true\nredelivery-count:1\n")}},
    {every, "an ACK twice in one transaction: nothing of it happens", {subscribe("w", "/topic/t"), subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n",
      send("a", "/topic/t", "x", "transaction:t\n"), "a: {ACK 1}transaction:t\n\n", "a: {ACK 1}transaction:t\n\n", "a: COMMIT\ntransaction:t\n\n", "a! protocol_error", "w."}},
    {every, "[STOMP12-BEGIN-1] cumulative ACKs in any order", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), send("b", "/queue/q", "2"), message("a", "/queue/q", "1", "{ack}"), message("a", "/queue/q", "2", "{ack}"),
      "a: BEGIN\ntransaction:t\n\n", "a: {ACK 2}transaction:t\n\n", "a: {ACK 1}transaction:t\n\n", "a: COMMIT\ntransaction:t\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "[STOMP12-BEGIN-1] receive and pass on: both or neither, also in a crash",
     {send("b", "/queue/in", "1"), subscribe("a", "/queue/in", "ack:client\n"), message("a", "/queue/in", "1", "{ack}"), "hold", "a: BEGIN\ntransaction:t\n\n", send("a", "/queue/out", "2", "transaction:t\n"),
      "a: {ACK 1}transaction:t\n\n", "a: COMMIT\ntransaction:t\nreceipt:r\n\n", "a.", "crash", subscribe("c", "/queue/in"), message("c", "/queue/in", "1"), subscribe("d", "/queue/out"), "d."}},
    {every, "[STOMP12-BEGIN-1] receive and pass on: both, once there is a receipt",
     {send("b", "/queue/in", "1"), subscribe("a", "/queue/in", "ack:client\n"), message("a", "/queue/in", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n", send("a", "/queue/out", "2", "transaction:t\n"),
      "a: {ACK 1}transaction:t\n\n", "a: COMMIT\ntransaction:t\nreceipt:r\n\n", receipt("a", "r"), "crash", subscribe("c", "/queue/in"), "c.", subscribe("d", "/queue/out"), message("d", "/queue/out", "2")}},
    {every, "[STOMP12-BEGIN-1] refused in its middle, nothing of it happens",
     {subscribe("w", "/topic/t"), send("b", "/queue/full", "1"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "x", "transaction:t\n"), send("a", "/queue/other", "y", "transaction:t\n"),
      send("a", "/queue/full", "z", "transaction:t\n"), "a: COMMIT\ntransaction:t\nreceipt:r\n\n", "a! overload", "w.", subscribe("c", "/queue/other"), "c."},
     [](limits& l) { l.queue_messages_max = 1; }},
    {every, "bounded in bytes, all open ones together",
     {"a: BEGIN\ntransaction:1\n\n", "a: BEGIN\ntransaction:2\n\n", send("a", "/topic/t", string(3000, 'x'), "transaction:1\n"), "a.", send("a", "/topic/t", string(3000, 'x'), "transaction:2\n"), "a! too_big"},
     [](limits& l) { l.stomp_transaction_bytes_max = 5000; }},
    {every, "bounded in bytes: COMMIT and ABORT make room",
     {"a: BEGIN\ntransaction:1\n\n", send("a", "/topic/t", string(3000, 'x'), "transaction:1\n"), "a: COMMIT\ntransaction:1\n\n", "a: BEGIN\ntransaction:1\n\n", send("a", "/topic/t", string(3000, 'x'), "transaction:1\n"), "a: ABORT\ntransaction:1\n\n",
      "a: BEGIN\ntransaction:1\n\n", send("a", "/topic/t", string(3000, 'x'), "transaction:1\nreceipt:r\n"), receipt("a", "r")},
     [](limits& l) { l.stomp_transaction_bytes_max = 5000; }},
    {every, "bounded in frames, ACKs included", {subscribe("a", "/queue/q", "ack:client\n"), send("b", "/queue/q", "1"), message("a", "/queue/q", "1", "{ack}"), "a: BEGIN\ntransaction:t\n\n", send("a", "/topic/t", "x", "transaction:t\n"), "a: {ACK 1}transaction:t\n\n", "a! too_big"},
     [](limits& l) { l.stomp_transaction_frames_max = 1; }},
    {every, "bounded in age", {"a: BEGIN\ntransaction:t\n\n", "+59s", "a.", "+2s", "a! too_big"}, [](limits& l) { l.stomp_transaction_age_max = seconds{60}; }},
    {every, "bounded in age: a committed one has none", {"a: BEGIN\ntransaction:t\n\n", "a: COMMIT\ntransaction:t\n\n", "+120s", "a: BEGIN\ntransaction:t\nreceipt:r\n\n", receipt("a", "r")}, [](limits& l) { l.stomp_transaction_age_max = seconds{60}; }},
};

const string durable = "ack:client\ndurable-subscription-name:n\n";

const std::vector<exchange> durables{
    {every, "durable-subscription-name: what was sent meanwhile waits", {subscribe("a", "/topic/t", durable), "a/", send("b", "/topic/t", "x"), subscribe("a", "/topic/t", durable), message("a", "/topic/t", "x", "{ack}")}},
    {every, "activemq.subscriptionName names the same one", {subscribe("a", "/topic/t", durable), "a/", send("b", "/topic/t", "x"), subscribe("a", "/topic/t", "ack:client\nactivemq.subscriptionName:n\n"), message("a", "/topic/t", "x", "{ack}")}},
    {every, "durable:true is named by its id", {subscribe("a", "/topic/t", "durable:true\nack:client\n"), "a/", send("b", "/topic/t", "x"), subscribe("a", "/topic/t", "ack:client\ndurable-subscription-name:1\n"), message("a", "/topic/t", "x", "{ack}")}},
    {every, "another client-id has another one of that name", {subscribe("a", "/topic/t", durable), "a/", send("b", "/topic/t", "x"), subscribe("c", "/topic/t", durable), "c."}},
    {every, "it survives a crash, and what it is owed", {subscribe("a", "/topic/t", durable + "receipt:r\n"), receipt("a", "r"), "a/", send("b", "/topic/t", "x", "receipt:r\n"), receipt("b", "r"), "crash", subscribe("a", "/topic/t", durable), message("a", "/topic/t", "x", "{ack}")}},
    {every, "what was delivered and not acknowledged comes again, marked", {subscribe("a", "/topic/t", durable), send("b", "/topic/t", "x"), message("a", "/topic/t", "x", "{ack}"), "a/", subscribe("a", "/topic/t", durable), message("a", "/topic/t", "x", "{ack}redelivered:true\n")}},
    {every, "what was acknowledged does not", {subscribe("a", "/topic/t", durable), send("b", "/topic/t", "x"), message("a", "/topic/t", "x", "{ack}"), "a: {ACK 1}receipt:r\n\n", receipt("a", "r"), "a/", subscribe("a", "/topic/t", durable), "a."}},
    {every, "UNSUBSCRIBE without the header only leaves it", {subscribe("a", "/topic/t", durable), "a: UNSUBSCRIBE\nid:1\n\n", send("b", "/topic/t", "x"), subscribe("a", "/topic/t", durable), message("a", "/topic/t", "x", "{ack}")}},
    {every, "UNSUBSCRIBE with it removes it", {subscribe("a", "/topic/t", durable), "a: UNSUBSCRIBE\nid:1\ndurable-subscription-name:n\nreceipt:r\n\n", receipt("a", "r"), send("b", "/topic/t", "x"), subscribe("a", "/topic/t", durable), "a."}},
    {every, "UNSUBSCRIBE removes one that is not subscribed on this connection", {subscribe("a", "/topic/t", durable), "a/", send("b", "/topic/t", "x"), "a: UNSUBSCRIBE\nid:1\ndurable-subscription-name:n\nreceipt:r\n\n", receipt("a", "r"), subscribe("a", "/topic/t", durable), "a."}},
    {every, "UNSUBSCRIBE removes it when it is on disk", {subscribe("a", "/topic/t", durable), "a/", send("a", "/topic/u", "x"), "hold", "a: UNSUBSCRIBE\nid:9\ndurable-subscription-name:n\nreceipt:r\n\n", "a.", "commit", receipt("a", "r")}},
    {every, "UNSUBSCRIBE by the name of another one here", {subscribe("a", "/topic/t", durable), "a: UNSUBSCRIBE\nid:other\ndurable-subscription-name:n\nreceipt:r\n\n", receipt("a", "r"), send("b", "/topic/t", "x"), "a."}},
    {every, "UNSUBSCRIBE of one that never was", {"a: UNSUBSCRIBE\nid:1\ndurable-subscription-name:none\nreceipt:r\n\n", receipt("a", "r")}},
    {every, "the same one twice on a connection is refused", {subscribe("a", "/topic/t", durable), "a: SUBSCRIBE\nid:2\ndestination:/topic/t\n" + durable + "\n", "a! protocol_error"}},
    {every, "taken over from elsewhere: the first is told and closed", {subscribe("a", "/topic/t", durable), "b: CONNECT\naccept-version:{v}\nhost:h\nclient-id:a\n\n", "b> CONNECTED\n*\n\n", subscribe("b", "/topic/t", durable), "a! taken_over", send("c", "/topic/t", "x"), message("b", "/topic/t", "x", "{ack}")}},
    {every, "another destination replaces the first", {subscribe("a", "/topic/t", durable), "a/", subscribe("a", "/topic/u", durable), send("b", "/topic/t", "old"), send("b", "/topic/u", "new"), message("a", "/topic/u", "new", "{ack}"), "a."}},
    {every, "a name over the limit is refused", {subscribe("a", "/topic/t", "durable-subscription-name:" + string(2000, 'n') + "\n"), "a! too_big"}},
    {every, "auto and durable: kept while away, settled when sent", {subscribe("a", "/topic/t", "durable:true\n"), "a/", send("b", "/topic/t", "x"), subscribe("a", "/topic/t", "durable:true\n"), message("a", "/topic/t", "x"), "a/", subscribe("a", "/topic/t", "durable:true\n"), "a."}},
    {every, "on a queue it says nothing new", {subscribe("a", "/queue/q", durable), "a/", send("b", "/queue/q", "x"), subscribe("c", "/queue/q"), message("c", "/queue/q", "x")}},
};

const string with_will = "a: CONNECT\naccept-version:{v}\nhost:h\nwill-destination:/topic/w\nwill-body:gone\n";

const std::vector<exchange> wills{
    {every, "a lost connection publishes it", {subscribe("w", "/topic/w"), with_will + "\n", "a> CONNECTED\n*\n\n", "w.", "a/", message("w", "/topic/w", "gone")}},
    {every, "DISCONNECT does not", {subscribe("w", "/topic/w"), with_will + "\n", "a> CONNECTED\n*\n\n", "a: DISCONNECT\n\n", "a/", "w."}},
    {every, "an ERROR does", {subscribe("w", "/topic/w"), with_will + "\n", "a> CONNECTED\n*\n\n", "a: NONSENSE\n\n", "a! protocol_error", "a/", message("w", "/topic/w", "gone")}},
    {every, "with its content type", {subscribe("w", "/topic/w"), with_will + "will-content-type:text/plain\n\n", "a> CONNECTED\n*\n\n", "a/", message("w", "/topic/w", "gone", "", "content-type:text/plain\n")}},
    {every, "retained", {with_will + "will-retain:true\n\n", "a> CONNECTED\n*\n\n", "a/", subscribe("w", "/topic/w"), message("w", "/topic/w", "gone", "retain:true\n")}},
    {every, "into a queue", {"a: CONNECT\naccept-version:{v}\nhost:h\nwill-destination:/queue/w\nwill-body:gone\n\n", "a> CONNECTED\n*\n\n", "a/", subscribe("w", "/queue/w"), message("w", "/queue/w", "gone")}},
    {every, "without a body", {subscribe("w", "/topic/w"), "a: CONNECT\naccept-version:{v}\nhost:h\nwill-destination:/topic/w\n\n", "a> CONNECTED\n*\n\n", "a/", message("w", "/topic/w", "")}},
};

} // namespace

TEST_CASE("exchanges: frames are delivered as they were sent, to each receiver in its version") { run_all(deliveries); }
TEST_CASE("exchanges: destinations, retained messages, groups, no-local") { run_all(destinations); }
TEST_CASE("exchanges: expiry") { run_all(expiry); }
TEST_CASE("exchanges: ack modes, ACK and NACK") { run_all(acknowledging); }
TEST_CASE("exchanges: receipts") { run_all(receipts); }
TEST_CASE("exchanges: transactions") { run_all(transactions); }
TEST_CASE("exchanges: durable subscriptions") { run_all(durables); }
TEST_CASE("exchanges: wills") { run_all(wills); }
