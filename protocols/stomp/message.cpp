// MESSAGE. A frame is
//
//   head of the subscription   MESSAGE, subscription, and message-id up to the subscription's number
//   head of the delivery       rest of message-id, ack, redelivered, redelivery-count, retain
//   what all receivers share   the message's headers, content-length, the body when small, NUL
//
// The last part is encoded once per message, version and separator (wire_cache), the first once per subscription.
#include "protocols/stomp/engine.hpp"

#include "core/base64url.hpp"
#include "core/properties.hpp"
#include "core/utf8.hpp"
#include "protocols/stomp/header_escape.hpp"
#include "protocols/stomp/reserved.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

namespace broker::stomp {

namespace {

constexpr std::string_view nul{"\0", 1};
constexpr std::size_t copied_below = 4096; // outbox: larger payloads are referenced

// The second part, without allocating. The largest: two ids of 33 characters and four short headers.
class delivery_head {
public:
    delivery_head& operator<<(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return *this;
    }
    delivery_head& operator<<(std::uint64_t number) {
        at_ = std::to_chars(at_, at_ + 20, number).ptr;
        return *this;
    }
    [[nodiscard]] std::string_view text() const {
        return {bytes_.data(), static_cast<std::size_t>(at_ - bytes_.data())};
    }

private:
    std::array<char, 224> bytes_;
    char* at_ = bytes_.data();
};

class common_headers {
public:
    common_headers(wire_cache::entry& to, version v) : to_{to}, version_{v} {}
    void operator()(std::string_view name, std::string_view value) {
        if (append_header(to_.bytes, name, value, version_) != written::exact) ++to_.altered;
    }

private:
    wire_cache::entry& to_;
    version version_;
};

} // namespace

const wire_cache::entry& engine::encoded(const message_ptr& message) {
    auto& known = with_.wire.at(static_cast<std::size_t>(version_) + (names_.dotted() ? versions : 0));
    if (known.of == message) return known;
    const auto& m = *message;
    known.of = message;
    known.altered = 0;
    known.bytes.clear();
    known.is_text = is_utf8(as_text(m.payload()));
    common_headers put{known, version_};
    put("destination", names_.destination_of(m.topic())); // [STOMP12-MESSAGE-1] [STOMP12-MESSAGE-2]
    if (m.expires_at() != never) put("expires", fmt::to_string(epoch_ms(m.expires_at())));
    bool typed = false;
    bool text = false;
    property_reader properties{m.properties()};
    while (const auto p = properties.next()) {
        switch (p->kind) {
        case property_kind::payload_format: text = p->byte == 1; break;
        case property_kind::content_type:
            put("content-type", p->value); // [STOMP12-MESSAGE-6] [STOMP12-TYPE-1]
            typed = true;
            break;
        case property_kind::response_topic: put("reply-to", names_.destination_of(p->value)); break;
        case property_kind::correlation_data:
            if (is_utf8(p->value) && p->value.find('\0') == std::string_view::npos) {
                put("correlation-id", p->value);
            } else {
                put("correlation-id", base64url(p->value));
                put(correlation_encoding, "base64url");
            }
            break;
        case property_kind::user_property:
            // Any publisher's choice, so never a header that frames the body or means something to the client's library.
            if (is_reserved(p->name)) {
                ++known.altered;
            } else {
                put(p->name, p->value); // [STOMP12-MESSAGE-7]
            }
            break;
        }
    }
    if (text && !typed) put("content-type", "text/plain"); // whose implied encoding is UTF-8 [STOMP12-TYPE-2]
    // [STOMP12-LENGTH-3] [STOMP12-LENGTH-4]: always, since a body may hold NULs
    put("content-length", fmt::to_string(m.payload().size()));
    known.bytes += '\n';
    if (m.payload().size() < copied_below) {
        known.bytes += as_text(m.payload());
        known.bytes += nul;
    }
    return known;
}

void engine::append_message(std::string_view head, std::string_view own, const message_ptr& m, time_point now) {
    const auto& common = encoded(m);
    // A body may be any octets [STOMP12-BODY-2]; over WebSocket only UTF-8 fits a text message.
    const auto kind = common.is_text ? frame_kind::text : frame_kind::binary;
    const bool has_body = m->payload().size() < copied_below; // and the NUL
    const auto size = head.size() + own.size() + common.bytes.size();
    if (has_body && !with_.out.compresses(size)) {
        auto* at = with_.out.append(size, kind);
        for (const auto part : {head, own, std::string_view{common.bytes}}) {
            std::memcpy(at, part.data(), part.size());
            at += part.size();
        }
    } else {
        scratch_ = head;
        scratch_ += own;
        scratch_ += std::string_view{common.bytes}.substr(0, common.bytes.size() - (has_body ? m->payload().size() + nul.size() : 0));
        with_.out.append(as_bytes(scratch_), m, as_bytes(nul), kind);
    }
    last_out_ = now;
    with_.route.count().stomp_headers_altered += common.altered;
}

void engine::deliver(subscription& to, const delivery& d, time_point now) {
    auto& count = with_.route.count();
    if (closing_) return;
    if (filtered_ && to.temporary_.empty() && !queue_name(d.message->topic()) && !may_.receive(d.message->topic())) {
        count.drop(drop_reason::acl);
        if (d.handle != 0) { // settled as if it had been delivered
            sent_automatically_.emplace_back(&to, d.handle);
            with_.out.touch();
        }
        return;
    }
    if (d.level == qos::at_most_once && with_.out.over_limit()) return count.drop(drop_reason::queue_full);
    const auto& m = *d.message;
    if (to.options_.no_local && publisher_ != session_id{} && m.publisher() == publisher_) {
        count.drop(drop_reason::no_local);
        if (d.handle != 0) {
            sent_automatically_.emplace_back(&to, d.handle);
            with_.out.touch();
        }
        return;
    }
    delivery_head own;
    own << d.handle << "-" << m.id().value() << "\n"; // [STOMP12-MESSAGE-3]
    if (d.handle != 0 && to.mode_ == ack_mode::automatic) { // durable: sending it is the acknowledgement
        sent_automatically_.emplace_back(&to, d.handle);
    } else if (d.handle != 0) {
        to.unacknowledged_.push_back({.handle = d.handle, .id = m.id()});
        if (version_ == version::v1_2) { // [STOMP12-MESSAGE-5]
            own << "ack:" << to.number_ << "-" << d.handle << "-" << m.id().value() << "\n";
        }
    }
    if (d.redelivered || d.redelivery_count != 0) own << "redelivered:true\n";
    if (d.redelivery_count != 0) own << "redelivery-count:" << d.redelivery_count << "\n";
    if (d.retain) own << "retain:true\n";

    append_message(to.head_, own.text(), d.message, now);
    constexpr auto mine = static_cast<std::size_t>(protocol_kind::stomp);
    ++count.messages_sent[mine][static_cast<std::size_t>(d.level)];
    count.message_bytes_sent[mine] += m.payload().size();
}

} // namespace broker::stomp
