// Every decoder on arbitrary bytes, at each protocol level. What decodes keeps the rules the engine relies on.
#include "core/assert.hpp"
#include "core/utf8.hpp"
#include "protocols/mqtt/decode.hpp"

using namespace broker;
using namespace broker::mqtt;

namespace {

void decode_one(const fixed_header& head, byte_view body, protocol_level level) {
    switch (head.type) {
    case packet_type::connect: (void)decode_connect(byte_reader{body}); return;
    case packet_type::publish:
        if (const auto p = decode_publish(byte_reader{body}, head.flags, level)) {
            BROKER_ASSERT(is_utf8(p->topic));
            BROKER_ASSERT((p->level == qos::at_most_once) == (p->id == packet_id{}));
            BROKER_ASSERT(p->payload.size() + p->topic.size() <= body.size());
        }
        return;
    case packet_type::puback:
    case packet_type::pubrec:
    case packet_type::pubrel:
    case packet_type::pubcomp:
        if (const auto a = decode_ack(byte_reader{body}, head.type, level)) BROKER_ASSERT(a->id != packet_id{});
        return;
    case packet_type::subscribe:
        if (const auto s = decode_subscribe(byte_reader{body}, level)) {
            BROKER_ASSERT(s->id != packet_id{} && !s->items.empty());
            for (const auto& item : s->items) BROKER_ASSERT(is_utf8(item.filter));
        }
        return;
    case packet_type::unsubscribe:
        if (const auto u = decode_unsubscribe(byte_reader{body}, level)) {
            BROKER_ASSERT(u->id != packet_id{} && !u->filters.empty());
        }
        return;
    case packet_type::disconnect: (void)decode_disconnect(byte_reader{body}, level); return;
    case packet_type::connack:
    case packet_type::suback:
    case packet_type::unsuback:
    case packet_type::pingreq:
    case packet_type::pingresp:
    case packet_type::auth: return;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto level = static_cast<protocol_level>(3 + data[0] % 3);
    for (byte_view rest{data + 1, size - 1}; !rest.empty();) {
        const auto head = decode_fixed_header(rest, protocol_level::v3_1_1);
        if (!head || !*head) return 0;
        BROKER_ASSERT((*head)->header_size >= 2 && (*head)->header_size <= 5);
        if ((*head)->packet_size() > rest.size()) return 0;
        decode_one(**head, rest.subspan((*head)->header_size, (*head)->remaining), level);
        rest = rest.subspan((*head)->packet_size());
    }
    return 0;
}
